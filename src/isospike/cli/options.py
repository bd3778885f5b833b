"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from isospike.data.images import ImageSet
from isospike.data.spec import load as load_data
from isospike.errors import UsageError
from isospike.processes import rank
from isospike.report.text import visible

ModelArg = Annotated[
    str,
    typer.Argument(
        help="zoo:NAME, timm:NAME, hf:NAME, FILE.py:FUNCTION, FILE.pt2, FILE.onnx, FILE.iso or "
        "DIR/model.safetensors of a training run"
    ),
]
DataOpt = Annotated[
    str,
    typer.Option(
        "--data",
        help="fashion-sample, idx:DIR, npz:FILE, folder:DIR, cifar10:DIR, cifar100:DIR or hub:NAME",
    ),
]
WeightsOpt = Annotated[
    Path | None, typer.Option(help="weights of FILE.py:FUNCTION, timm:NAME or hf:NAME")
]
NormalizeOpt = Annotated[str | None, typer.Option(help="MEAN,...:STD,... per channel")]
CalibrationOpt = Annotated[
    str | None, typer.Option(help="calibration images; default: the training split of --data")
]
SizeOpt = Annotated[int, typer.Option(help="calibration images at most")]
SetOpt = Annotated[
    list[str] | None, typer.Option("--set", help="part.knob=value of the recipe; repeatable")
]

KeepOpt = Annotated[
    list[str] | None,
    typer.Option(help="site or function that stays analogue: '*.se.*', gelu; repeatable"),
]


def parse_steps(text: str) -> list[int]:
    """`1,2,4`"""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"--steps {text!r}: whole numbers with commas between them") from None


def parse_shares(text: str) -> list[float]:
    """`0.9,0.99`"""
    try:
        return [float(word) for word in text.split(",") if word]
    except ValueError:
        raise UsageError(f"--confidence {text!r}: shares with commas between them") from None


def parse_settings(pairs: list[str] | None, form: str = "part.knob=value") -> dict[str, str]:
    settings = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair!r}: expected {form}")
        settings[key.strip()] = value.strip()
    return settings


def calibration_images(data: str, calibration: str | None, size: int) -> ImageSet:
    """Of the training split of --calibration or --data; never the test split."""
    return load_data(calibration or data, "train").draw(size)


def check_folder(*files: Path | None) -> None:
    """UsageError for a file in a folder that is not there, before any work."""
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise UsageError(f"{file}: no such folder as {file.absolute().parent}")


def show(text: object, file: TextIO | None = None) -> None:
    """Print it line by line, control characters as escapes: names in it may come from a file."""
    for line in str(text).splitlines():
        print(visible(line), file=file)


def speaks() -> bool:
    """Of several processes that were launched together, is this the one that draws and prints?"""
    return rank() == 0 and os.environ.get("RANK", "0") == "0"


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A function (what, done, total) that draws a bar on stderr; nothing in a pipe, and of several
    processes only the first draws. After its end, or further back, a stage begins of its own."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not speaks() or not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def update(what: str, done: int, total: int) -> None:
            if bar.tasks[0].finished or done < bar.tasks[0].completed:
                # A task that has ended stays ended, with no time left, unless its total changes.
                bar.reset(task)
            bar.update(task, description=what, completed=done, total=total)

        yield update
