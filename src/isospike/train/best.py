"""The network of the best epoch so far, in a file of its own: best-0007.safetensors.

Which epoch that is, the history of the newest checkpoint says. A file of a later epoch is what an
attempt left that was cut off before its checkpoint: done again, the epoch may come out otherwise
(on a GPU, or on another number of processes), so it never counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from isospike.errors import FormatError
from isospike.train.checkpoint import KEPT, read_facts, write_tensors

Row = Mapping[str, Any]  # an epoch of the history
OLDER = "best.safetensors"  # one name for every epoch, as runs were written before


def rank(row: Row) -> tuple[int, int]:
    """What is compared between epochs: right answers of the spiking network, then of the ANN."""
    return row["selects"], row["correct"]["ann"]


def best(history: Sequence[Row], select_steps: int) -> int:
    """The epoch that counts: the one of the highest rank, the later of equal ones; the last where
    no T selects."""
    rows = history if select_steps else history[-1:]
    return max(reversed(rows), key=rank)["epoch"]


def write(folder: Path, epoch: int, tensors: Mapping[str, Tensor], facts: Row) -> None:
    write_tensors(_named(folder, epoch), tensors, {**facts, "epoch": epoch})


def find(folder: Path, history: Sequence[Row], select_steps: int) -> Path:
    """The file that counts; FormatError where it is gone."""
    epoch = best(history, select_steps)
    for path in (_named(folder, epoch), folder / OLDER):
        if path.exists() and read_facts(path).get("epoch") == epoch:
            return path
    raise FormatError(
        f"{folder}: the network of epoch {epoch}, the best so far, is gone: delete {folder} to "
        "train from the start"
    )


def remove_others(folder: Path, history: Sequence[Row], select_steps: int) -> None:
    """All but those that count by a checkpoint that is kept."""
    count = len(history)
    past = [history[:end] for end in range(max(1, count - KEPT + 1), count + 1)]
    kept = {_named(folder, best(rows, select_steps)) for rows in past}
    for path in set(folder.glob("best-*.safetensors")) - kept:
        path.unlink(missing_ok=True)


def _named(folder: Path, epoch: int) -> Path:
    return folder / f"best-{epoch:04d}.safetensors"
