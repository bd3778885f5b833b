"""A folder of images, one sub-folder a class; reading it needs Pillow.

DIR/train/CLASS/*.png    DIR/test/CLASS/*.png (or DIR/val/...)    or DIR/CLASS/*.png, a test split
DIR/train/CLASS/images/*.JPEG    DIR/val/images/*.JPEG, DIR/val/val_annotations.txt: Tiny-ImageNet's
DIR@SIZE, DIR@SIZE/SHORT    images cut to one size, as hub.py says
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from isospike.data.annotations import IMAGES, annotated, is_annotated
from isospike.data.decode import decode, head, with_crop
from isospike.data.stored import Images, beyond_memory, common_shape, images_from
from isospike.errors import DataError

_ENDINGS = {".png", ".jpg", ".jpeg"}
_UNREAD = {".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp"}
_SHOWN = 3

Entry = tuple[Path, int]  # file, class number


def load_folder(place: Path, split: str) -> tuple[Images, Tensor] | None:
    """Images [N, C, H, W] uint8 and labels [N] of one split; None where the split is missing.

    Classes are numbered in sorted order of the training folder's names, files are read in sorted
    order. C is 1 where every image is grey and 3 otherwise; transparency is dropped. All files
    are listed and their headers read before the first is decoded, and what is too large for memory
    is decoded batch by batch (stored.py). Raises DataError, also for a training class without an
    image and for images of other formats: what is there is read, or told of.
    """
    name, crop = with_crop(place.as_posix())
    folder = Path(name)
    root = _split_root(folder, split)
    if root is None:
        return None
    entries = _entries(root, _class_names(_split_root(folder, "train") or root))
    paths = [path for path, _ in entries]
    if crop is not None and beyond_memory(len(paths), crop):
        shape = (3, crop.size, crop.size)
    else:
        heads = (head(path, str(path)) for path in paths)
        shape = common_shape(heads, lambda at: str(paths[at]), crop, str(root))

    def read(number: int) -> Tensor:
        return decode(paths[number], str(paths[number]), shape[0], crop)

    return images_from(read, len(paths), shape), torch.tensor([label for _, label in entries])


def _split_root(folder: Path, split: str) -> Path | None:
    """The folder that holds the class folders of a split, or None."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder.")
    for name in {"train": ("train",), "test": ("test", "val")}[split]:
        if (folder / name).is_dir() and not (name == "test" and _without_labels(folder)):
            return folder / name
    # Without any split folder the classes stand directly in `folder`: that is a test split, since
    # images that a result is measured on must never be taken for calibration by accident.
    plain = not any((folder / name).is_dir() for name in ("train", "test", "val"))
    return folder if plain and split == "test" else None


def _without_labels(folder: Path) -> bool:
    """Is DIR/test that of ImageNet or Tiny-ImageNet: images alone, the labelled ones being in
    DIR/val?"""
    val = folder / "val"
    labelled = is_annotated(val) or (val.is_dir() and _folders(val))
    return bool(labelled) and _folders(folder / "test") in ([], [IMAGES])


def _class_names(root: Path) -> list[str]:
    if is_annotated(root):
        return sorted({name for _, name in annotated(root)})
    return _folders(root)


def _folders(root: Path) -> list[str]:
    return sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _entries(root: Path, names: list[str]) -> list[Entry]:
    extra = sorted(set(_class_names(root)) - set(names))
    if extra:
        raise DataError(f"{root}: classes {extra[:_SHOWN]} do not exist in the training folder.")
    if is_annotated(root):
        return [(path, names.index(name)) for path, name in annotated(root)]
    found = {name: _images_of(root / name) for name in names}
    entries = [(path, label) for label, name in enumerate(names) for path in found[name]]
    if not entries:
        raise DataError(
            f"{root}: no image CLASS/*.png or *.jpg in any of {len(names)} classes, nor "
            f"CLASS/{IMAGES}/*.JPEG as in Tiny-ImageNet."
        )
    empty = [name for name in names if not found[name]]
    if empty and root.name == "train":
        raise DataError(f"{root}: classes {empty[:_SHOWN]} hold no image; remove or fill them.")
    return entries


def _images_of(folder: Path) -> list[Path]:
    """The images of a class in sorted order: in its folder, or else in `images` below it."""
    for place in (folder, folder / IMAGES):
        if place.is_dir():
            files = sorted(path for path in place.iterdir() if not path.name.startswith("."))
            unread = [path.name for path in files if path.suffix.lower() in _UNREAD]
            if unread:
                raise DataError(
                    f"{place}: {len(unread)} images like {unread[0]} are of a format that is not "
                    "read: convert them to PNG or JPEG."
                )
            if found := [path for path in files if path.suffix.lower() in _ENDINGS]:
                return found
    return []
