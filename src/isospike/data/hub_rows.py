"""One split of a Hugging Face data set as tensors: its columns by type, its labels, its images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from isospike.data.decode import Crop, decode, head
from isospike.data.hub_splits import reading
from isospike.data.stored import Images, beyond_memory, common_shape, images_from
from isospike.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset


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


def images_of(rows: Dataset, column: str, crop: Crop | None, where: str) -> Images:
    """Images [N, C, H, W] uint8, C = 1 where all are grey; headers are read before any pixel, but
    not those of a set that is too large to hold whatever they say (stored.py).

    Raises DataError for images of several sizes without a crop, and for what is not stored or not
    readable, by its number.
    """
    from datasets import Image

    stored = rows.select_columns([column]).cast_column(column, Image(decode=False))

    def source(number: int) -> tuple[bytes | Path, str]:
        """An image as it is stored, and the name it has in messages."""
        name = f"{where}, image {number}"
        with reading(name):
            found = _source(stored[number][column] or {})
        if found is None:
            raise DataError(f"{name}: no image is stored.")
        return found, name

    if crop is not None and beyond_memory(len(stored), crop):
        shape = (3, crop.size, crop.size)
    else:
        heads = (head(*source(number)) for number in range(len(stored)))
        shape = common_shape(heads, "image {}".format, crop, where)
    return images_from(lambda n: decode(*source(n), shape[0], crop), len(stored), shape)


def _source(entry: dict) -> bytes | Path | None:
    """The bytes of an image, or its file where a data set of the hub is an image folder."""
    if entry.get("bytes") is not None:
        return entry["bytes"]
    path = Path(entry.get("path") or "")
    return path if path.is_file() else None
