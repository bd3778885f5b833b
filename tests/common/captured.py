"""Many small branches captured as one network, each compared with its part of the model's output.

Capturing costs a third of a second, so all entries of a table are branches of one network.
"""

import math
from functools import cache

import pytest
import torch
from torch import nn

from isospike.graph.capture import capture
from isospike.graph.fold import fold
from isospike.graph.graph import Graph, Node, execute

FEATURES = 4 * 6 * 6


class Apply(nn.Module):
    """A function of the values [B, 4, 6, 6] of a convolution, as in the forward of a network."""

    def __init__(self, function) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.function = function

    def forward(self, x):
        return self.function(self.conv(x))


class Bend(nn.Module):
    """Two readers of one value."""

    def __init__(self, function) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.function = function

    def forward(self, x):
        return self.function(self.first(x), self.second(x))


class Branches(nn.Module):
    """Every module on as much of x [B, 144] as its input takes; all outputs in one row."""

    def __init__(self, cases) -> None:
        super().__init__()
        self.parts = nn.ModuleList(module for module, _ in cases)
        self.shapes = [shape for _, shape in cases]

    def pieces(self, x):
        for part, shape in zip(self.parts, self.shapes, strict=True):
            yield part(x[:, : math.prod(shape)].unflatten(1, shape)).flatten(1)

    def forward(self, x):
        return torch.cat(list(self.pieces(x)), 1)


def lived(module: nn.Module) -> nn.Module:
    """Batch norms as training would leave them."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_var is not None:
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)
            if part.affine:
                nn.init.uniform_(part.weight, -2, 2)
                nn.init.uniform_(part.bias, -1, 1)
    return module.eval()


class Captured:
    """One table of (module, shape of its input), captured and run on four samples."""

    def __init__(self, cases, keep=()) -> None:
        torch.manual_seed(0)
        model = lived(Branches(cases)).double()
        x = torch.randn(4, FEATURES, dtype=torch.float64)
        self.graph: Graph = fold(capture(model, x, keep))
        with torch.no_grad():
            self.expected = [piece.clone() for piece in model.pieces(x.clone())]
        widths = [piece.shape[1] for piece in self.expected]
        self.found = execute(self.graph, x).split(widths, 1)

    def error(self, index: int) -> float:
        """max |graph - model| / max |model| of one branch."""
        expected = self.expected[index]
        return float((self.found[index] - expected).abs().max() / expected.abs().max())

    def nodes(self, index: int) -> list[Node]:
        return [n for n in self.graph.nodes if f"{n.path}.".startswith(f"parts.{index}.")]

    def ops(self, index: int) -> list[str]:
        return [node.op for node in self.nodes(index)]


def table(cases: dict, keep=()):
    """(parametrisation over the places, captured table)"""
    listed = [case if isinstance(case, tuple) else (case, (4, 6, 6)) for case in cases.values()]
    return pytest.mark.parametrize("case", range(len(listed)), ids=list(cases)), cache(
        lambda: Captured(listed, keep)
    )
