"""The closed-form refit of a layer's weights to the spikes it really gets.

    minimise over W   |z - W m|^2 + e |W d|^2 + r (W - W0)' diag(D) (W - W0)
    m  mean over time of the inputs' spikes (and 1 for the bias),   z  source pre-activation
    d  how far the inputs are ahead of their mean, at every step (fit/equations.py)
    D = K / R (diag(G) + 1e-3 mean diag(G)),  G = sum of m m' over R rows,  K unknowns

The first term is errors-in-variables regression: it decorrelates what the noisy spikes carry. The
second makes the drive even, for a spike that a hasty drive fired is not taken back. The third holds
the weights near those of the network, not near zero, and fades as rows (images x positions) come:
neighbouring rows are much alike, so r is above 1. All layers that add into one site are fitted
jointly; identity shortcuts are held. A site whose input does not spike is left alone. Ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.fit.equations import Equations
from isospike.fit.site import Site
from isospike.graph.graph import Graph, Node


@dataclass(frozen=True)
class WeightRefit:
    """ridge: r; evenness: e; rows: equations of either kind (positions x images); readout: refit
    the layers behind the last site too, to the source network's logits."""

    ridge: float = 3.0
    evenness: float = 0.5
    rows: int = 80_000
    readout: bool = True
    key = "weights"
    stage = "weights"
    depends_on_steps = True
    needs_drive = True

    def fit(self, site: Site) -> None:
        layers = adjustable(site)
        if not layers or site.means is None or site.target is None:
            return
        equations = Equations(site, layers)
        positions = site.target[0].numel() // site.target.shape[1]
        count = max(1, min(site.images, self.rows // positions))
        equations.add_means(count)
        diagonal = equations.gram.diagonal()
        r = self.ridge * len(diagonal) / (count * positions)
        penalty = r * (diagonal + 1e-3 * diagonal.mean())
        if self.evenness and site.stats is not None:  # a read-out adds up: it minds no order
            equations.add_wander(count, self.evenness)
        old = torch.cat([_matrix(site.graph, layer) for layer in layers], 1)
        old = torch.cat([old, _bias(site.graph, layers)[:, None]], 1).double()  # [O, K + 1]
        left = equations.gram + penalty.diag()
        right = equations.cross + penalty[:, None] * old.T
        solved = torch.cholesky_solve(right, torch.linalg.cholesky(left)).T.to(site.target.dtype)
        site.graph = _with_weights(site.graph, layers, solved)


def adjustable(site: Site) -> list[Node]:
    """The convolutions and linear layers that reach the site through additions alone."""
    readers = site.graph.consumers()
    found: list[Node] = []
    left = [site.node.inputs[0]]
    while left:
        name = left.pop()
        node = site.graph[name]
        if len(readers[name]) > 1 or name not in site.changing:
            continue
        if node.op == "add":
            left += reversed(node.inputs)
        elif _fits(site, node):
            found.append(node)
    return found


def _fits(site: Site, node: Node) -> bool:
    if node.op == "linear":  # over the last axis of a larger array its outputs are no channels
        return site.target is not None and site.target.dim() == 2
    plain = node.op == "conv" and node.attrs["groups"] == 1
    return plain and not isinstance(node.attrs["padding"], str) and len(node.attrs["stride"]) == 2  # type: ignore[arg-type]


def _matrix(graph: Graph, layer: Node) -> Tensor:
    return graph.tensors[layer.tensors["weight"]].flatten(1)


def _bias(graph: Graph, layers: list[Node]) -> Tensor:
    """The joint bias [O] of all layers."""
    weight = graph.tensors[layers[0].tensors["weight"]]
    total = torch.zeros(len(weight), dtype=weight.dtype)
    for layer in layers:
        if "bias" in layer.tensors:
            total = total + graph.tensors[layer.tensors["bias"]]
    return total


def scaled(graph: Graph, layers: list[Node], factor: float) -> Graph:
    """Weights and biases of the layers times a factor."""
    keys = {key for layer in layers for key in layer.tensors.values()}
    return graph.with_tensors({key: graph.tensors[key] * factor for key in keys})


def _with_weights(graph: Graph, layers: list[Node], solved: Tensor) -> Graph:
    """Solved [O, K + 1] cut back into the layers; the first one takes the bias."""
    tensors, nodes = dict(graph.tensors), {node.name: node for node in graph.nodes}
    start = 0
    for index, layer in enumerate(layers):
        key = layer.tensors["weight"]
        shape = tensors[key].shape
        width = shape[1:].numel()
        tensors[key] = solved[:, start : start + width].reshape(shape).contiguous()
        start += width
        roles = {"weight": key}
        if index == 0:
            roles["bias"] = f"{layer.name}.bias"
            tensors[roles["bias"]] = solved[:, -1].contiguous()
        nodes[layer.name] = replace(layer, tensors=roles)
    return graph.with_nodes(nodes.values(), tensors)
