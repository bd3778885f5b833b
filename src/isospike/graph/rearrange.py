"""Operators that move, repeat or blend values: affine maps without weights of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from isospike.graph.translate import MIXES, Call, Refusal, Value, aten, data_dim, rule, scaled


def picked(x: Value | Call, dim: int, index: Tensor) -> Call:
    """x at the places of `index` along `dim`."""
    shape = list(x.shape)
    shape[dim - 1] = len(index)
    return Call("pick", (x,), {"dim": dim, "index": tuple(index.tolist())}, gives=tuple(shape))


@rule(aten.cat.default, aten.concat.default)
def cat(pieces, dim=0):
    values = [piece for piece in pieces if isinstance(piece, Value)]
    dim = data_dim(values[0], dim, "concat")
    whole = _joined(values, dim)
    return whole if len(values) == len(pieces) else _among(whole, pieces, dim)


def _joined(values: list[Value], dim: int) -> Value | Call:
    shape = list(values[0].shape)
    shape[dim - 1] = sum(value.shape[dim - 1] for value in values)
    return (
        Call("cat", tuple(values), {"dim": dim}, gives=tuple(shape))
        if len(values) > 1
        else values[0]
    )


def _among(whole: Value | Call, pieces: list, dim: int) -> Call:
    """Values with constants between them: room for these at the end, the order, their numbers."""
    if any(isinstance(piece, Tensor) and piece.shape[0] != 1 for piece in pieces):
        raise Refusal("concat with a constant of a batch", MIXES, "make its batch 1")
    held, room = 0, whole.shape[dim - 1]
    order, shifts = [], []
    for piece in pieces:
        constant = isinstance(piece, Tensor)
        length = piece.shape[dim if constant else dim - 1]
        start = room if constant else held
        order.append(torch.arange(start, start + length))
        held, room = (held, room + length) if constant else (held + length, room)
        like = (
            torch.zeros((1, *piece.shape), dtype=torch.float64) if not constant else piece.double()
        )
        shifts.append(like)
    amount = (*[0, 0] * (whole.rank - 1 - dim), 0, room - whole.shape[dim - 1])
    shape = (*whole.shape[: dim - 1], room, *whole.shape[dim:])
    padded = Call("pad", (whole,), {"pad": amount, "mode": "constant", "value": 0.0}, gives=shape)
    return scaled(picked(padded, dim, torch.cat(order)), shift=torch.cat(shifts, dim))


@rule(aten.flip.default)
def flip(x, dims):
    for dim in dims:
        at = data_dim(x, dim, "flip")
        x = picked(x, at, torch.arange(x.shape[at - 1]).flip(0))
    return x


@rule(aten.roll.default)
def roll(x, shifts, dims=()):
    if len(dims) != len(shifts):
        raise Refusal("roll over all dimensions", MIXES, "name the dimensions, not the batch")
    for shift, dim in zip(shifts, dims, strict=True):
        at = data_dim(x, dim, "roll")
        x = picked(x, at, torch.arange(x.shape[at - 1]).roll(shift))
    return x


@rule(aten.index_select.default)
def index_select(x, dim, index):
    return picked(x, data_dim(x, dim, "index"), _constant(index))


@rule(aten.index.Tensor)
def index(x, indices):
    given = [(dim, each) for dim, each in enumerate(indices) if each is not None]
    if len(given) != 1:
        raise Refusal(
            "several indices at once", "Not in the table.", "index one dimension at a time"
        )
    dim, each = given[0]
    return picked(x, data_dim(x, dim, "index"), _constant(each))


def _constant(index: object) -> Tensor:
    if not isinstance(index, Tensor) or index.dim() != 1:
        raise Refusal("a computed index", "It is not affine.", "index with constants")
    return index.nonzero().flatten() if index.dtype == torch.bool else index


@rule(aten.channel_shuffle.default, aten.native_channel_shuffle.default)
def channel_shuffle(x, groups):
    return picked(x, 1, torch.arange(x.shape[0]).reshape(groups, -1).t().flatten())


@rule(aten.slice_scatter.default)
def slice_scatter(x, source, dim=0, start=None, end=None, step=1):
    """x with some of its places taken from `source`: picked from both, one after the other."""
    if not (isinstance(x, Value) and isinstance(source, Value)):
        raise Refusal("constants written into a value", "Not in the table.", "concatenate instead")
    if dim % x.rank == 0 and start in (None, 0) and source.shape == x.shape:
        return source
    dim = data_dim(x, dim, "a write")
    index = torch.arange(size := x.shape[dim - 1])
    index[start:end:step] = size + torch.arange(source.shape[dim - 1])
    whole = list(x.shape)
    whole[dim - 1] += source.shape[dim - 1]
    return picked(Call("cat", (x, source), {"dim": dim}, gives=tuple(whole)), dim, index)


@rule(aten.copy.default)
def copy(x, source, blocking=False):
    if not isinstance(source, Value) or not isinstance(x, Value) or source.shape != x.shape:
        raise Refusal("a write of another shape", "Not in the table.", "concatenate instead")
    return source


@rule(aten.pixel_shuffle.default)
def pixel_shuffle(x, factor):
    return Call("pixel_shuffle", (x,), {"factor": factor})


@rule(aten.pixel_unshuffle.default)
def pixel_unshuffle(x, factor):
    return Call("pixel_unshuffle", (x,), {"factor": factor})


@rule(aten.expand.default)
def expand(x, sizes, *, implicit=False):
    if len(sizes) != x.rank:
        raise Refusal("expand with more dimensions", MIXES, "unsqueeze it first, the batch first")
    shape = tuple(n if m == -1 else int(m) for n, m in zip(x.shape, sizes[1:], strict=True))
    return Call("expand", (x,), {"shape": shape}, gives=shape)


@rule(aten.repeat.default)
def repeat(x, times):
    if len(times) != x.rank or times[0] != 1:
        raise Refusal("repeat of the batch", MIXES, "repeat data dimensions only")
    for dim, count in enumerate(times):
        if count != 1:
            x = picked(x, dim, torch.arange(x.shape[dim - 1]).repeat(count))
    return x


@rule(aten.stack.default)
def stack(values, dim=0):
    if not all(isinstance(value, Value) for value in values):
        raise Refusal("stack with a constant", "Not in the table.", "add a constant instead")
    rank = values[0].rank + 1
    if dim % rank == 0:
        raise Refusal("stack over the batch dimension", MIXES, "keep the batch first")
    return Call("stack", tuple(values), {"dim": dim % rank})


@rule(aten.upsample_nearest1d.vec, aten.upsample_nearest2d.vec, aten.upsample_nearest3d.vec)
def upsample(x, size=None, scale=None, mode="nearest", align=None):
    attrs = {
        "size": None if size is None else tuple(int(s) for s in size),
        "scale": None if scale is None else tuple(scale),
    }
    return Call(
        "upsample", (x,), attrs if mode == "nearest" else {**attrs, "mode": mode, "align": align}
    )


@rule(aten._upsample_nearest_exact1d.vec, aten._upsample_nearest_exact2d.vec)
def upsample_exact(x, size=None, scale=None):
    return upsample(x, size, scale, "nearest-exact")


@rule(aten.upsample_linear1d.vec)
def upsample_linear(x, size=None, align=False, scale=None):
    return upsample(x, size, scale, "linear", align)


@rule(aten.upsample_bilinear2d.vec)
def upsample_bilinear(x, size=None, align=False, scale=None):
    return upsample(x, size, scale, "bilinear", align)


@rule(aten.upsample_trilinear3d.vec)
def upsample_trilinear(x, size=None, align=False, scale=None):
    return upsample(x, size, scale, "trilinear", align)


@rule(aten.upsample_bicubic2d.vec)
def upsample_bicubic(x, size=None, align=False, scale=None):
    return upsample(x, size, scale, "bicubic", align)
