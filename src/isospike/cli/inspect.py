"""`isospike inspect`: every site, every problem, before any work."""

from __future__ import annotations

from typing import Annotated

import torch
import typer

from isospike.cli.model import load_model
from isospike.cli.options import KeepOpt, ModelArg, NormalizeOpt, WeightsOpt, show
from isospike.convert import plan
from isospike.errors import UsageError
from isospike.network import SpikingNetwork


def command(
    model: ModelArg,
    input_shape: Annotated[
        str | None, typer.Option(help="C,H,W of one image; bundled networks: 1,28,28")
    ] = None,
    recipe: Annotated[str, typer.Option()] = "iso",
    weights: WeightsOpt = None,
    normalize: NormalizeOpt = None,
    keep: KeepOpt = None,
) -> None:
    """Show what a conversion of MODEL would meet. Exit code 1 when something stands against it."""
    loaded = load_model(model, weights, normalize)
    if isinstance(loaded.model, SpikingNetwork):
        show(loaded.model)
        for key, value in loaded.model.provenance.items():
            show(f"  {key}: {value}")
        return
    known = getattr(loaded.model, "input_shape", (1, 28, 28) if model.startswith("zoo:") else None)
    if input_shape is None and known is None:
        raise UsageError("--input-shape C,H,W is needed: the shape of one image")
    try:
        shape = [int(n) for n in input_shape.split(",")] if input_shape else list(known or ())
    except ValueError:
        raise UsageError(f"--input-shape {input_shape!r}: whole numbers, as 3,32,32") from None
    # A fixed generator: the probe is the same in every call.
    example = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
    planned = plan(loaded.model, recipe, example, keep=keep or ())
    show(planned)
    if not planned.ok:
        raise typer.Exit(1)
