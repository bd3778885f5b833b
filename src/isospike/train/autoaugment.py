"""AutoAugment on batches of tensors (Cubuk et al. 2018, arXiv:1805.09501)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isospike.errors import DataError
from isospike.train.policies import OPERATIONS, Policy, magnitudes, policy_of
from isospike.train.share import ALL, Share

_FLOATS = (torch.float16, torch.float32, torch.float64)


def autoaugment(
    images: Tensor,
    generator: torch.Generator,
    policy: str | Policy = "cifar10",
    share: Share = ALL,
) -> Tensor:
    """Each image goes through one sub-policy, drawn uniformly: its two operations one after the
    other, each with its own probability, sign and magnitude.

    images     [B, C, H, W], C = 1 or 3, on any device: uint8, or float in [0, 1], which is rounded
               to multiples of 1/255 where an operation applies and left bit for bit elsewhere
    generator  on the CPU; its state, B and the share alone decide what happens to which image
    policy     `cifar10`, or a table of sub-policies ((operation, probability, level), (...))
    share      what the images are of the batch that numbers are drawn for
    Returns new images of the same shape and type. The arithmetic is that of Pillow on 8-bit images
    (nearest pixel, black outside), the magnitudes are torchvision's.
    Raises DataError for other images, UsageError for an unknown or impossible policy.
    """
    table = policy_of(policy)
    _check(images)
    drawn = _draw(table, share.whole(images), images.shape[2:], generator)
    operation, magnitude = (share.part(numbers, 1) for numbers in drawn)
    exact = images.dtype == torch.uint8
    pixels = images.clone() if exact else images.float().mul(255).round_().to(torch.uint8)
    for turn in range(2):
        for place, known in enumerate(OPERATIONS.values()):
            index = (operation[turn] == place).nonzero().flatten()
            if len(index):
                strength = magnitude[turn, index].to(images.device)
                index = index.to(images.device)
                pixels[index] = known.apply(pixels[index], strength)
    if exact:
        return pixels
    touched = (operation >= 0).any(0).to(images.device)[:, None, None, None]
    return torch.where(touched, pixels.to(images.dtype) / 255, images)


def _draw(
    table: Policy, batch: int, size: Sequence[int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Per turn and image, [2, B]: the place in OPERATIONS, -1 where none applies, and the signed
    magnitude."""
    height, width = size
    names = list(OPERATIONS)
    graded = {name: magnitudes(name, height, width) for name in names}
    steps = [step for sub in table for step in sub]

    chosen = torch.randint(len(table), (batch,), generator=generator)

    def column(values: list, dtype: torch.dtype) -> Tensor:
        return torch.tensor(values, dtype=dtype).view(-1, 2).T[:, chosen]

    chance = torch.rand(2, batch, generator=generator, dtype=torch.float64)
    turned = torch.randint(2, (2, batch), generator=generator) == 0
    applied = chance < column([probability for _, probability, _ in steps], torch.float64)
    operation = column([names.index(name) for name, _, _ in steps], torch.int64)
    magnitude = column([graded[name][level or 0] for name, _, level in steps], torch.float64)
    negative = turned & column([OPERATIONS[name].signed for name, _, _ in steps], torch.bool)
    return operation.where(applied, -1), magnitude.where(~negative, -magnitude)


def _check(images: Tensor) -> None:
    problems = []
    if images.dim() != 4 or images.shape[1] not in (1, 3):
        problems.append(f"images must be [B, 1 or 3, H, W], got {list(images.shape)}")
    if images.dtype not in (torch.uint8, *_FLOATS):
        problems.append(f"images of type {images.dtype}: give uint8 or float16, 32 or 64")
    elif images.dtype != torch.uint8 and not ((images >= 0) & (images <= 1)).all():
        problems.append("float images must lie in [0, 1]: normalise after augmentation")
    if problems:
        raise DataError("autoaugment: " + "; ".join(problems))
