"""`isospike compare`: every recipe on one network, at equal latency and at equal SynOps."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from isospike.cli.model import load_model
from isospike.cli.options import (
    CalibrationOpt,
    DataOpt,
    KeepOpt,
    ModelArg,
    NormalizeOpt,
    SetOpt,
    SizeOpt,
    WeightsOpt,
    calibration_images,
    check_folder,
    parse_settings,
    parse_steps,
    progress_bar,
    show,
)  # fmt: skip
from isospike.comparison import Comparison, compare
from isospike.data.spec import load as load_data
from isospike.files import atomic_write
from isospike.report import comparison_page
from isospike.report.comparison_text import text


def command(
    model: ModelArg,
    data: DataOpt,
    recipes: Annotated[str, typer.Option(help="all, or names with commas between them")] = "all",
    steps: Annotated[str, typer.Option()] = "1,2,4,8,16,32,64",
    settings: SetOpt = None,
    keep: KeepOpt = None,
    images: Annotated[int | None, typer.Option(help="first test images; default: all")] = None,
    weights: WeightsOpt = None,
    normalize: NormalizeOpt = None,
    calibration: CalibrationOpt = None,
    calibration_size: SizeOpt = 1024,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="written again after every recipe")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="an HTML page")] = None,
) -> None:
    """Convert MODEL by every recipe and rank them. Ctrl-C keeps the recipes that are done. --set
    changes every recipe, and all must have what it names."""
    check_folder(json_file, report)
    loaded = load_model(model, weights, normalize)
    test = load_data(data, "test")
    test = test if images is None else test.take(images)
    names = None if recipes == "all" else [name.strip() for name in recipes.split(",")]
    kept = _Kept(json_file)
    try:
        with progress_bar() as progress:
            compare(
                loaded.model, test, parse_steps(steps), names,
                calibration_images(data, calibration, calibration_size), model, progress, kept,
                keep or (), parse_settings(settings),
            )  # fmt: skip
    except KeyboardInterrupt:
        kept.interrupted()
        kept.tell(report)
        raise typer.Exit(130) from None
    kept.tell(report)
    if kept.found is not None and kept.found.failed:
        show(f"failed by an error of the program: {', '.join(kept.found.failed)}")
        raise typer.Exit(1)


class _Kept:
    """What is done so far, in memory and in the --json file."""

    def __init__(self, file: Path | None) -> None:
        self.file, self.found = file, None

    def __call__(self, found: Comparison, recipe: str) -> None:
        self.found: Comparison | None = found
        self.write()
        if not sys.stderr.isatty():  # where no bar is drawn
            print(f"{recipe}: done, {len(found.evaluation.rows)} rows", file=sys.stderr)

    def write(self) -> None:
        if self.file is not None and self.found is not None:
            atomic_write(self.file, json.dumps(self.found.to_json(), indent=1).encode())

    def interrupted(self) -> None:
        if self.found is not None:
            ran = {row.recipe for row in self.found.evaluation.rows}
            self.found.interrupted = next((n for n in self.found.names if n not in ran), None)
            self.write()

    def tell(self, report: Path | None) -> None:
        if self.found is None:
            return
        facts = self.found.to_json()
        show(text(facts))
        if report is not None:
            comparison_page.write(facts, report)
            print(f"report: {report}")
