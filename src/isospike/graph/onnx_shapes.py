"""ONNX operators that move values: reshapes, slices, padding, means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isospike.graph import translate
from isospike.graph.onnx_node import Batch, OnnxNode, size
from isospike.graph.translate import MIXES, Call, Refusal, Value

Rule = Callable[[OnnxNode], Value | list[Value]]
KEEP = "keep the batch the first axis of every value"


def shaped(node: OnnxNode, x: Value, shape: list[int]) -> Value:
    """x [B, ...] as [B, *shape]"""
    if size(tuple(shape)) != size(x.shape):
        raise Refusal(f"{node.op} that moves values between samples", MIXES, KEEP)
    return (
        x if tuple(shape) == x.shape else node.emit(Call("reshape", (x,), {"shape": tuple(shape)}))
    )


def reshape(node: OnnxNode) -> Value:
    """The first entry must be the batch: 0, -1, the batch size itself, or the 1 of a file that was
    exported for one sample."""
    x, wanted = node.value(), list(np.asarray(node.constant(1)).reshape(-1))
    copied = not node.attrs.get("allowzero", 0)
    first = wanted[0] if wanted else None
    kept = isinstance(first, Batch) or first == -1 or (first == 0 and copied)
    if not (kept or (first == 1 and node.single)):
        raise Refusal(f"Reshape to {wanted}", MIXES, KEEP)
    if any(isinstance(entry, Batch) for entry in wanted[1:]):
        raise Refusal("Reshape by the batch size", MIXES, KEEP)
    shape = [
        x.shape[at] if entry == 0 and copied and at < len(x.shape) else int(entry)
        for at, entry in enumerate(wanted[1:])
    ]
    if shape.count(-1) == 1 and first != -1:
        known = size(tuple(n for n in shape if n != -1))
        shape[shape.index(-1)] = size(x.shape) // known if known else 0
    return shaped(node, x, shape)


def flatten(node: OnnxNode) -> Value:
    x = node.value()
    if node.attrs.get("axis", 1) % x.rank != 1:
        raise Refusal("Flatten of another axis than 1", MIXES, KEEP)
    return shaped(node, x, [size(x.shape)])


def axes(node: OnnxNode, rank: int) -> list[int]:
    """The axes of a Squeeze or Unsqueeze, from the front; none of them the batch."""
    named = node.shared("axes", 1)
    found = sorted(axis % rank for axis in named or [])
    if not found or found[0] == 0:
        raise Refusal(f"{node.op} of the batch dimension", MIXES, "name the axes")
    return found


def squeeze(node: OnnxNode) -> Value:
    x = node.value()
    gone = axes(node, x.rank)
    return shaped(node, x, [n for at, n in enumerate(x.shape, 1) if at not in gone])


def unsqueeze(node: OnnxNode) -> Value:
    x = node.value()
    shape = list(x.shape)
    for axis in axes(node, x.rank + len(node.shared("axes", 1) or [])):
        shape.insert(axis - 1, 1)
    return shaped(node, x, shape)


def transpose(node: OnnxNode) -> Value:
    x = node.value()
    dims = node.attrs.get("perm", range(x.rank)[::-1])
    return node.emit(translate.permute(x, dims))


MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


def pad(node: OnnxNode) -> Value:
    x, amounts, value = node.value(), node.ints(1) or [], node.tensor(2)
    named = node.ints(3) or list(range(x.rank))
    mode = node.attrs.get("mode", b"constant").decode()
    if mode not in MODES or len(amounts) != 2 * len(named):
        raise Refusal(f"Pad, {mode}", "Not in the table.", f"one of {', '.join(MODES)}")
    around = {axis % x.rank: (amounts[k], amounts[k + len(named)]) for k, axis in enumerate(named)}
    if any(around.get(0, (0, 0))):
        raise Refusal("padding of the batch dimension", MIXES, "pad the data dimensions only")
    first = min((axis for axis, both in around.items() if any(both)), default=x.rank)
    pairs = [around.get(axis, (0, 0)) for axis in range(x.rank - 1, first - 1, -1)]
    flat = [n for both in pairs for n in both]
    if not flat:
        return x
    fill = 0.0 if value is None else float(value)
    return node.emit(translate.pad(x, flat, MODES[mode], fill))


def slices(node: OnnxNode) -> Value:
    x = node.value()
    starts, ends = node.ints(1) or [], node.ints(2) or []
    named = node.ints(3) or list(range(len(starts)))
    steps = node.ints(4) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, named, steps, strict=True):
        if step < 1:
            raise Refusal("Slice backwards", "Not in the table.", "leave the order as it is")
        x = node.emit(translate.slice_(x, axis, start, end, step))
    return x


def split(node: OnnxNode) -> list[Value]:
    x = node.value()
    axis = translate.data_dim(x, node.attrs.get("axis", 0), "Split")
    length, count = x.shape[axis - 1], node.outputs
    piece = -(-length // count)
    parts = node.ints(1) or [min(piece, length - piece * k) for k in range(count)]
    ends = np.cumsum(parts).tolist()
    return [
        node.emit(translate.slice_(x, axis, end - part, end)) if (part != length) else x
        for part, end in zip(parts, ends, strict=True)
    ]


def gather(node: OnnxNode) -> Value:
    """One index, or indices in a row, of a data axis."""
    x, index = node.value(), np.asarray(node.constant(1))
    axis = translate.data_dim(x, node.attrs.get("axis", 0), "Gather")
    length = x.shape[axis - 1]
    wanted = [int(i) % length for i in index.reshape(-1)]
    if index.ndim > 1 or not wanted or wanted != list(range(wanted[0], wanted[0] + len(wanted))):
        raise Refusal("Gather of scattered indices", "Not in the table.", "slice and concatenate")
    part = node.emit(translate.slice_(x, axis, wanted[0], wanted[-1] + 1))
    shape = [n for at, n in enumerate(part.shape, 1) if index.ndim or at != axis]
    return shaped(node, part, shape)


def reduce(rule: Callable[..., Call | Value]) -> Rule:
    def meant(node: OnnxNode) -> Value:
        x, named = node.value(), node.shared("axes", 1)
        if not named and node.attrs.get("noop_with_empty_axes", 0):
            return x
        return node.emit(rule(x, named, bool(node.attrs.get("keepdims", 1))))

    return meant


SHAPES: dict[str, Rule] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Pad": pad,
    "Slice": slices,
    "Split": split,
    "Gather": gather,
    "ReduceMean": reduce(translate.mean),
    "ReduceSum": reduce(translate.sum_),
}
