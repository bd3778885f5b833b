"""The affine segment before a site: what lies between known values and one node."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from isospike.graph.graph import Graph, Node, apply


def evaluate(
    graph: Graph, target: str, known: dict[str, Tensor], gain: float = 1.0
) -> dict[str, Tensor]:
    """The values of every node between `known` ones and `target`; constants count `gain` times."""
    values = dict(known)
    for node in segment(graph, target, known):
        values[node.name] = apply(graph, node, [values[name] for name in node.inputs], gain)
    return values


def segment(graph: Graph, target: str, known: object) -> Iterator[Node]:
    """The nodes that lead from `known` names to `target`, in order."""
    needed = {target}
    for node in reversed(graph.nodes):
        if node.name in needed and node.name not in known:  # type: ignore[operator]
            needed.update(node.inputs)
    return (n for n in graph.nodes if n.name in needed and n.name not in known)  # type: ignore[operator]
