"""`isospike evaluate`: accuracy, latency, spikes and energy against T."""

from __future__ import annotations

import json
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
    parse_shares,
    parse_steps,
    progress_bar,
    show,
)  # fmt: skip
from isospike.data.spec import load as load_data
from isospike.errors import Interrupted, UsageError
from isospike.evaluate import evaluate
from isospike.evaluation import Evaluation
from isospike.files import atomic_write
from isospike.network import SpikingNetwork
from isospike.processes import rank, sharded
from isospike.report import html


def command(
    model: ModelArg,
    data: DataOpt,
    recipe: Annotated[list[str] | None, typer.Option(help="repeatable; default iso")] = None,
    steps: Annotated[str, typer.Option()] = "1,2,4,8,16,32",
    settings: SetOpt = None,
    keep: KeepOpt = None,
    confidence: Annotated[
        str, typer.Option(help="0.9,0.99: a row each, images leave once that sure")
    ] = "",
    weights: WeightsOpt = None,
    normalize: NormalizeOpt = None,
    calibration: CalibrationOpt = None,
    calibration_size: SizeOpt = 1024,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
    report: Annotated[Path | None, typer.Option(help="an HTML page")] = None,
) -> None:
    """Evaluate FILE.iso, or convert MODEL in memory by each recipe and evaluate that.

    Ctrl-C shows the rows so far. Started by torchrun or accelerate launch, the processes share the
    work and the first one tells.
    """
    check_folder(json_file, report)
    loaded = load_model(model, weights, normalize)
    test = load_data(data, "test")
    wanted, shares = parse_steps(steps), parse_shares(confidence)
    first = True
    try:
        with sharded(), progress_bar() as progress:
            first = rank() == 0
            if isinstance(loaded.model, SpikingNetwork):
                if recipe or settings or keep or calibration:
                    words = "no --recipe, --set, --keep or --calibration"
                    raise UsageError(f"{model} is converted: {words}")
                result = evaluate(
                    loaded.model, test, wanted, name=model, progress=progress, confidence=shares
                )
            else:
                images = calibration_images(data, calibration, calibration_size)
                result = evaluate(
                    loaded.model, test, wanted, recipe or ["iso"], images,
                    parse_settings(settings), model, progress, keep or (), shares,
                )  # fmt: skip
        code = 0
    except Interrupted as stop:
        result, code = stop.found, 130
    if first:
        tell(result, json_file, report)
    raise typer.Exit(code)


def tell(result: Evaluation, json_file: Path | None, report: Path | None) -> None:
    """The table, and the files that were asked for."""
    show(result)
    if json_file is not None:
        text = json.dumps(result.to_json(), indent=1)
        atomic_write(json_file, text.encode())
    if report is not None:
        html.write(result.to_json(), report)
        print(f"report: {report}")
