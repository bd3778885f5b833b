"""`isospike audit`: where the error is, and which knob answers it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from isospike.cli.model import load_model, spiking
from isospike.cli.options import DataOpt, check_folder, show
from isospike.data.spec import load as load_data
from isospike.files import atomic_write
from isospike.measure.audit import audit


def command(
    file: Annotated[str, typer.Argument(help="FILE.iso")],
    data: DataOpt,
    size: Annotated[int, typer.Option(help="test images at most")] = 512,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Split the conversion error of FILE.iso by site and kind."""
    check_folder(json_file)
    network = spiking(load_model(file))
    images = load_data(data, "test").take(size)
    x, labels = next(images.batches(images.n))
    result = audit(network, x, labels)
    show(result)
    if json_file is not None:
        atomic_write(json_file, json.dumps(result.to_json(), indent=1).encode())
