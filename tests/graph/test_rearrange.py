"""Operators that move, repeat or blend values: affine, and the same function."""

import torch
from torch import nn
from torch.nn import functional as F

from common.captured import Apply, Bend, table
from isospike.graph.rewrite import LIMIT_64


def shuffled(x, groups=2):
    """As ShuffleNet writes it."""
    batch, channels, height, width = x.shape
    x = x.view(batch, groups, channels // groups, height, width)
    return x.transpose(1, 2).contiguous().view(batch, -1, height, width)


def overwritten(x):
    x = x.clone()
    x[:, 1:3] = x[:, :2] * 2
    x[:, :, ::3] += 1
    x[:] = x.flip(1)
    return x


def token(x):
    """A constant before the rows of each image, as a class token is."""
    first = torch.linspace(-1, 1, 6).double().reshape(1, 1, 6).expand(x.shape[0], -1, -1)
    return torch.cat([first, x.flatten(1, 2)], 1)


def zeros(x):
    """Channels of nothing around those of a shortcut."""
    none = torch.zeros(x.shape[0], 2, 3, 6, dtype=x.dtype)
    return torch.cat([none, x[:, :, ::2], torch.ones_like(x[:, :1, ::2]), x[:, :1, 1::2]], 1)


MOVED = {
    "pad token": Apply(token),
    "pad zeros": Apply(zeros),
    "pick overwritten": Apply(overwritten),
    "pick flip": Apply(lambda x: x.flip(-1, 1)),
    "pick roll": Apply(lambda x: x.roll((1, -2), (2, 3))),
    "pick index_select": Apply(lambda x: x.index_select(1, torch.tensor([2, 0]))),
    "pick index": Apply(lambda x: x[:, [3, 0, 0]]),
    "pick channel shuffle": Apply(nn.ChannelShuffle(2)),
    "pick repeat": Apply(lambda x: x.repeat(1, 2, 1, 3)),
    "permute channel shuffle": Apply(shuffled),
    "pixel_shuffle": Apply(nn.PixelShuffle(2)),
    "pixel_unshuffle": Apply(nn.PixelUnshuffle(3)),
    "expand": Apply(lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 5, 6)),
    "expand as": Apply(lambda x: x[:, :1].expand_as(x)),
    "stack": Bend(lambda a, b: torch.stack([a, b], 2)),
    "stack last": Bend(lambda a, b: torch.stack([a, b], -1)),
    "reshape unbind": Apply(lambda x: x.unbind(1)[2] - x.unbind(-1)[0].mean(1, keepdim=True)),
    "upsample nearest": Apply(nn.Upsample(scale_factor=2)),
    "upsample nearest-exact": Apply(nn.Upsample(scale_factor=1.5, mode="nearest-exact")),
    "upsample linear": (nn.Upsample(scale_factor=2, mode="linear"), (2, 6)),
    "upsample bilinear": Apply(nn.Upsample(scale_factor=2, mode="bilinear")),
    "upsample bilinear, smaller": Apply(lambda x: F.interpolate(x, size=(4, 5), mode="bilinear")),
    "upsample corners": Apply(nn.Upsample(scale_factor=3, mode="bilinear", align_corners=True)),
    "upsample trilinear": (nn.Upsample(scale_factor=2, mode="trilinear"), (2, 3, 3, 3)),
    "upsample bicubic": Apply(nn.Upsample(scale_factor=2, mode="bicubic")),
}  # fmt: skip
moved, moves = table(MOVED)


@moved
def test_values_that_move_are_affine(case):
    assert moves().error(case) <= LIMIT_64
    assert list(MOVED)[case].split()[0] in moves().ops(case)
    assert not any(node.is_site for node in moves().nodes(case))
