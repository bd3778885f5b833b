"""Point, colour and histogram operations on batches of 8-bit images, each with its own magnitude.

images: uint8 [B, C, H, W], C = 1 (grey) or 3 (RGB); threshold, bits, factor: [B]. Every function
returns a new batch, and an image's result depends on that image alone. The values are Pillow's
(ImageOps, ImageEnhance) with its roundings, so that a published recipe means the same here.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def invert(images: Tensor) -> Tensor:
    """255 - x."""
    return 255 - images


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """x where x < threshold, else 255 - x; threshold in 0..255."""
    limit = threshold.ceil().to(torch.uint8)
    return torch.where(images < _each(limit), images, 255 - images)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """The highest `bits` bits of x, rounded to 1..8."""
    return images & _each(256 - 2 ** (8 - bits.round())).to(torch.uint8)


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """factor x."""
    return _blend(images.new_zeros(1), images, factor)


def color(images: Tensor, factor: Tensor) -> Tensor:
    """g + factor (x - g), g the image in grey; the identity on grey images."""
    return _blend(_grey(images), images, factor)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """m + factor (x - m), m the mean of the image in grey, rounded."""
    grey = _grey(images).flatten(1)
    count = grey.shape[1]
    mean = (2 * grey.sum(1) + count) // (2 * count)
    return _blend(_each(mean), images, factor)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """s + factor (x - s), s = x smoothed by [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13, rounded;
    the outermost pixels stay."""
    x = images.int()
    rows = x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]
    around = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    smooth = (2 * (around + 4 * x[..., 1:-1, 1:-1]) + 13) // 26
    border = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    x[border] = smooth
    return _blend(x, images, factor)


def autocontrast(images: Tensor) -> Tensor:
    """(x - lo) 255 / (hi - lo), cut to whole numbers; lo, hi: the channel's extremes. A channel of
    one value stays."""
    rows = _rows(images)
    lo, hi = (extreme.double()[:, None] for extreme in rows.aminmax(dim=1))
    values = torch.arange(256.0, dtype=torch.float64, device=images.device).expand(len(rows), 256)
    # `255 / tensor` would be a reciprocal times 255: one rounding more than Pillow's.
    scale = torch.full_like(hi, 255) / (hi - lo).clamp(min=1)
    table = (values * scale + -lo * scale).clamp(0, 255)
    return _look_up(images, torch.where(hi > lo, table, values))


def equalize(images: Tensor) -> Tensor:
    """(step // 2 + number of the channel's pixels below x) // step, at most 255, with step =
    (pixels - those of the highest value) // 255. A channel with step 0 stays."""
    rows = _rows(images).long()
    offsets = 256 * torch.arange(len(rows), device=images.device)[:, None]
    counts = torch.bincount((rows + offsets).flatten(), minlength=256 * len(rows)).view(-1, 256)
    highest = counts.gather(1, rows.amax(1, keepdim=True))
    step = (rows.shape[1] - highest) // 255
    below = F.pad(counts.cumsum(1)[:, :-1], (1, 0))
    table = ((step // 2 + below) // step.clamp(min=1)).clamp(max=255)
    return _look_up(images, torch.where(step > 0, table, torch.arange(256, device=images.device)))


def _grey(images: Tensor) -> Tensor:
    """ITU-R 601 luma in 16-bit fixed point, [B, 1, H, W]."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.int().split(1, dim=1)
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).to(torch.uint8)


def _blend(base: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    base = base.float()
    mixed = (images.float() - base).mul_(_each(factor.float())).add_(base)
    return mixed.clamp_(0, 255).to(torch.uint8)


def _each(numbers: Tensor) -> Tensor:
    return numbers[:, None, None, None]


def _rows(images: Tensor) -> Tensor:
    return images.flatten(2).flatten(0, 1)  # [B * C, H * W]


def _look_up(images: Tensor, table: Tensor) -> Tensor:
    """x -> table[channel, x], the table [B * C, 256] cut to whole numbers."""
    return table.to(torch.uint8).gather(1, _rows(images).long()).view(images.shape)
