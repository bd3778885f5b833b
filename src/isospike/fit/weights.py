"""The closed-form refit of a layer's weights to the spikes it really gets.

    minimise over W   sum over images and positions |z - W m|^2 + r (W - W0)' diag(D) (W - W0)
    m  mean over time of the inputs' spikes (and 1 for the bias),   z  source pre-activation
    D = diag(G) + 1e-3 mean diag(G),  G = m m':   (G + r diag(D)) W = m z' + r diag(D) W0

Errors-in-variables regression: it shrinks and decorrelates what the noisy spikes carry, towards the
weights of the network and not towards zero. All layers that add into one site are fitted jointly;
identity shortcuts are held. A site whose input does not spike is exact and is left alone. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from isospike.fit.site import Site
from isospike.graph.graph import Graph, Node, apply


@dataclass(frozen=True)
class WeightRefit:
    """ridge: r; rows: equations used (positions x images), fewer images where maps are large;
    readout: refit the layers behind the last site too, to the source network's logits."""

    ridge: float = 1e-3
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
        positions = site.target[0].numel() // site.target.shape[1]
        count = max(1, min(site.images, self.rows // positions))
        gram, cross = self.normal_equations(site, layers, count)
        old = torch.cat([_matrix(site.graph, layer) for layer in layers], 1)
        old = torch.cat([old, _bias(site.graph, layers)[:, None]], 1).double()  # [O, K + 1]
        diagonal = gram.diagonal()
        penalty = self.ridge * (diagonal + 1e-3 * diagonal.mean())
        left = gram + penalty.diag()
        right = cross + penalty[:, None] * old.T
        solved = torch.cholesky_solve(right, torch.linalg.cholesky(left)).T.to(site.target.dtype)
        site.graph = _with_weights(site.graph, layers, solved)

    def normal_equations(self, site: Site, layers: list[Node], count: int) -> tuple[Tensor, Tensor]:
        """G [K + 1, K + 1] and m z' [K + 1, O] in float64, over `count` images."""
        assert site.means is not None
        assert site.target is not None
        gram = cross = torch.zeros((), dtype=torch.float64)
        for first in range(0, count, 64):
            means = {n: m[first : min(first + 64, count)] for n, m in site.means.items()}
            values = evaluate(site.graph, site.node.inputs[0], means)
            columns = [_patches(layer, values[layer.inputs[0]], site.graph) for layer in layers]
            matrix = torch.cat([*columns, torch.ones_like(columns[0][:, :1])], 1)  # [R, K + 1]
            held = values[site.node.inputs[0]]
            for layer in layers:
                held = held - values[layer.name]
            rest = _rows(site.target[first : first + len(held)] - held)
            gram = gram + (matrix.T @ matrix).double()
            cross = cross + (matrix.T @ rest).double()
        return gram, cross


def adjustable(site: Site) -> list[Node]:
    """The convolutions and linear layers that reach the site through additions alone."""
    readers = site.graph.consumers()
    found: list[Node] = []

    def walk(name: str) -> None:
        node = site.graph[name]
        if len(readers[name]) > 1 or name not in site.changing:
            return
        if node.op == "add":
            for source in node.inputs:
                walk(source)
        elif _fits(site, node):
            found.append(node)

    walk(site.node.inputs[0])
    return found


def _fits(site: Site, node: Node) -> bool:
    if node.op == "linear":  # over the last axis of a larger array its outputs are no channels
        return site.target is not None and site.target.dim() == 2
    plain = node.op == "conv" and node.attrs["groups"] == 1
    return plain and not isinstance(node.attrs["padding"], str) and len(node.attrs["stride"]) == 2  # type: ignore[arg-type]


def evaluate(graph: Graph, target: str, known: dict[str, Tensor]) -> dict[str, Tensor]:
    """The values of every node between `known` ones and `target`."""
    values = dict(known)
    for node in segment(graph, target, known):
        values[node.name] = apply(graph, node, [values[name] for name in node.inputs])
    return values


def segment(graph: Graph, target: str, known: object) -> Iterator[Node]:
    """The nodes that lead from `known` names to `target`, in order."""
    needed = {target}
    for node in reversed(graph.nodes):
        if node.name in needed and node.name not in known:  # type: ignore[operator]
            needed.update(node.inputs)
    return (n for n in graph.nodes if n.name in needed and n.name not in known)  # type: ignore[operator]


def _patches(layer: Node, x: Tensor, graph: Graph) -> Tensor:
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
