"""The checks that images and labels pass wherever they come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from isospike.errors import DataError


def as_tensor(value: Tensor | np.ndarray) -> Tensor:
    """A tensor as it is; an array as a tensor (copied only where torch needs that)."""
    if isinstance(value, Tensor):
        return value
    # torch cannot hold negative strides, foreign byte orders or read-only memory (it warns).
    native = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
    try:
        return torch.from_numpy(native if native.flags.writeable else native.copy())
    except TypeError:
        raise DataError(f"an array of {value.dtype} is neither images nor labels") from None


def check_images(images: Tensor, where: str) -> Tensor:
    """uint8 as it is, any float as float32; DataError for other types, for NaN or Inf and
    where there are no pixels."""
    if images.is_meta:
        raise DataError(f"{where}: images on the meta device, which holds no pixels.")
    if images.dtype == torch.uint8:
        return images
    if not images.is_floating_point():
        raise DataError(
            f"{where}: images of type {images.dtype}. Give uint8 (0 to 255) or a float type."
        )
    images = images.detach().float()
    if not torch.isfinite(images).all():
        bad = ~torch.isfinite(images)
        first = bad.nonzero()[0].tolist()
        raise DataError(f"{where}: {int(bad.sum())} values are NaN or Inf, the first at {first}.")
    return images


def check_channels(shape: Sequence[int], where: str) -> None:
    """DataError where images of this shape (C, H, W) look like [H, W, C]: the last size is a number
    of channels, and both others are larger."""
    if shape[-1] in (1, 3, 4) and shape[-1] < min(shape[:-1]):
        raise DataError(
            f"{where}: images of {list(shape)} look like [H, W, C], and [C, H, W] is read: store "
            "them as x.transpose(0, 3, 1, 2)"
        )


def check_labels(labels: Tensor, count: int, where: str) -> Tensor:
    """Class numbers [N] as long, from whole numbers [N] or [N, 1] of any type or one-hot [N, K]."""
    whole = labels.real.long() if labels.is_complex() else labels.long()
    if not (whole == labels).all():  # also NaN, Inf and what is beyond 64 bits
        raise DataError(f"{where}: labels are not whole numbers. Give class numbers 0, 1, 2, ...")
    if whole.dim() == 2 and whole.shape[1] > 1:
        if not (((whole == 0) | (whole == 1)).all() and (whole.sum(1) == 1).all()):
            raise DataError(f"{where}: labels {list(labels.shape)} are not one-hot rows.")
        whole = whole.argmax(1)
    if whole.dim() == 2:
        whole = whole.flatten()
    if whole.dim() != 1 or len(whole) != count:
        raise DataError(f"{where}: {count} images but labels of shape {list(labels.shape)}.")
    if count and int(whole.min()) < 0:
        raise DataError(f"{where}: label {int(whole.min())} is below 0; classes count from 0.")
    return whole


def unit_range(images: Tensor) -> Tensor:
    """Images as float32: uint8 divided by 255, floats as they are."""
    return images.float() / 255 if images.dtype == torch.uint8 else images
