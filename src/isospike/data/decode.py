"""Images that are held encoded (PNG or JPEG), one at a time, as tensors. Needs Pillow."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from isospike.errors import DataError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

_GREY, _COLOUR = {"1", "L"}, {"P", "PA", "LA", "RGB", "RGBA", "CMYK", "YCbCr"}
# What Pillow raises on damaged files.
_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, OverflowError, MemoryError,
    struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Crop:
    """Scale the short side to `short` pixels, then keep `size` x `size` in the middle.

    Both in one bilinear step with antialiasing, so that a long narrow image is never held scaled.
    """

    size: int
    short: int

    def __post_init__(self) -> None:
        if not 1 <= self.size <= self.short:
            raise UsageError(
                f"images cut to {self.size} of a short side of {self.short}: at least 1 pixel, and "
                "no more than the short side."
            )

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the kept square in pixels of the original."""
        side = min(width, height) * self.size / self.short
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side


def with_crop(text: str) -> tuple[str, Crop | None]:
    """`PLACE@SIZE` or `PLACE@SIZE/SHORT`: the place, and the crop where one is asked for."""
    found = re.fullmatch(r"(.+)@(\d{1,5})(?:/(\d{1,5}))?", text)
    if found is None or Path(text).is_dir():
        return text, None
    return found[1], Crop(int(found[2]), int(found[3] or found[2]))


def head(source: bytes | Path, where: str) -> tuple[int, int, int]:
    """(C, H, W) from the header alone, C = 1 for grey, else 3; DataError that names `where`."""
    with _opened(source, where) as image:
        return 1 if image.mode in _GREY else 3, image.height, image.width


def decode(source: bytes | Path, where: str, channels: int, crop: Crop | None = None) -> Tensor:
    """One image as uint8 [channels, H, W]; transparency and EXIF rotation are dropped."""
    with _opened(source, where) as image:
        pixels = image.convert("L" if channels == 1 else "RGB")
        if crop is not None:
            box = crop.box(*pixels.size)
            pixels = pixels.resize((crop.size, crop.size), _bilinear(), box)
        array = np.array(pixels)
    return torch.from_numpy(array.reshape(*array.shape[:2], channels)).permute(2, 0, 1)


def _bilinear() -> int:
    from PIL.Image import Resampling

    return Resampling.BILINEAR


@contextmanager
def _opened(source: bytes | Path, where: str) -> Iterator[Image]:
    try:
        from PIL import Image
    except ImportError:
        raise DataError("reading images needs Pillow: pip install isospike[images]") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Above 90 million pixels Pillow warns, above twice that it refuses; refuse at once.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=("PNG", "JPEG")) as image:
                if image.mode not in _GREY | _COLOUR:  # 16 bits would be cut to white, silently
                    raise DataError(f"{where}: pixel type {image.mode}; 8 bits a channel are read.")
                yield image
    except (*_ERRORS, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{where}: not a readable PNG or JPEG: {reason}") from error
