"""Exact fan-out: how many synapses one spike of each neuron reaches.

A spike travels from its site through additions, pooling and reshapes, which cost nothing, to the
first weight layer, and costs one synaptic operation per target there, counted exactly at the
borders; a pooled value costs its multiplicity. The count is the gradient of a network of ones.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from isospike.graph.graph import Graph, Node, apply, shapes
from isospike.graph.ops import OPS, Kind


def fanouts(graph: Graph) -> dict[str, Tensor]:
    """The input and every site -> synapses that one unit of each of its values reaches, [*shape],
    whole numbers."""
    shape = shapes(graph)
    sources = [n for n in graph.nodes if n.is_site or n.kind is Kind.INPUT]
    return {node.name: _fanout(graph, node, shape) for node in sources}


def connections(graph: Graph, sources: Collection[str]) -> int:
    """Connections of the first weight layers below `sources`, over which a non-zero value of these
    comes: their multiply-accumulates for one image, without the zeros of padding."""
    shape = shapes(graph)
    total = 0
    reached: dict[str, Tensor] = {}
    for node in graph.nodes:
        inputs = [reached.get(name) for name in node.inputs]
        arrives = any(value is not None for value in inputs)
        if node.kind is Kind.WEIGHT and arrives:
            there = [None if value is None else (value > 0).float() for value in inputs]
            total += int(_connect(graph, node, there, shape).double().sum())
        if node.name in sources:
            reached[node.name] = torch.ones(1, *shape[node.name])
        elif arrives and not node.is_site and node.kind is not Kind.WEIGHT:
            reached[node.name] = _connect(graph, node, inputs, shape)
    return total


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
        return OPS[node.op].run([x], {"weight": weight}, node.attrs, 0.0)
    if node.op == "scale_shift":
        return x.expand(1, *shape[node.name])
    if node.op == "sub":
        return filled[0] + filled[1]
    if node.op == "avg_pool":
        return _sum_pool(x, node.attrs)
    if node.op == "upsample":
        return _blend(node, x)
    return apply(graph, node, filled, 0.0) * _window(node, shape[node.inputs[0]], shape[node.name])


def _blend(node: Node, x: Tensor) -> Tensor:
    """Interpolation with every weight that is not zero as 1. It goes axis by axis, and the weights
    of one show on values that change along it alone."""
    shape = x.shape[2:]
    for axis, size in enumerate(shape):
        line = [size if each == axis else 1 for each in range(len(shape))]
        marks = torch.eye(size).reshape(1, size, *line).expand(1, size, *shape)
        blended = OPS["upsample"].run([marks], {}, node.attrs, 0.0)[0]  # [size, *shape after]
        weights = blended.movedim(axis + 1, 1).flatten(2)[..., 0]  # [size, size after]
        taken = (weights.abs() > 1e-6).to(x.dtype)
        x = (x.movedim(axis + 2, -1) @ taken).movedim(-1, axis + 2)
    return x


def _sum_pool(x: Tensor, attrs: Mapping[str, Any]) -> Tensor:
    """Average-pooling without its division, which at a border is not by the size of the kernel."""
    line = len(attrs["kernel"]) == 1  # pooling along a line cannot be told its divisor
    attrs = {**attrs, "divisor": 1}
    if line:
        names = {"kernel": 1, "stride": 1, "padding": 0}
        attrs.update({name: (one, *attrs[name]) for name, one in names.items()})
    out = OPS["avg_pool"].run([x.unsqueeze(-2) if line else x], {}, attrs, 0.0)
    return out.squeeze(-2) if line else out


def _window(node: Node, before: tuple[int, ...], after: tuple[int, ...]) -> Tensor | float:
    """What an average divides by, position by position."""
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
