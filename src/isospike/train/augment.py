"""Random crops and flips on whole batches of tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def crop_flip(images: Tensor, pad: int, generator: torch.Generator) -> Tensor:
    """Each image of [B, C, H, W] is shifted by up to `pad` pixels (zeros come in) and flipped
    left to right with probability 1/2."""
    batch, _, height, width = images.shape
    padded = F.pad(images, (pad, pad, pad, pad))
    top, left = torch.randint(0, 2 * pad + 1, (2, batch, 1), generator=generator)
    columns = torch.arange(width).repeat(batch, 1)
    flipped = torch.rand(batch, 1, generator=generator) < 0.5
    columns = torch.where(flipped, width - 1 - columns, columns) + left
    rows = torch.arange(height) + top
    index = torch.arange(batch)[:, None, None]
    return padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
