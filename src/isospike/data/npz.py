"""NumPy archives with `x_test`, `y_test` and, where there, `x_train`, `y_train`. No pickles."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from torch import Tensor

from isospike.data.check import as_tensor
from isospike.errors import DataError

_MAX_BYTES = 4 << 30
# What numpy raises on damaged or hostile files: pickled arrays, headers that claim terabytes,
# sizes that overflow, cut, corrupt or encrypted zip members.
_NPZ_ERRORS = (
    OSError, ValueError, EOFError, MemoryError, OverflowError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def load_npz(file: Path, split: str) -> tuple[Tensor, Tensor] | None:
    """Images and labels of one split as they are stored; None where both arrays are missing.

    Raises DataError for a file that is not such an archive, or with only one of the two arrays.
    """
    names = (f"x_{split}", f"y_{split}")
    try:
        # Opened here: np.load leaves a file that it opened itself open when it is damaged.
        with file.open("rb") as raw:
            archive = np.load(raw, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{file}: one array, not an .npz with {' and '.join(names)}.")
            with archive:
                return _read(archive, names)
    except KeyError as error:
        raise DataError(f"{file}: has one of {' and '.join(names)} but not {error}.") from error
    except _NPZ_ERRORS as error:
        raise DataError(f"{file}: not a readable .npz of plain arrays: {error}") from error


def _read(archive: np.lib.npyio.NpzFile, names: tuple[str, str]) -> tuple[Tensor, Tensor] | None:
    if not any(name in archive for name in names):
        return None
    # A deflated member can be a thousand times its size on disk: ask before unpacking.
    members = archive.zip.infolist() if archive.zip else []
    size = sum(m.file_size for m in members if m.filename.removesuffix(".npy") in names)
    if size > _MAX_BYTES:
        raise ValueError(f"{' and '.join(names)} are {size} bytes, above {_MAX_BYTES}")
    images, labels = (archive[name] for name in names)
    if not isinstance(images, np.ndarray) or not isinstance(labels, np.ndarray):
        # numpy hands out the raw bytes of a member that is no array
        raise ValueError(f"{' or '.join(names)} is not an array")
    return as_tensor(images), as_tensor(labels)
