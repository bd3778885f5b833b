"""Exact fan-out: how many synapses one spike of each neuron reaches.

A spike travels from its site through additions, pooling and reshapes, which cost nothing, to the
first weight layer, and costs one synaptic operation per target there, counted exactly at the
borders; a pooled value costs its multiplicity. The count is the gradient of a network of ones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isospike.graph.graph import Graph, Node, apply
from isospike.graph.ops import Kind


def shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Node name -> shape of one sample's value."""
    found: dict[str, tuple[int, ...]] = {}
    values: dict[str, Tensor] = {}
    dtype = next((t.dtype for t in graph.tensors.values()), torch.float32)
    device = next((t.device for t in graph.tensors.values()), torch.device("cpu"))
    values[graph.input] = torch.zeros(1, *graph.input_shape, dtype=dtype, device=device)
    for node in graph.nodes:
        if node.name != graph.input:
            values[node.name] = apply(graph, node, [values[n] for n in node.inputs])
        found[node.name] = tuple(values[node.name].shape[1:])
    return found


def fanouts(graph: Graph) -> dict[str, Tensor]:
    """Source name (the input, every site, every weight layer that feeds another weight layer) ->
    synapses one unit of each of its values reaches, [*shape], whole numbers."""
    shape = shapes(graph)
    sources = [n for n in graph.nodes if n.is_site or n.kind in (Kind.INPUT, Kind.WEIGHT)]
    return {node.name: _fanout(graph, node, shape) for node in sources}


def _fanout(graph: Graph, source: Node, shape: dict[str, tuple[int, ...]]) -> Tensor:
    start = torch.ones(1, *shape[source.name], requires_grad=True)
    reached: dict[str, Tensor] = {source.name: start}
    total = torch.zeros(())
    with torch.enable_grad():
        for node in graph.nodes:
            inputs = [reached.get(name) for name in node.inputs]
            if node.name == source.name or all(value is None for value in inputs):
                continue
            if node.kind is Kind.WEIGHT:
                total = total + _connect(graph, node, inputs, shape).sum()
            elif not node.is_site:
                reached[node.name] = _connect(graph, node, inputs, shape)
        if total.grad_fn is None:
            return torch.zeros(shape[source.name])
        (gradient,) = torch.autograd.grad(total, start)
    return gradient[0].round()


def _connect(graph: Graph, node: Node, inputs: list, shape) -> Tensor:
    """The node with every connection of weight 1; inputs that are not reached count as zero."""
    filled = [
        torch.zeros(1, *shape[name]) if value is None else value
        for name, value in zip(node.inputs, inputs, strict=True)
    ]
    x = filled[0]
    if node.kind is Kind.WEIGHT:
        weight = torch.ones_like(graph.tensors[node.tensors["weight"]], dtype=x.dtype, device="cpu")
        from isospike.graph.ops import OPS

        return OPS[node.op].run([x], {"weight": weight}, node.attrs, 0.0)
    if node.op == "scale_shift":
        return x
    if node.op == "sub":
        return filled[0] + filled[1]
    out = apply(graph, node, filled, 0.0)
    return out * _window(node, shape[node.inputs[0]], shape[node.name])


def _window(node: Node, before: tuple[int, ...], after: tuple[int, ...]) -> Tensor | float:
    """What an average divides by: the sum of its window, position by position."""
    if node.op == "avg_pool":
        divisor = node.attrs["divisor"] or math.prod(node.attrs["kernel"])  # type: ignore[arg-type]
        ones = torch.ones(1, *before)
        if not node.attrs["count_include_pad"] or node.attrs["ceil_mode"]:
            return _counted(node, ones)
        return float(divisor)  # type: ignore[arg-type]
    if node.op == "mean":
        return math.prod(before) / math.prod(after)
    if node.op == "adaptive_avg_pool":
        area = torch.ones(())
        for inside, outside in zip(before[1:], after[1:], strict=True):
            starts = torch.arange(outside) * inside // outside
            ends = -(-(torch.arange(outside) + 1) * inside // outside)
            area = area[..., None] * (ends - starts)
        return area
    return 1.0


def _counted(node: Node, ones: Tensor) -> Tensor:
    """The number of real values in each window, where it varies at the border."""
    from isospike.graph.ops import OPS

    whole = {**node.attrs, "count_include_pad": True, "divisor": 1, "ceil_mode": node.attrs["ceil_mode"]}
    if len(node.attrs["kernel"]) == 1:  # type: ignore[arg-type]
        return torch.full((), float(node.attrs["kernel"][0]))  # type: ignore[index]
    return OPS["avg_pool"].run([ones], {}, whole, 1.0)
