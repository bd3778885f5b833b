"""Functions of one number as sites with neurons: those that a program of few spikes stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from isospike.errors import ConversionError, Finding
from isospike.graph.analogue import ELEMENTWISE, NO_NEURON
from isospike.graph.graph import Graph, Node
from isospike.graph.ops import Kind

PREFIX = "few_spike."
WHOLE = "it needs its whole input at once"


def with_few_spikes(graph: Graph, keep: Sequence[str] = ()) -> Graph:
    """The same network, its `ELEMENTWISE` functions no longer analogue, but for those that `keep`
    names by path or operator."""
    chosen = {node.name for node in _without_neuron(graph, keep)}
    if not chosen:
        return graph
    nodes = [replace(n, op=PREFIX + n.op) if n.name in chosen else n for n in graph.nodes]
    return graph.with_nodes(nodes, graph.tensors)


def check_kept(graph: Graph, keep: Sequence[str] = ()) -> None:
    """ConversionError with every such function of `graph` that `keep` does not name: a recipe
    without programs has nothing for it."""
    found = [
        Finding(node.path, node.line, node.op, NO_NEURON, way_out(node.path))
        for node in _without_neuron(graph, keep)
    ]
    if found:
        raise ConversionError.of(found)


def check_early(graph: Graph) -> None:
    """ConversionError with every site that cannot fire before its whole input is there."""
    found = [
        Finding(node.path, node.line, node.op, WHOLE, "let no layer fire early: schedule.early=0")
        for node in graph.sites if node.kind is Kind.ANALOGUE
    ]  # fmt: skip
    if found:
        raise ConversionError.of(found)


def way_out(path: str) -> str:
    """What can be done about a function without a neuron."""
    return f"replace it by ReLU or another operator of the table, or keep it: keep=[{path!r}]"


def _without_neuron(graph: Graph, keep: Sequence[str]) -> list[Node]:
    return [
        node for node in graph.nodes
        if node.op in ELEMENTWISE and not is_named(node.path, node.op, keep)
    ]  # fmt: skip


def is_named(path: str, op: str, keep: Sequence[str]) -> bool:
    """Does a word of `keep=` mean this node?"""
    return any(fnmatchcase(path, word) or op == word for word in keep)


def is_few_spike(node: Node) -> bool:
    return node.op.startswith(PREFIX)
