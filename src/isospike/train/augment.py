"""Random changes to whole batches of training images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isospike.errors import DataError, UsageError
from isospike.train.autoaugment import autoaugment
from isospike.train.share import ALL, Share


@dataclass(frozen=True)
class Augment:
    """What happens to training images, in this order: crop, flip, AutoAugment, cutout. The
    network normalises after that, so the hole of cutout is black; the code of QCFS and NQ
    normalises before cutout, and their hole is the mean colour.

    pad          largest shift of the crop, pixels; 0: none
    flip         left to right with probability 1/2
    cutout       side of the hole, pixels; 0: none
    autoaugment  the CIFAR-10 policy, see `autoaugment`
    Raises UsageError for a negative number.
    """

    pad: int = 4
    flip: bool = True
    cutout: int = 0
    autoaugment: bool = False

    def __post_init__(self) -> None:
        sizes = {"pad": self.pad, "cutout": self.cutout}
        wrong = [
            f"{name} must be 0 or more, got {size}" for name, size in sizes.items() if size < 0
        ]
        if wrong:
            raise UsageError("Augment: " + "; ".join(wrong))

    def __call__(self, images: Tensor, generator: torch.Generator, share: Share = ALL) -> Tensor:
        """Images [B, C, H, W] -> images of the same shape and type. The state of the generator (on
        the CPU) decides every bit; an image never depends on the pixels of another, and the images
        of a share become what they do in the whole batch."""
        if self.pad or self.flip:
            images = crop_flip(images, self.pad, generator, self.flip, share)
        if self.autoaugment:
            images = autoaugment(images, generator, share=share)
        return cutout(images, self.cutout, generator, share) if self.cutout else images


def crop_flip(
    images: Tensor, pad: int, generator: torch.Generator, flip: bool = True, share: Share = ALL
) -> Tensor:
    """Each image of [B, C, H, W] is shifted by up to `pad` pixels (zeros come in) and flipped
    left to right with probability 1/2. Without `flip` the shifts are the same."""
    (batch, _, height, width), whole = images.shape, share.whole(images)
    padded = F.pad(images, (pad, pad, pad, pad))
    shifts = torch.randint(0, 2 * pad + 1, (2, whole, 1), generator=generator)
    top, left = share.part(shifts, 1)
    columns = torch.arange(width).repeat(batch, 1)
    flipped = share.part(torch.rand(whole, 1, generator=generator) < 0.5) & flip
    columns = torch.where(flipped, width - 1 - columns, columns) + left
    rows = torch.arange(height) + top
    index = torch.arange(batch)[:, None, None]
    return padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Tensor, size: int, generator: torch.Generator, share: Share = ALL) -> Tensor:
    """One square hole of zeros per image of [B, C, H, W], its centre uniform over the pixels:
    rows [y - size // 2, y - size // 2 + size) and columns likewise, clipped at the borders.

    Source: DeVries & Taylor 2017 (arXiv:1708.04552); for an even size, their code's hole.
    Raises UsageError for a negative size, DataError for images of another rank.
    """
    if size < 0:
        raise UsageError(f"cutout: the size must be 0 or more, got {size}")
    if images.dim() != 4:
        raise DataError(f"cutout: images must be [B, C, H, W], got {list(images.shape)}")
    whole = share.whole(images)
    down, across = (share.part(_span(side, size, whole, generator)) for side in images.shape[2:])
    hole = down[:, None, :, None] & across[:, None, None, :]
    return images.masked_fill(hole.to(images.device), 0)


def _span(side: int, size: int, batch: int, generator: torch.Generator) -> Tensor:
    """Which of `side` places lie in the hole, [B, side]."""
    start = torch.randint(side, (batch, 1), generator=generator) - size // 2
    places = torch.arange(side)
    return (places >= start) & (places < start + size)
