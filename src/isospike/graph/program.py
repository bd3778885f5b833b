"""Functions of one number as sites with neurons: those that a program of few spikes stands for."""

from __future__ import annotations

from dataclasses import replace

from isospike.graph.analogue import ELEMENTWISE
from isospike.graph.graph import Graph, Node

PREFIX = "program."


def programmed(graph: Graph) -> Graph:
    """The same network, its `ELEMENTWISE` functions no longer kept analogue."""
    if not any(node.op in ELEMENTWISE for node in graph.nodes):
        return graph
    nodes = [
        replace(node, op=PREFIX + node.op) if node.op in ELEMENTWISE else node
        for node in graph.nodes
    ]
    return graph.with_nodes(nodes, graph.tensors)


def is_program(node: Node) -> bool:
    return node.op.startswith(PREFIX)
