"""Folding by data flow: a scale and shift per channel moves into the weights that feed it.

y = (W x + b) * s + t  ->  W' = s W, b' = s b + t,  for the convolution or linear layer whose only
reader it is; two scales in a row become one. What cannot fold stays as an affine step.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from isospike.graph.graph import Graph, Node

# The axis of the weight that counts output channels; a transposed convolution has them second.
OUTPUT_AXIS = {"conv": 0, "linear": 0, "conv_transpose": 1}


def fold(graph: Graph) -> Graph:
    """The same function with fewer nodes; `fold(fold(g)) == fold(g)`."""
    tensors = dict(graph.tensors)
    readers = graph.consumers()
    nodes: dict[str, Node] = {}
    moved: dict[str, str] = {}  # folded node -> the node that now computes its value
    for node in graph.nodes:
        node = replace(node, inputs=tuple(moved.get(name, name) for name in node.inputs))
        before = nodes.get(node.inputs[0]) if node.op == "scale_shift" else None
        merged = None
        if before is not None and len(readers[before.name]) == 1:
            merged = _merge(before, node, tensors)
        if merged is None:
            nodes[node.name] = node
        else:
            nodes[merged.name] = merged
            moved[node.name] = merged.name
            readers[merged.name] = readers[node.name]
    output = moved.get(graph.output, graph.output)
    return replace(graph, output=output).with_nodes(nodes.values(), tensors)


def _merge(before: Node, node: Node, tensors: dict[str, Tensor]) -> Node | None:
    """`before` with the scale and shift of `node` taken in, or None where that is no such layer."""
    scale = tensors[node.tensors["scale"]] if "scale" in node.tensors else None
    shift = tensors[node.tensors["shift"]] if "shift" in node.tensors else None
    if before.op == "scale_shift":
        return _chain(before, scale, shift, tensors)
    if before.op not in OUTPUT_AXIS:
        return None
    weight = tensors[before.tensors["weight"]]
    groups = before.attrs.get("groups", 1)
    axis = OUTPUT_AXIS[before.op]
    channels = weight.shape[axis] * (groups if axis else 1)  # type: ignore[operator]
    trailing = weight.dim() - 2
    flat = [_per_channel(t, channels, trailing) for t in (scale, shift)]
    if any(t is None and given is not None for t, given in zip(flat, (scale, shift), strict=True)):
        return None
    roles = {role: f"{before.name}.{role}" for role in ("weight", "bias")}
    bias = tensors[before.tensors["bias"]] if "bias" in before.tensors else 0
    if flat[0] is not None:
        tensors[roles["weight"]] = _scale_outputs(weight, flat[0], axis, groups)
        bias = bias * flat[0]
    if flat[1] is not None:
        bias = bias + flat[1]
    if isinstance(bias, Tensor):
        tensors[roles["bias"]] = bias
    else:
        del roles["bias"]
    roles["weight"] = roles["weight"] if flat[0] is not None else before.tensors["weight"]
    return replace(before, tensors=roles)


def _per_channel(constant: Tensor | None, channels: int, trailing: int) -> Tensor | None:
    """The constant as [channels], or None where it varies over positions."""
    if constant is None:
        return None
    if constant.numel() == 1:
        return constant.reshape(1).expand(channels)
    lead = constant.dim() - trailing
    fits = lead == 1 and constant.shape[0] == channels and constant.numel() == channels
    return constant.reshape(channels) if fits else None


def _scale_outputs(weight: Tensor, scale: Tensor, axis: int, groups: object) -> Tensor:
    if axis == 0:
        return weight * scale.reshape(-1, *[1] * (weight.dim() - 1))
    # Transposed: weight [in, out / groups, ...], and group g owns the g-th share of the inputs.
    grouped = weight.reshape(int(groups), -1, *weight.shape[1:])  # type: ignore[call-overload]
    scale = scale.reshape(grouped.shape[0], 1, weight.shape[1], *[1] * (weight.dim() - 2))
    return (grouped * scale).reshape(weight.shape)


def _chain(
    before: Node, scale: Tensor | None, shift: Tensor | None, tensors: dict[str, Tensor]
) -> Node:
    """(x a + c) s + t = x (a s) + (c s + t)"""
    first = {role: tensors[key] for role, key in before.tensors.items()}
    out: dict[str, Tensor] = {}
    factor = [t for t in (first.get("scale"), scale) if t is not None]
    if factor:
        out["scale"] = factor[0] if len(factor) == 1 else factor[0] * factor[1]
    terms = []
    if "shift" in first:
        terms.append(first["shift"] if scale is None else first["shift"] * scale)
    if shift is not None:
        terms.append(shift)
    if terms:
        out["shift"] = terms[0] if len(terms) == 1 else torch.add(*terms)
    keys = {role: f"{before.name}.{role}" for role in out}
    tensors.update({keys[role]: t for role, t in out.items()})
    return replace(before, tensors=keys)
