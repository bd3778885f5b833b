"""The normal equations of a layer that is fitted to spikes.

    rows of means    z - held = W m
    rows of wander   - held_d = W d,   d_t = 1/T sum over s <= t of (m_s - m),  t = 1 .. T - 1

held: what reaches the site by shortcuts. d is in units of a rate: the spikes that a drive which
comes early may fire too many.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from isospike.fit.segment import evaluate
from isospike.fit.site import Site
from isospike.graph.graph import Graph, Node

PIECE = 64  # images at a time
FEWEST = 8  # images that show how spikes are spread in time


class Equations:
    """gram [K + 1, K + 1] and cross [K + 1, O] in float64 of the joint matrix of `layers`."""

    def __init__(self, site: Site, layers: list[Node]) -> None:
        self.site, self.layers = site, layers
        self.gram = self.cross = torch.zeros((), dtype=torch.float64)

    def add_means(self, count: int) -> None:
        """The mean inputs of the first `count` images."""
        means, target = self.site.means, self.site.target
        assert means is not None
        assert target is not None
        for first in range(0, count, PIECE):
            part = slice(first, min(first + PIECE, count))
            self.add({n: m[part] for n, m in means.items()}, target[part], gain=1.0)

    def add_wander(self, count: int, weight: float) -> None:
        """How far the inputs are ahead of their mean, on fewer images where steps are many, with
        the weight of `count` images."""
        site = self.site
        steps = max((len(train.spikes) for train in site.trains.values()), default=1)
        if steps == 1 or site.means is None:
            return
        used = min(count, max(FEWEST, count // (steps - 1)))
        scale = (weight * count / used / steps) ** 0.5 / steps
        for first in range(0, used, PIECE):
            part = slice(first, min(first + PIECE, used))
            ahead = {name: torch.zeros_like(site.means[name][part]) for name in site.trains}
            for t in range(steps - 1):
                for name, train in site.trains.items():
                    ahead[name] += train.at(t, part) - site.means[name][part]
                self.add({n: a * scale for n, a in ahead.items()}, None, gain=0.0)

    def add(self, inputs: dict[str, Tensor], target: Tensor | None, gain: float) -> None:
        """Rows for these inputs; no target stands for 0."""
        site, graph = self.site, self.site.graph
        values = evaluate(graph, site.node.inputs[0], inputs, gain)
        columns = [patches(layer, values[layer.inputs[0]], graph) for layer in self.layers]
        matrix = torch.cat([*columns, torch.full_like(columns[0][:, :1], gain)], 1)  # [R, K + 1]
        held = values[site.node.inputs[0]]
        for layer in self.layers:
            held = held - values[layer.name]
        wanted = _rows(-held if target is None else target - held)
        self.gram = _plus(self.gram, matrix.T @ matrix)
        self.cross = _plus(self.cross, matrix.T @ wanted)


def _plus(total: Tensor, part: Tensor) -> Tensor:
    """The float64 sum, in the memory of `total` once that has the extent."""
    return total.add_(part) if total.dim() else part.double()


def patches(layer: Node, x: Tensor, graph: Graph) -> Tensor:
    """What each output position sees: [rows, K]."""
    if layer.op == "linear":
        return x.reshape(-1, x.shape[-1])
    a = layer.attrs
    kernel = graph.tensors[layer.tensors["weight"]].shape[2:]
    columns = F.unfold(x, kernel, a["dilation"], a["padding"], a["stride"])  # type: ignore[arg-type]
    return columns.transpose(1, 2).reshape(-1, columns.shape[1])


def _rows(z: Tensor) -> Tensor:
    """[N, C, H, W] or [N, C] -> [rows, C], positions in the order of `_patches`."""
    return z.movedim(1, -1).reshape(-1, z.shape[1]) if z.dim() > 2 else z
