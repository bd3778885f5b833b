"""`isospike convert`: a model in, a .iso file out."""

from __future__ import annotations

from dataclasses import replace
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
    progress_bar,
    show,
)  # fmt: skip
from isospike.convert import convert, plan
from isospike.network import SpikingNetwork
from isospike.processes import rank, sharded


def command(
    model: ModelArg,
    data: DataOpt,
    out: Annotated[Path, typer.Option(help="the .iso file to write")],
    recipe: Annotated[str, typer.Option()] = "iso",
    settings: SetOpt = None,
    keep: KeepOpt = None,
    steps: Annotated[int, typer.Option()] = 8,
    weights: WeightsOpt = None,
    normalize: NormalizeOpt = None,
    calibration: CalibrationOpt = None,
    calibration_size: SizeOpt = 1024,
) -> None:
    """Convert MODEL into a spiking network and save it.

    Started by torchrun or accelerate launch, processes share the statistics and the first saves.
    """
    check_folder(out)
    loaded = load_model(model, weights, normalize)
    images = calibration_images(data, calibration, calibration_size)
    example = next(images.batches(4))[0]
    with sharded():
        planned = plan(loaded.model, recipe, example, parse_settings(settings), keep or ())
        planned.check()
        first = rank() == 0
        if first:
            show(f"gate: {planned.gate}")
            for note in planned.notes:
                show(f"note: {note}")
        with progress_bar() as progress:
            network = convert(planned, images, steps, progress=progress)
    if first:
        remember(network, "normalize", loaded.normalize).save(out)
        show(f"{out}: {network.extra_repr()}")


def remember(network: SpikingNetwork, key: str, value: object) -> SpikingNetwork:
    """The network with one more fact in its provenance."""
    provenance = {**network.program.provenance, key: value}
    return SpikingNetwork(
        replace(network.program, provenance=provenance), network.steps, network.engine
    )
