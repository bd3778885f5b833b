"""CIFAR-10 and CIFAR-100 in their own binary version; the Python version is pickle and is refused.

    CIFAR-10     cifar-10-batches-bin/   data_batch_1.bin ... data_batch_5.bin, test_batch.bin
    CIFAR-100    cifar-100-binary/       train.bin, test.bin
A file is records end to end: the label byte (CIFAR-100: the coarse, then the fine label), then 3072
pixels, the planes R, G, B one after the other, each row by row. Files of any number of records are
taken, plain or .gz. Tested on small files of this layout; the published files were not at hand.
Source: A. Krizhevsky, "The CIFAR-10 dataset", section "Binary version".
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isospike.errors import DataError

_SHAPE = (3, 32, 32)
_PIXELS = 3072
_MAX_BYTES = 1 << 30  # of one split; the published files of both data sets are below 0.2 GB


@dataclass(frozen=True)
class _Version:
    folder: str
    pickled: str  # the folder of the Python version
    classes: tuple[int, ...]  # of each label byte; the last byte is the label
    files: dict[str, tuple[str, ...]]  # of each split, without .bin


_CIFAR10 = _Version(
    "cifar-10-batches-bin",
    "cifar-10-batches-py",
    (10,),
    {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)},
)
_CIFAR100 = _Version(
    "cifar-100-binary",
    "cifar-100-python",
    (20, 100),
    {"train": ("train",), "test": ("test",)},
)


def load_cifar10(folder: Path, split: str) -> tuple[Tensor, Tensor] | None:
    """Images [N, 3, 32, 32] uint8 and labels [N], 0 to 9; None where the split has no file.

    `folder` is cifar-10-batches-bin or its parent. Raises DataError, which lists every file of the
    split that is missing, cut, or has a label out of range.
    """
    return _load(_CIFAR10, folder, split)


def load_cifar100(folder: Path, split: str) -> tuple[Tensor, Tensor] | None:
    """Images [N, 3, 32, 32] uint8 and fine labels [N], 0 to 99; None and DataError as above.

    `folder` is cifar-100-binary or its parent.
    """
    return _load(_CIFAR100, folder, split)


def _load(version: _Version, folder: Path, split: str) -> tuple[Tensor, Tensor] | None:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder.")
    root = folder / version.folder if (folder / version.folder).is_dir() else folder
    files = {name: _find(root, name) for name in version.files[split]}
    if not any(files.values()):
        _refuse_pickles(version, folder, version.files[split])
        return None
    parts, problems = [], []
    for name, path in files.items():
        try:
            if path is None:
                raise DataError(f"{root / name}.bin: missing.")
            parts.append(_read(path, version.classes, _MAX_BYTES // len(files)))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n  ".join([f"{root}: no usable {split} split:", *problems]))
    images, labels = zip(*parts, strict=True)
    return torch.cat(images), torch.cat(labels)


def _find(root: Path, name: str) -> Path | None:
    paths = (root / f"{name}.bin", root / f"{name}.bin.gz")
    return next((path for path in paths if path.is_file()), None)


def _refuse_pickles(version: _Version, folder: Path, names: tuple[str, ...]) -> None:
    pickles = [folder / version.pickled, *(folder / name for name in names)]
    found = [path for path in pickles[:1] if path.is_dir()]
    found += [path for path in pickles[1:] if path.is_file()]
    if found:
        raise DataError(
            f"{found[0]}: the Python version of the data set is pickle, which can run code when it "
            f"is read, and is refused. Get the binary version, {version.folder}."
        )


def _read(path: Path, classes: tuple[int, ...], limit: int) -> tuple[Tensor, Tensor]:
    """Images [N, 3, 32, 32] uint8 and labels [N] long of one file."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            body = file.read(limit + 1)
    except (OSError, EOFError, ValueError, zlib.error, MemoryError) as error:
        raise DataError(f"{path}: cannot be read: {error or 'out of memory'}.") from error
    record = len(classes) + _PIXELS
    if len(body) > limit:
        raise DataError(f"{path}: more than {limit} bytes.")
    if not body or len(body) % record:
        raise DataError(f"{path}: {len(body)} bytes are not whole records of {record}; is it cut?")
    rows = np.frombuffer(body, np.uint8).reshape(-1, record)  # [N, labels + pixels]
    labels = rows[:, : len(classes)]
    wrong = np.argwhere(labels >= classes)
    if len(wrong):
        at, which = wrong[0]
        raise DataError(
            f"{path}: {len(wrong)} labels out of range, the first in record {at}: "
            f"{labels[at, which]}, above {classes[which] - 1}."
        )
    images = torch.from_numpy(rows[:, len(classes) :].copy()).reshape(-1, *_SHAPE)
    return images, torch.from_numpy(labels[:, -1].astype(np.int64))
