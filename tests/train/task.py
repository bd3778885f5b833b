"""A task that a small network learns in seconds: which half of the image is brighter."""

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant


def task(count: int = 256) -> tuple[Tensor, Tensor]:
    """uint8 images [N, 1, 8, 8] and labels [N]."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 1, 8, 8, generator=generator) * 0.5
    labels = torch.arange(count) % 2
    images[labels == 1, :, 4:] += 0.4
    return (images * 255).to(torch.uint8), labels


def net(norm: bool = True, levels: int | None = 4, measured: bool = False) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4) if norm else nn.Identity(),
        ClipQuant(2.0, levels, measured=measured), nn.Flatten(), nn.Linear(4 * 36, 2),
    )  # fmt: skip
