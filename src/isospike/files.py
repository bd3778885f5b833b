"""Files that are whole or absent: writing is atomic, reading checks before it believes."""

from __future__ import annotations

import json
import os
import struct
import tempfile
from pathlib import Path
from typing import Any


def atomic_write(path: Path, data: bytes) -> None:
    """Write beside the target, flush to disk, then rename; an error leaves the old file intact."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files only their owner can read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def json_once(text: str | bytes) -> Any:
    """JSON in which no object has a key twice: readers differ in which of the two they take."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"the key {twice[:100]!r} stands there twice")
        return found

    return json.loads(text, object_pairs_hook=unique)


def safetensors_header(path: Path) -> dict[str, Any]:
    """The header of a file that the library has opened: it lets a name stand there twice."""
    with Path(path).open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json_once(file.read(length))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
