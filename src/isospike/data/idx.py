"""The IDX format of MNIST and Fashion-MNIST: magic 0x00000800 + rank, big-endian sizes, bytes.

Source: Y. LeCun, "The MNIST database", file format section.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isospike.errors import DataError

_MAX_BYTES = 4 << 30
_UINT8 = 0x08


def read_idx(path: Path) -> Tensor:
    """One IDX file of unsigned bytes, plain or .gz, as a uint8 tensor; DataError when malformed."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[0] or head[1] or head[2] != _UINT8:
                raise DataError(f"{path}: not an IDX file of unsigned bytes (starts {head.hex()})")
            sizes = np.frombuffer(file.read(4 * head[3]), ">u4")
            if len(sizes) != head[3] or math.prod(map(int, sizes)) > _MAX_BYTES:
                raise DataError(
                    f"{path}: sizes {sizes.tolist()} are cut or above {_MAX_BYTES} bytes"
                )
            count = math.prod(map(int, sizes))
            body = file.read(count + 1)
    except (OSError, EOFError, ValueError, zlib.error, MemoryError) as error:
        raise DataError(f"{path}: cannot be read: {error or 'out of memory'}") from error
    if len(body) != count:
        raise DataError(
            f"{path}: {count} bytes expected after the header, {len(body)} or more found"
        )
    return torch.from_numpy(np.frombuffer(body, np.uint8).copy()).reshape([int(s) for s in sizes])


def find_idx(folder: Path, prefix: str) -> tuple[Path, Path] | None:
    """The image and label file of one split (`train` or `t10k`), or None where they are missing."""
    found = []
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        names = [folder / f"{prefix}-{kind}{end}" for end in ("", ".gz")]
        present = [name for name in names if name.is_file()]
        if not present:
            return None
        found.append(present[0])
    return found[0], found[1]


def load_idx(folder: Path, prefix: str) -> tuple[Tensor, Tensor] | None:
    """Images [N, 1, H, W] uint8 and labels [N] of one split; None where the split is missing."""
    files = find_idx(folder, prefix)
    if files is None:
        return None
    images, labels = read_idx(files[0]), read_idx(files[1])
    if images.dim() != 3 or labels.dim() != 1 or len(images) != len(labels):
        raise DataError(
            f"{folder}: {prefix} images {list(images.shape)} do not match "
            f"labels {list(labels.shape)}"
        )
    return images.unsqueeze(1), labels.long()
