"""Data sets by name: `fashion-sample`, `idx:DIR`, `npz:FILE`, `folder:DIR`, `cifar10:DIR`,
`cifar100:DIR`, `hub:NAME`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from isospike.data.cifar import load_cifar10, load_cifar100
from isospike.data.folder import load_folder
from isospike.data.hub import load_hub
from isospike.data.idx import load_idx
from isospike.data.images import ImageSet
from isospike.data.npz import load_npz
from isospike.data.stored import Images
from isospike.errors import DataError, UsageError

_SAMPLE = Path(__file__).with_name("fashion_sample.safetensors")
_SPLITS = ("train", "test")

Part = tuple[Images, Tensor | None] | None  # images, labels; None: the split is not there


@dataclass(frozen=True)
class _Kind:
    form: str  # how it is written
    read: Callable[[Path, str], Part]
    needs: dict[str, str]  # what a split consists of, for the message when it is missing


def load(spec: str, split: str, model_hint: Sequence[int] | None = None) -> ImageSet:
    """The images of one split, `train` or `test`.

    `model_hint` is the shape (C, H, W) that the model takes, where it is known: images of another
    shape are refused here, with both shapes, and not deep inside the model.
    Raises UsageError for an unknown kind of data or split, DataError for data that cannot be used.
    """
    if split not in _SPLITS:
        raise UsageError(f"unknown split {split!r}; known: {', '.join(_SPLITS)}")
    kind, place = _kind(spec)
    part = kind.read(Path(place), split)
    if part is None:
        raise DataError(f"{spec}: no {split} split ({kind.needs[split]}). {_WAY_OUT[split]}")
    found = ImageSet(spec, split, *part)
    if model_hint is not None and found.sample_shape != tuple(model_hint):
        raise DataError(
            f"{spec} ({split} split): images are {list(found.sample_shape)} "
            f"but the model takes {list(model_hint)} (channels, height, width)."
        )
    return found


def _kind(spec: str) -> tuple[_Kind, str]:
    """The kind of a spec and the place that it names; UsageError for an unknown kind."""
    name, colon, place = spec.partition(":")
    kind = _KINDS.get(name)
    if kind is not None and bool(place) == (":" in kind.form) == bool(colon):
        return kind, place
    known = ", ".join(kind.form for kind in _KINDS.values())
    near = difflib.get_close_matches(name, _KINDS, 1)
    if not colon and Path(spec).exists():  # a bare path: the most likely slip
        hint = f" Did you mean {'folder' if Path(spec).is_dir() else 'npz'}:{spec}?"
    else:
        hint = f" Did you mean {_KINDS[near[0]].form}?" if near else ""
    raise UsageError(f"unknown data {spec!r}; known: {known}.{hint}")


def _read_sample(_place: Path, split: str) -> Part:
    tensors = load_file(_SAMPLE)
    return tensors[f"{split}_images"], tensors[f"{split}_labels"]


def _read_idx(folder: Path, split: str) -> Part:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder.")
    return load_idx(folder, "train" if split == "train" else "t10k")


_WAY_OUT = {
    "train": "Training and calibration never use test images: take a data set that has a train "
    "split, to calibrate by --calibration SPEC (in Python: calibration=).",
    "test": "Pass --data SPEC with a data set that has one.",
}
_IDX_NEEDS = "{0}-images-idx3-ubyte and {0}-labels-idx1-ubyte, plain or .gz"
_KINDS = {
    "fashion-sample": _Kind("fashion-sample", _read_sample, {}),
    "idx": _Kind(
        "idx:DIR",
        _read_idx,
        {"train": _IDX_NEEDS.format("train"), "test": _IDX_NEEDS.format("t10k")},
    ),
    "npz": _Kind(
        "npz:FILE", load_npz, {"train": "x_train and y_train", "test": "x_test and y_test"}
    ),
    "folder": _Kind(
        "folder:DIR",
        load_folder,
        {
            "train": "DIR/train/CLASS/*.png or DIR/train/CLASS/images/*.JPEG",
            "test": "DIR/test/CLASS/*.png, DIR/val/CLASS/*.png or DIR/val/images/*.JPEG with "
            "DIR/val/val_annotations.txt",
        },
    ),
    "cifar10": _Kind(
        "cifar10:DIR",
        load_cifar10,
        {
            "train": "data_batch_1.bin to data_batch_5.bin of cifar-10-batches-bin, plain or .gz",
            "test": "test_batch.bin of cifar-10-batches-bin, plain or .gz",
        },
    ),
    "cifar100": _Kind(
        "cifar100:DIR",
        load_cifar100,
        {
            "train": "train.bin of cifar-100-binary, plain or .gz",
            "test": "test.bin of cifar-100-binary, plain or .gz",
        },
    ),
    "hub": _Kind("hub:NAME", load_hub, {"train": "train", "test": "test, validation or val"}),
}
