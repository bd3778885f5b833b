"""A calibrated bias belongs into the layer before it: what a chip holds, and one pass less to run.

A site's bias b is a constant of its drive, so a convolution or linear layer that reaches the site
through additions alone takes it into its own: b_layer + b. Where there is none, or the bias varies
over positions, the unit keeps it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from isospike.graph.fold import OUTPUT_AXIS
from isospike.graph.graph import Graph, Node
from isospike.program import Program
from isospike.units.no_neuron import NoNeuron


def fold_biases(program: Program) -> Program:
    """The same network with as many biases as possible in its layers."""
    units, graph = dict(program.units), program.graph
    for site in graph.sites:
        unit = units[site.name]
        if isinstance(unit, NoNeuron) or unit.bias is None:
            continue
        layer = _layer_before(graph, site)
        if layer is not None and _per_channel(graph, layer, unit.bias):
            graph = _with_bias(graph, layer, unit.bias)
            units[site.name] = replace(unit, bias=None)
    return replace(program, graph=graph, units=units)


def _per_channel(graph: Graph, layer: Node, bias: Tensor) -> bool:
    """One number, or one an output channel of the layer: [C, 1, 1] for a map, [C] for a vector. A
    linear layer over the last axis of a larger array has its outputs elsewhere than its channels.
    """
    rank = graph.tensors[layer.tensors["weight"]].dim() - 1
    return bias.numel() == 1 or (bias.dim() == rank and bias.numel() == bias.shape[0])


def _layer_before(graph: Graph, site: Node) -> Node | None:
    readers = graph.consumers()
    left = [site.inputs[0]]
    while left:
        name = left.pop()
        node = graph[name]
        if len(readers[name]) == 1 and name != graph.output:
            if node.op in OUTPUT_AXIS:
                return node
            if node.op == "add":
                left += reversed(node.inputs)
    return None


def _with_bias(graph: Graph, layer: Node, bias: Tensor) -> Graph:
    tensors = dict(graph.tensors)
    axis = OUTPUT_AXIS[layer.op]
    weight = tensors[layer.tensors["weight"]]
    channels = weight.shape[axis] * (int(layer.attrs["groups"]) if axis else 1)  # type: ignore[arg-type]
    own = torch.zeros(channels, dtype=weight.dtype)
    if "bias" in layer.tensors:
        own = tensors[layer.tensors["bias"]]
    key = f"{layer.name}.bias"
    tensors[key] = own + bias.flatten()
    changed = replace(layer, tensors={**layer.tensors, "bias": key})
    nodes = [changed if node.name == layer.name else node for node in graph.nodes]
    return graph.with_nodes(nodes, tensors)
