"""Leaky ReLUs as one site each, for recipes whose neuron has spikes of both signs.

    relu(x) - s relu(-x)  =  leaky_relu(x; s),   0 < s < 1

Capture makes the left side, two sites that any neuron serves (piecewise.py). Slopes by channel and
slopes outside (0, 1) keep it: the neuron's -theta / s is one number, below -theta.
"""

from __future__ import annotations

from dataclasses import replace

from isospike.graph.graph import Graph, Node

LEAKY = "leaky_relu"


def with_leaky(graph: Graph) -> Graph:
    """The same function, bit for bit; `graph` itself where it has no leaky ReLU."""
    nodes = {node.name: node for node in graph.nodes}
    readers = graph.consumers()
    # Difference -> the site that computes it, which takes the name of the positive half.
    found = {
        node.name: site for node in graph.nodes
        if (site := _site(graph, nodes, node)) and readers[site.name] == [node.name]
    }  # fmt: skip
    if not found:
        return graph
    names = {name: site.name for name, site in found.items()}
    gone = set(names.values())
    left = [found.get(node.name, node) for node in graph.nodes if node.name not in gone]
    left = [replace(n, inputs=tuple(names.get(each, each) for each in n.inputs)) for n in left]
    output = names.get(graph.output, graph.output)
    return replace(graph, output=output).with_nodes(left, graph.tensors)


def _site(graph: Graph, nodes: dict[str, Node], node: Node) -> Node | None:
    """The leaky ReLU that a difference computes, if it does."""
    if node.op != "sub":
        return None
    positive, scaled = (nodes[name] for name in node.inputs)
    negative = nodes[scaled.inputs[0]] if scaled.inputs else scaled
    if (positive.op, scaled.op, negative.op) != ("relu", "scale_shift", "relu"):
        return None
    mirror = nodes[negative.inputs[0]]
    slope = _factor(graph, scaled)
    if mirror.inputs != positive.inputs or _factor(graph, mirror) != -1 or not 0 < slope < 1:
        return None
    return replace(positive, op=LEAKY, attrs={"slope": slope})


def _factor(graph: Graph, node: Node) -> float:
    """s of a node x -> s x with one number s; 0 of any other."""
    tensors = graph.parameters_of(node)
    if node.op != "scale_shift" or set(tensors) != {"scale"} or tensors["scale"].numel() != 1:
        return 0.0
    return float(tensors["scale"])
