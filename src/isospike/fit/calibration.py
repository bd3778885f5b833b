"""Calibration images in one canonical order: loader order and batch split change nothing."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isospike.data.loader import batches_of
from isospike.processes import check_same

UNSCALED = 10.0  # mean size of a value above which images are told of
MICRO = 64  # every pass uses pieces of this size, the last one filled up: same kernels, same bits


@dataclass(frozen=True)
class Calibration:
    """images [N, ...] sorted by the hash of their content; sha256 over those hashes."""

    images: Tensor
    sha256: str

    @classmethod
    def collect(cls, calibration: Any, sample_shape: tuple[int, ...], dtype: torch.dtype):
        """From whatever the user gives (see data/loader.py); labels are dropped unseen.

        Several processes all hold all images: they are few, and the sweep over the sites, which
        each process makes alike, needs them whole.
        """
        batches = [x.to(dtype) for x, _ in batches_of(calibration, sample_shape)]
        images = torch.cat(batches).detach().cpu()
        _tell_unscaled(images)
        # As bytes: numpy has no bfloat16.
        raw = images.contiguous().view(torch.uint8)
        hashes = [hashlib.sha256(image.numpy().tobytes()).digest() for image in raw]
        order = sorted(range(len(hashes)), key=hashes.__getitem__)
        whole = hashlib.sha256(b"".join(hashes[i] for i in order)).hexdigest()
        check_same(int(whole[:15], 16), "calibration images")
        return cls(images[order], whole)

    def pieces(self, limit: int | None = None) -> Iterator[tuple[Tensor, int]]:
        """(images [MICRO, ...], how many of them count)."""
        images = self.images[:limit]
        for piece in images.split(MICRO):
            yield filled(piece), len(piece)


def _tell_unscaled(images: Tensor) -> None:
    """Pixels of 0 to 255 given as floats are usually a mistake; uint8 would have been divided."""
    sums = sum(float(part.abs().clamp(max=255).sum()) for part in images.split(MICRO))
    if sums > UNSCALED * images.numel():
        warnings.warn(
            f"calibration images look unscaled: mean {float(images.mean()):.3g}, largest "
            f"{float(images.max()):.3g}. Give them as in training: uint8, or floats of about 1.",
            stacklevel=3,
        )


def filled(piece: Tensor) -> Tensor:
    """The piece with its last row repeated up to MICRO rows."""
    missing = MICRO - len(piece)
    return (
        piece if missing == 0 else torch.cat([piece, piece[-1:].expand(missing, *piece.shape[1:])])
    )
