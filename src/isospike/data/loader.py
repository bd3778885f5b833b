"""What a user's calibration data may be, in one rule.

`calibration` is an `ImageSet`, one tensor or array [N, ...] of all images (split in 250s), or
anything that yields batches. A batch is
    images                  tensor or numpy array [B, ...]
    (images, labels, ...)   tuple or list: the first two; labels may be None
    {"image": images, ...}  with exactly one of the keys in IMAGE_KEYS, at most one of LABEL_KEYS
uint8 images are divided by 255, other floats become float32; anything else is a DataError.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from torch import Tensor

from isospike.data.check import as_tensor, check_images, check_labels, unit_range
from isospike.data.images import ImageSet
from isospike.errors import DataError

IMAGE_KEYS = ("image", "images", "x", "pixel_values", "input")
LABEL_KEYS = ("label", "labels", "y")
_BATCH = 250

Calibration = ImageSet | Tensor | np.ndarray | Iterable[object]


def batches_of(
    calibration: Calibration, sample_shape: Sequence[int] | None = None
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Checked batches: float32 images [B, ...] and labels [B] long or None.

    `sample_shape` is the shape of one image that the model takes; without it the first batch
    sets it. Raises DataError, naming the batch (counted from 0): wrong shape, unknown form, NaN
    or Inf, labels that do not fit, no batch at all. Batches of size 0 are skipped with a warning.
    """
    expected = None if sample_shape is None else tuple(sample_shape)
    seen = used = 0
    for seen, batch in enumerate(_batches(calibration), 1):
        where = f"calibration batch {seen - 1}"
        images, labels = _parts(batch, where)
        if images.dim() and len(images) == 0:
            warnings.warn(f"{where} has no images and is skipped", stacklevel=2)
            continue
        expected = _check_shape(images, expected, sample_shape is not None, where)
        if labels is not None:
            labels = check_labels(labels, len(images), where)
        used += 1
        yield unit_range(check_images(images, where)), labels
    if not used:
        empty = f", {seen} of size 0" if seen else ""
        raise DataError(
            f"calibration gave 0 batches with images{empty}. It is empty, or a generator that was "
            "used up before: give a list or a DataLoader, which can be read again."
        )


def _batches(calibration: Calibration) -> Iterable[object]:
    if isinstance(calibration, ImageSet):
        return calibration.batches(_BATCH)
    if isinstance(calibration, Tensor | np.ndarray):
        images = as_tensor(calibration)
        return images.split(_BATCH) if images.dim() and len(images) else ()
    if isinstance(calibration, Iterable) and not isinstance(calibration, str | bytes | Mapping):
        return calibration
    raise DataError(
        f"calibration is a {type(calibration).__name__}. Give images [N, C, H, W], a DataLoader, "
        "a list of batches, or data from isospike.data.spec.load(SPEC, 'train')."
    )


def _parts(batch: object, where: str) -> tuple[Tensor, Tensor | None]:
    """Images and labels of one batch, by the rule of this file's head."""
    images, labels = batch, None
    if isinstance(batch, Mapping):
        key = _one_key(batch, IMAGE_KEYS, where)
        if key is None:
            raise DataError(f"{where}: none of {list(IMAGE_KEYS)} among the keys {list(batch)}.")
        label_key = _one_key(batch, LABEL_KEYS, where)
        images, labels = batch[key], None if label_key is None else batch[label_key]
    elif isinstance(batch, Sequence) and not isinstance(batch, str | bytes) and batch:
        images, labels = batch[0], batch[1] if len(batch) > 1 else None
    if not isinstance(images, Tensor | np.ndarray):
        raise DataError(
            f"{where}: a {type(batch).__name__} whose images are a {type(images).__name__}. Give "
            f"a tensor or array, (images, labels), or a dict with one of {list(IMAGE_KEYS)}."
        )
    return as_tensor(images), _labels(labels, where)


def _one_key(batch: Mapping, known: Collection[str], where: str) -> str | None:
    found = [key for key in known if key in batch]
    if len(found) > 1:
        raise DataError(f"{where}: keys {found} could all be meant, of {list(batch)}. Give one.")
    return found[0] if found else None


def _labels(labels: object, where: str) -> Tensor | None:
    """Labels given as a tensor, an array or plain numbers."""
    if labels is None:
        return None
    try:
        return as_tensor(labels if isinstance(labels, Tensor) else np.asarray(labels))
    except (DataError, ValueError):
        kind = type(labels).__name__
        raise DataError(f"{where}: labels are a {kind}, not class numbers.") from None


def _check_shape(
    images: Tensor, expected: tuple[int, ...] | None, from_model: bool, where: str
) -> tuple[int, ...]:
    got = tuple(images.shape[1:])
    if images.dim() < 2 or 0 in got or (expected is not None and got != expected):
        want = "[B, C, H, W]"
        if expected is not None:
            source = "as the model takes" if from_model else "as in the batches before"
            want = f"[B, {', '.join(map(str, expected))}] {source}"
        raise DataError(f"{where}: images {list(images.shape)} instead of {want}.")
    return got
