"""Hugging Face data sets: `hub:NAME`, `hub:OWNER/NAME`, or `hub:DIR` without a network.

    NAME     cifar10, cifar100, fashion-mnist, imagenet-1k, tiny-imagenet
    DIR      written by `save_to_disk`, or parquet files as a repository of the hub holds them
    @SIZE    short side scaled to SIZE, then SIZE x SIZE from the middle; @SIZE/SHORT scales the
             short side to SHORT (@224/256 is how ImageNet's results are commonly measured)

The test split is `test`, or the validation split where test has no labels (ImageNet,
Tiny-ImageNet). imagenet-1k needs its terms accepted on the hub and a login. Above 4 GiB of pixels
images are decoded batch by batch and never held whole (stored.py).
Tested on small data sets of the true layout; the downloads themselves were not run.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from torch import Tensor

from isospike.data.decode import with_crop
from isospike.data.hub_rows import columns_of, images_of, labels_of
from isospike.data.hub_splits import Splits, check_library, folder_splits, reading, remote_splits
from isospike.data.stored import Images
from isospike.errors import DataError, UsageError

_REPOSITORIES = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "fashion-mnist": "zalando-datasets/fashion_mnist",
    "imagenet-1k": "ILSVRC/imagenet-1k",
    "tiny-imagenet": "zh-plus/tiny-imagenet",
}
_NAMES = {"train": ("train",), "test": ("test", "validation", "valid", "val")}


def load_hub(place: Path, split: str) -> tuple[Images, Tensor] | None:
    """Images [N, C, H, W] uint8 and labels [N] of one split; None where the split is missing.

    The image column is the one of type Image, the labels are the ClassLabel column, of several the
    one with most classes (CIFAR-100: the fine labels). C is 1 where every image is grey, else 3.
    A name of the list above means the hub even beside a folder of that name: give that by its full
    path. Raises UsageError for an unknown name, DataError for data that cannot be used.
    """
    name, crop = with_crop(place.as_posix())
    splits = _splits(name)
    present = [part for part in _NAMES[split] if part in splits]
    for part in present:
        where = f"{name} ({part})"
        with reading(where):
            rows = splits[part]().with_format(None)
            rows.data.validate(full=True)  # damaged offsets in an Arrow file would end the process
            image, label = columns_of(rows, where)
            labels = labels_of(rows, label)
        if labels is not None:
            return images_of(rows, image, crop, where), labels
    if present:
        raise DataError(f"{name}: no labelled image in {', '.join(present)}. Give class labels.")
    return None


def _splits(name: str) -> Splits:
    if name in _REPOSITORIES:
        check_library()
        return remote_splits(_REPOSITORIES[name])
    if Path(name).is_dir():
        check_library()
        return folder_splits(Path(name))
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name, re.ASCII):
        check_library()
        return remote_splits(name)
    if "/" in name or name.startswith("."):
        raise DataError(f"{name}: no such folder.")
    near = difflib.get_close_matches(name, _REPOSITORIES, 1)
    hint = f" Did you mean hub:{near[0]}?" if near else ""
    known = ", ".join(_REPOSITORIES)
    raise UsageError(f"unknown data 'hub:{name}'; known: {known}, OWNER/NAME or a folder.{hint}")
