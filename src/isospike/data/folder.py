"""A folder of images, one sub-folder a class. The only file that needs Pillow.

DIR/train/CLASS/*.png    DIR/test/CLASS/*.png (or DIR/val/...)    or DIR/CLASS/*.png, a test split
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isospike.errors import DataError

_ENDINGS = {".png", ".jpg", ".jpeg"}
_GREY, _COLOUR = {"1", "L"}, {"P", "PA", "LA", "RGB", "RGBA", "CMYK", "YCbCr"}
_MAX_BYTES = 4 << 30
_SHOWN = 3

Entry = tuple[Path, int]  # file, class number


def load_folder(folder: Path, split: str) -> tuple[Tensor, Tensor] | None:
    """Images [N, C, H, W] uint8 and labels [N] of one split; None where the split is missing.

    Classes are numbered in sorted order of the training folder's names, files are read in sorted
    order. C is 1 where every image is grey and 3 otherwise; transparency is dropped. All files
    are listed and their headers read before the first is decoded. Raises DataError.
    """
    root = _split_root(folder, split)
    if root is None:
        return None
    names = _class_names(_split_root(folder, "train") or root)
    entries = _entries(root, names)
    channels, height, width = _common_shape([path for path, _ in entries])
    if len(entries) * channels * height * width > _MAX_BYTES:
        raise DataError(f"{root}: more than {_MAX_BYTES} bytes of images. Give a smaller folder.")
    images = torch.empty(len(entries), channels, height, width, dtype=torch.uint8)
    for index, (path, _) in enumerate(entries):
        images[index] = _decode(path, channels)
    return images, torch.tensor([label for _, label in entries])


def _split_root(folder: Path, split: str) -> Path | None:
    """The folder that holds the class folders of a split, or None."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder.")
    for name in {"train": ("train",), "test": ("test", "val")}[split]:
        if (folder / name).is_dir():
            return folder / name
    # Without any split folder the classes stand directly in `folder`: that is a test split, since
    # images that a result is measured on must never be taken for calibration by accident.
    plain = not any((folder / name).is_dir() for name in ("train", "test", "val"))
    return folder if plain and split == "test" else None


def _class_names(root: Path) -> list[str]:
    return sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _entries(root: Path, names: list[str]) -> list[Entry]:
    extra = sorted(set(_class_names(root)) - set(names))
    if extra:
        raise DataError(f"{root}: classes {extra[:_SHOWN]} do not exist in the training folder.")
    entries = [
        (path, label)
        for label, name in enumerate(names)
        if (root / name).is_dir()
        for path in sorted((root / name).iterdir())
        if path.suffix.lower() in _ENDINGS
    ]
    if not entries:
        raise DataError(f"{root}: no image CLASS/*.png or *.jpg in any of {len(names)} classes.")
    return entries


def _common_shape(paths: list[Path]) -> tuple[int, int, int]:
    """(C, H, W) that all images share, from the headers alone; DataError listing the odd ones."""
    heads = {path: _open(path)[:2] for path in paths}
    size = heads[paths[0]][0]
    odd = [path for path in paths if heads[path][0] != size]
    if odd:
        shown = ", ".join(f"{p} is {heads[p][0][0]}x{heads[p][0][1]}" for p in odd[:_SHOWN])
        raise DataError(
            f"{len(odd)} of {len(paths)} images differ in size from {paths[0]} "
            f"({size[0]}x{size[1]}): {shown}. Resize them to one size first."
        )
    grey = all(mode in _GREY for _, mode in heads.values())
    return 1 if grey else 3, size[1], size[0]


def _decode(path: Path, channels: int) -> Tensor:
    """One image as uint8 [C, H, W]."""
    array = _open(path, "L" if channels == 1 else "RGB")[2]
    return torch.from_numpy(array.reshape(*array.shape[:2], channels)).permute(2, 0, 1)


def _open(path: Path, mode: str = "") -> tuple[tuple[int, int], str, np.ndarray]:
    """(width, height), mode and, where a mode is asked for, the pixels [H, W] or [H, W, 3]."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError("reading image files needs Pillow: pip install isospike[images]") from None
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            if image.mode not in _GREY | _COLOUR:  # 16-bit values would be cut to white, silently
                raise DataError(f"{path}: pixel type {image.mode}; save it with 8 bits a channel.")
            pixels = np.array(image.convert(mode)) if mode else np.empty(0)
            return image.size, image.mode, pixels
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable PNG or JPEG: {error}") from error
