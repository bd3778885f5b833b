"""Shears, shifts and turns of batches of 8-bit images, each with its own magnitude.

images: uint8 [B, C, H, W]; the magnitude: float64 [B]. Output pixel (x, y) takes the nearest input
pixel, black (0) outside the image:

    x' = a (x + 1/2) + b (y + 1/2) + c,  y' = d (x + 1/2) + e (y + 1/2) + f,  both rounded down

in 16.16 fixed point, as Pillow's Image.transform and Image.rotate compute it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def shear_x(images: Tensor, slope: Tensor) -> Tensor:
    """x' = x + slope y, from the upper left corner."""
    one, zero = _constants(slope)
    return _warp(images, (one, slope, zero), (zero, one, zero))


def shear_y(images: Tensor, slope: Tensor) -> Tensor:
    """y' = y + slope x, from the upper left corner."""
    one, zero = _constants(slope)
    return _warp(images, (one, zero, zero), (slope, one, zero))


def translate_x(images: Tensor, pixels: Tensor) -> Tensor:
    """To the right by the whole part of `pixels`."""
    one, zero = _constants(pixels)
    return _warp(images, (one, zero, -pixels.trunc()), (zero, one, zero))


def translate_y(images: Tensor, pixels: Tensor) -> Tensor:
    """Down by the whole part of `pixels`."""
    one, zero = _constants(pixels)
    return _warp(images, (one, zero, zero), (zero, one, -pixels.trunc()))


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Counterclockwise about the centre."""
    across, down = images.shape[3] / 2, images.shape[2] / 2
    cos, sin = torch.cos(torch.deg2rad(degrees)), torch.sin(torch.deg2rad(degrees))
    x = (cos, -sin, across - cos * across + sin * down)
    y = (sin, cos, down - sin * across - cos * down)
    return _warp(images, x, y)


def _constants(like: Tensor) -> tuple[Tensor, Tensor]:
    return torch.ones_like(like), torch.zeros_like(like)


Line = tuple[Tensor, Tensor, Tensor]  # a, b, c, each [B]


def _warp(images: Tensor, across: Line, down: Line) -> Tensor:
    channels, height, width = images.shape[1:]
    x, y = _source(across, height, width), _source(down, height, width)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = (y * width + x).where(inside, 0).flatten(1)[:, None].expand(-1, channels, -1)
    moved = images.flatten(2).gather(2, index).view(images.shape)
    return moved.masked_fill_(~inside[:, None], 0)


def _source(line: Line, height: int, width: int) -> Tensor:
    """Input coordinate of every output pixel, [B, H, W]."""
    a, b, c = line
    start, a, b = (
        (value * 65536 + 0.5).floor().long()[:, None, None] for value in (c + a / 2 + b / 2, a, b)
    )
    x = torch.arange(width, device=a.device)
    y = torch.arange(height, device=a.device)[:, None]
    return (start + a * x + b * y) >> 16
