"""Functions of one number as sites with neurons: those that a program of few spikes stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from isospike.graph.analogue import ELEMENTWISE
from isospike.graph.graph import Graph, Node

PREFIX = "few_spike."


def with_few_spikes(graph: Graph, keep: Sequence[str] = ()) -> Graph:
    """The same network, its `ELEMENTWISE` functions no longer analogue, but for those that `keep`
    names by path or operator."""

    def chosen(node: Node) -> bool:
        kept = any(is_named(node.path, node.op, word) for word in keep)
        return node.op in ELEMENTWISE and not kept

    if not any(chosen(node) for node in graph.nodes):
        return graph
    nodes = [replace(n, op=PREFIX + n.op) if chosen(n) else n for n in graph.nodes]
    return graph.with_nodes(nodes, graph.tensors)


def is_named(path: str, op: str, word: str) -> bool:
    """Does a word of `keep=` mean this node?"""
    return fnmatchcase(path, word) or op == word


def is_few_spike(node: Node) -> bool:
    return node.op.startswith(PREFIX)
