"""One split of a Hugging Face data set as tensors: its columns by type, its labels, its images."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from isospike.data.decode import Crop, decode, head
from isospike.data.hub_splits import reading
from isospike.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

_MAX_BYTES = 4 << 30
_SHOWN = 3

_Shape = tuple[int, int, int]


def columns_of(rows: Dataset, where: str) -> tuple[str, str | None]:
    """The image column and, where there is one, the label column; DataError where unclear."""
    from datasets import ClassLabel, Image

    images = [name for name, kind in rows.features.items() if isinstance(kind, Image)]
    if len(images) != 1:
        what = f"{len(images)} Image columns {images}" if images else "no Image column"
        raise DataError(f"{where}: {what} among {list(rows.features)}; exactly one is needed.")
    sizes = {
        name: len(kind.names or ())
        for name, kind in rows.features.items()
        if isinstance(kind, ClassLabel)
    }
    most = [name for name, size in sizes.items() if size == max(sizes.values())]
    if len(most) > 1:
        raise DataError(f"{where}: ClassLabel columns {most} have as many classes; keep one.")
    return images[0], most[0] if most else None


def labels_of(rows: Dataset, column: str | None) -> Tensor | None:
    """Class numbers [N]; None where no image has one (stored as -1 or empty)."""
    if column is None:
        return None
    labels = torch.tensor([-1 if label is None else label for label in rows[column]])
    return None if (labels == -1).all() else labels


def images_of(rows: Dataset, column: str, crop: Crop | None, where: str) -> Tensor:
    """Images [N, C, H, W] uint8, C = 1 where all are grey; headers are read before any pixel.

    Raises DataError for images of several sizes without a crop, for more than 4 GiB, and for what
    is not stored or not readable, by its number.
    """
    channels, height, width = _common_shape(rows, column, crop, where)
    size = len(rows) * channels * height * width
    if size > _MAX_BYTES:
        raise DataError(
            f"{where}: {size} bytes of images, more than {_MAX_BYTES}. Save a part of it with "
            "datasets' select(...) and save_to_disk(DIR), and give hub:DIR."
        )
    images = torch.empty(len(rows), channels, height, width, dtype=torch.uint8)
    for index, (source, name) in enumerate(_encoded(rows, column, where)):
        images[index] = decode(source, name, channels, crop)
    return images


def _common_shape(rows: Dataset, column: str, crop: Crop | None, where: str) -> _Shape:
    """(C, H, W) of all images once they are cropped, from the headers alone."""
    heads = [head(source, name) for source, name in _encoded(rows, column, where)]
    channels = max(shape[0] for shape in heads)
    if crop is not None:
        return channels, crop.size, crop.size
    _, height, width = heads[0]
    odd = (at for at, shape in enumerate(heads) if shape[1:] != (height, width))
    shown = ", ".join(f"image {at} is {heads[at][2]}x{heads[at][1]}" for at in islice(odd, _SHOWN))
    if shown:
        raise DataError(
            f"{where}: images of several sizes: the first is {width}x{height}, {shown}. Add @SIZE "
            "(as in hub:imagenet-1k@224): the short side is scaled to it, the middle is kept."
        )
    return channels, height, width


def _encoded(rows: Dataset, column: str, where: str) -> Iterator[tuple[bytes | Path, str]]:
    """Every image as it is stored, with the name it has in messages."""
    from datasets import Image

    stored = rows.select_columns([column]).cast_column(column, Image(decode=False))
    for index in range(len(stored)):
        name = f"{where}, image {index}"
        with reading(name):
            source = _source(stored[index][column] or {})
        if source is None:
            raise DataError(f"{name}: no image is stored.")
        yield source, name


def _source(entry: dict) -> bytes | Path | None:
    """The bytes of an image, or its file where a data set of the hub is an image folder."""
    if entry.get("bytes") is not None:
        return entry["bytes"]
    path = Path(entry.get("path") or "")
    return path if path.is_file() else None
