"""One job at a time in a folder: two would write over each other's epochs.

The kernel holds the lock for the process (flock), so a job that is killed leaves none behind. Its
empty file DIR/.lock stays: were it removed, two jobs could each lock a file of that name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from isospike.errors import UsageError

FILE = ".lock"


@contextmanager
def alone(out: Path, accelerator: Accelerator) -> Iterator[None]:
    """DIR, made where it is missing, is this run's inside the block; its first process takes it for
    all. UsageError in all where another job has it or nothing can be written there."""
    lock = FileLock(out / FILE)
    told = [_taken(lock, out) if accelerator.is_main_process else None]
    try:
        if (why := broadcast_object_list(told)[0]) is not None:
            raise UsageError(why)
        yield
    finally:
        lock.release()


def _taken(lock: FileLock, out: Path) -> str | None:
    """Take the lock; returns why it cannot be had."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        with tempfile.TemporaryFile(dir=out):
            return None
    except Timeout:
        return f"another process trains in {out}: wait for its end, or give another --out"
    except OSError as error:
        return f"{out} cannot hold a run ({error}): give another --out"
