"""A network that came as a graph of its own, with somebody else's answer to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.graph.graph import Graph, Node


@dataclass(frozen=True)
class Imported:
    """What `plan`, `convert`, `evaluate` and the commands take in place of a torch.nn.Module.

    graph      in float64, as the file says it, nothing folded
    reference  x [B, ...] float32 -> what the file's own runtime answers, float32
    runtime    its name
    """

    graph: Graph
    reference: Callable[[Tensor], Tensor]
    runtime: str

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.graph.input_shape

    def normalised(self, mean: Sequence[float], std: Sequence[float]) -> Imported:
        """The network for pixels x: it now sees (x - mean) / std, per channel."""
        shape = (-1, *[1] * (len(self.input_shape) - 1))
        m, s = (torch.tensor(values, dtype=torch.float64).reshape(shape) for values in (mean, std))
        first, *rest = self.graph.nodes
        step = Node(".normalize", "scale_shift", (first.name,), {}, {
            "scale": ".normalize.scale", "shift": ".normalize.shift",
        }, "normalize")  # fmt: skip
        moved = [
            replace(n, inputs=tuple(step.name if i == first.name else i for i in n.inputs))
            for n in rest
        ]
        tensors = {**self.graph.tensors, ".normalize.scale": 1 / s, ".normalize.shift": -m / s}
        output = step.name if self.graph.output == first.name else self.graph.output
        graph = replace(self.graph, nodes=(first, step, *moved), tensors=tensors, output=output)
        known = self.reference
        return replace(
            self, graph=graph, reference=lambda x: known(((x.double() - m) / s).to(x.dtype))
        )
