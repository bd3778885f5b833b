"""Synapses counted one by one: a slow second opinion on fan-out, SynOps and MACs.

Every value of a graph is followed as a bag of the neurons whose spikes it adds up. Where such a
value meets a weight, each of its spikes has reached one target.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np

from isospike.graph.graph import Graph, Node, shapes
from isospike.graph.ops import Kind

Bag = Counter  # (source, place) -> how many times its spike is in this value
GRADED = "graded"  # the mark of a value that a weight layer made


def synapses(graph: Graph) -> dict[str, np.ndarray]:
    """Input and sites -> targets that a spike of each of their neurons reaches."""
    shape = shapes(graph)
    found = {
        node.name: np.zeros(shape[node.name], int)
        for node in graph.nodes
        if node.is_site or node.kind is Kind.INPUT
    }
    for pairs in _met(graph, shape).values():
        for _, bag in pairs:
            for (source, place), times in bag.items():
                if source != GRADED:
                    found[source][place] += times
    return found


def macs(graph: Graph, layer: str) -> int:
    """Weights of one layer that meet a value which is not a zero of padding."""
    return sum(bool(bag) for _, bag in _met(graph, shapes(graph))[layer])


def _met(graph: Graph, shape) -> dict[str, list[tuple[tuple, Bag]]]:
    """Weight layer -> every (target, bag of the value) that a weight of it connects."""
    values: dict[str, np.ndarray] = {}
    met: dict[str, list] = {}
    for node in graph.nodes:
        inputs = [values[name] for name in node.inputs]
        if node.is_site or node.kind is Kind.INPUT:
            values[node.name] = _own(node.name, shape[node.name])
        elif node.kind is Kind.WEIGHT:
            weight = graph.tensors[node.tensors["weight"]]
            pairs = met[node.name] = list(
                WEIGHTS[node.op](node, inputs[0], shape[node.name], weight)
            )
            values[node.name] = _own(GRADED, shape[node.name])
            assert all(isinstance(bag, Counter) for _, bag in pairs)
        else:
            values[node.name] = AFFINE[node.op](node, inputs, shape[node.name])
        assert values[node.name].shape == shape[node.name]
    return met


def _own(name: str, shape) -> np.ndarray:
    out = _empty(shape)
    for place in np.ndindex(*shape):
        out[place] = Bag({(name, place): 1})
    return out


def _empty(shape) -> np.ndarray:
    out = np.empty(shape, object)
    for place in np.ndindex(*shape):
        out[place] = Bag()
    return out


def _conv(node: Node, x: np.ndarray, shape, weight):
    a, groups = node.attrs, node.attrs["groups"]
    inside, outside = x.shape[0] // groups, shape[0] // groups
    for o, *place in np.ndindex(*shape):
        for i in range((o // outside) * inside, (o // outside + 1) * inside):
            for kernel in np.ndindex(*weight.shape[2:]):
                at = [
                    p * s + k * d - pad
                    for p, s, k, d, pad in zip(
                        place, a["stride"], kernel, a["dilation"], a["padding"], strict=True
                    )
                ]
                if all(0 <= n < size for n, size in zip(at, x.shape[1:], strict=True)):
                    yield (o, *place), x[(i, *at)]


def _transposed(node: Node, x: np.ndarray, shape, weight):
    a, groups = node.attrs, node.attrs["groups"]
    inside, outside = x.shape[0] // groups, shape[0] // groups
    for i, *place in np.ndindex(*x.shape):
        for o in range((i // inside) * outside, (i // inside + 1) * outside):
            for kernel in np.ndindex(*weight.shape[2:]):
                at = [
                    p * s + k * d - pad
                    for p, s, k, d, pad in zip(
                        place, a["stride"], kernel, a["dilation"], a["padding"], strict=True
                    )
                ]
                if all(0 <= n < size for n, size in zip(at, shape[1:], strict=True)):
                    yield (o, *at), x[(i, *place)]


def _linear(node: Node, x: np.ndarray, shape, weight):
    for *before, o in np.ndindex(*shape):
        for i in range(x.shape[-1]):
            yield (*before, o), x[(*before, i)]


def _windows(node: Node, inputs, shape):
    a, x, out = node.attrs, inputs[0], _empty(shape)
    for c, *place in np.ndindex(*shape):
        for kernel in np.ndindex(*a["kernel"]):
            at = [
                p * s + k - pad
                for p, s, k, pad in zip(place, a["stride"], kernel, a["padding"], strict=True)
            ]
            if all(0 <= n < size for n, size in zip(at, x.shape[1:], strict=True)):
                out[(c, *place)] += x[(c, *at)]
    return out


def _adaptive(node: Node, inputs, shape):
    x, out = inputs[0], _empty(shape)
    for c, *place in np.ndindex(*shape):
        spans = [
            range(math.floor(p * n / m), math.ceil((p + 1) * n / m))
            for p, n, m in zip(place, x.shape[1:], shape[1:], strict=True)
        ]
        for at in itertools.product(*spans):
            out[(c, *place)] += x[(c, *at)]
    return out


def _added(node: Node, inputs, shape):
    out = _empty(shape)
    for place in np.ndindex(*shape):
        out[place] = inputs[0][place] + inputs[1][place]
    return out


def _summed(node: Node, inputs, shape):
    axes = tuple(dim - 1 for dim in node.attrs["dims"])
    out = _empty(shape)
    for place in np.ndindex(*inputs[0].shape):
        to = tuple(
            0 if axis in axes else p
            for axis, p in enumerate(place)
            if axis not in axes or node.attrs["keepdim"]
        )
        out[to] += inputs[0][place]
    return out


def _padded(node: Node, inputs, shape):
    x, out = inputs[0], _empty(shape)
    flat = list(node.attrs["pad"])
    before = [0] * x.ndim
    for axis in range(len(flat) // 2):
        before[x.ndim - 1 - axis] = flat[2 * axis]
    for place in np.ndindex(*x.shape):
        out[tuple(p + b for p, b in zip(place, before, strict=True))] = x[place]
    return out


def _sliced(node: Node, inputs, shape):
    a = node.attrs
    index = [slice(None)] * inputs[0].ndim
    index[a["dim"] - 1] = slice(a["start"], a["end"], a["step"])
    return inputs[0][tuple(index)]


def _taps(place: int, before: int, after: int) -> list[int]:
    """What linear interpolation between centres of cells takes with a weight above zero."""
    at = max((place + 0.5) * before / after - 0.5, 0.0)
    low = int(at)
    return [n for n in (low, low + 1) if n < before and abs(at - n) < 1]


def _blended(node: Node, inputs, shape):
    x, out = inputs[0], _empty(shape)
    for c, *place in np.ndindex(*shape):
        taps = [_taps(p, n, m) for p, n, m in zip(place, x.shape[1:], shape[1:], strict=True)]
        for at in itertools.product(*taps):
            out[(c, *place)] += x[(c, *at)]
    return out


def _upsampled(node: Node, inputs, shape):
    if node.attrs.get("mode", "nearest") != "nearest":
        return _blended(node, inputs, shape)
    x, out = inputs[0], _empty(shape)
    for c, *place in np.ndindex(*shape):
        at = [p * n // m for p, n, m in zip(place, x.shape[1:], shape[1:], strict=True)]
        out[(c, *place)] = x[(c, *at)]
    return out


def _pixels(node: Node, inputs, shape):
    x, n = inputs[0], node.attrs["factor"]
    return np.array(
        [[[x[c * n * n + (h % n) * n + w % n, h // n, w // n] for w in range(shape[2])]
          for h in range(shape[1])] for c in range(shape[0])], object,
    )  # fmt: skip


WEIGHTS = {"conv": _conv, "conv_transpose": _transposed, "linear": _linear}
AFFINE = {
    "scale_shift": lambda node, inputs, shape: inputs[0],
    "add": _added,
    "sub": _added,
    "cat": lambda node, inputs, shape: np.concatenate(inputs, node.attrs["dim"] - 1),
    "avg_pool": _windows,
    "adaptive_avg_pool": _adaptive,
    "pad": _padded,
    "reshape": lambda node, inputs, shape: inputs[0].reshape(shape),
    "permute": lambda node, inputs, shape: inputs[0].transpose(
        [d - 1 for d in node.attrs["dims"][1:]]
    ),
    "slice": _sliced,
    "mean": _summed,
    "sum": _summed,
    "upsample": _upsampled,
    "pick": lambda node, inputs, shape: inputs[0].take(node.attrs["index"], node.attrs["dim"] - 1),
    "expand": lambda node, inputs, shape: np.broadcast_to(inputs[0], shape),
    "stack": lambda node, inputs, shape: np.stack(inputs, node.attrs["dim"] - 1),
    "pixel_shuffle": _pixels,
}
