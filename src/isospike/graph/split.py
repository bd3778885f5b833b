"""Split, chunk and unbind: each piece is a slice."""

from __future__ import annotations

import torch
from torch import fx

from isospike.graph.translate import MIXES, Call, Refusal

aten = torch.ops.aten
SPLITS = (
    aten.chunk.default, aten.split.Tensor, aten.split_with_sizes.default, aten.unbind.int,
)  # fmt: skip


def split(node: fx.Node, args: list) -> list[Call]:
    """The pieces, unbound ones without their dimension; Refusal over the batch dimension."""
    unbind = node.target is aten.unbind.int
    x = args[0]
    dim = (args[1 if unbind else 2] if len(args) > (1 if unbind else 2) else 0) % x.rank
    if dim == 0:
        raise Refusal("split over the batch dimension", MIXES, "keep the batch whole")
    pieces, start = [], 0
    for part in node.meta["val"]:
        end = start + (1 if unbind else int(part.shape[dim]))
        piece = Call("slice", (x,), {"dim": dim, "start": start, "end": end, "step": 1})
        shape = tuple(int(size) for size in part.shape[1:])
        pieces.append(Call("reshape", (piece,), {"shape": shape}) if unbind else piece)
        start = end
    return pieces


def sliced(call: Call) -> tuple[int, ...]:
    """The shape of a sample of a slice."""
    shape = list(call.inputs[0].shape)
    a = call.attrs
    shape[a["dim"] - 1] = len(range(a["start"], a["end"], a["step"]))
    return tuple(shape)
