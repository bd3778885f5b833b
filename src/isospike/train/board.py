"""The epochs of a run for TensorBoard, where that is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from isospike.errors import UsageError

FOLDER = "tensorboard"


def board(folder: Path) -> Callable[[dict[str, Any]], None]:
    """A function for `Run.report` that writes each epoch into FOLDER/tensorboard: loss, validation
    accuracies (fractions) and sigmas. Nothing is written before the first epoch ends; a resumed run
    goes on in the same folder.

    UsageError where the package tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(f"--tensorboard: pip install tensorboard ({error})") from None
    writers: list[Any] = []

    def write(row: dict[str, Any]) -> None:
        if not writers:  # an epoch that was done twice, before and after a cut, counts once
            writers.append(SummaryWriter(str(folder / FOLDER), purge_step=row["epoch"]))
        for name, value in scalars(row).items():
            writers[0].add_scalar(name, value, row["epoch"])
        writers[0].flush()

    return write


def scalars(row: dict[str, Any]) -> dict[str, float]:
    """Name -> value of one epoch of the history."""
    found = {"loss": row["loss"]}
    for reading, right in row["correct"].items():
        name = reading if reading == "ann" else f"T={reading}"
        found[f"accuracy/{name}"] = right / row["of"]
    return found | {f"sigma/{path}": sigma for path, sigma in row.get("sigma", {}).items()}
