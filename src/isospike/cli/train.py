"""`isospike train`: a source network in a folder, interrupted or not."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from isospike.cli.options import DataOpt, NormalizeOpt, parse_settings, progress_bar, show, speaks
from isospike.cli.trainee import trained, trainee
from isospike.data.spec import load as load_data
from isospike.errors import UsageError
from isospike.train.board import board
from isospike.train.resume import begun, described, finished, refuse_run, started_from, written_in
from isospike.train.settings import PRESETS, Settings, check_precision, preset


def command(
    data: DataOpt,
    out: Annotated[Path, typer.Option(help="folder of the run")],
    model: Annotated[str | None, typer.Option(help="zoo:NAME or FILE.py:FUNCTION")] = None,
    activation: Annotated[str | None, typer.Option(help="relu, qcfs, nq, tcl, ...")] = None,
    preset_name: Annotated[
        str | None, typer.Option("--preset", help=f"a paper's recipe: {', '.join(PRESETS)}")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the images; default 24")] = None,
    seed: Annotated[int | None, typer.Option(help="of weights and order; default 0")] = None,
    init: Annotated[Path | None, typer.Option(help="weights to start from (safetensors)")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of docs/training.md; repeatable")
    ] = None,
    normalize: NormalizeOpt = None,
    precision: Annotated[str, typer.Option(help="no, fp16 or bf16")] = "no",
    resume: Annotated[bool, typer.Option("--resume", help="go on where it was cut off")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="at the end, the figures as DIR/training.html")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="epochs to DIR/tensorboard")
    ] = False,
) -> None:
    """Train MODEL for conversion; DIR/model.safetensors is a MODEL for every other command."""
    try:
        from isospike.train.run import Run
    except ImportError as error:
        raise UsageError(
            f"training needs an extra: pip install isospike[train] ({error})"
        ) from None
    check_precision(precision)
    log = board(out) if tensorboard else None
    given = {"activation": activation, "epochs": epochs, "seed": seed}
    model, chosen = choose(model, preset_name, given, parse_settings(settings, "NAME=VALUE"))
    known = said(model, chosen, data, normalize, precision) | started_from(init)
    done, kept = already(out, known, resume)
    normalize = kept if normalize is None else normalize
    images = load_data(data, "train") if done is None or report else None
    if done is None:
        assert images is not None
        network, facts = trainee(model, chosen, images, normalize, init)

        def told(row: dict[str, Any]) -> None:
            show(line(row))
            if log is not None:
                log(row)

        run = Run(
            network, images, chosen, out, facts, trained=init is not None, precision=precision,
            report=told,
        )  # fmt: skip
        with progress_bar() as progress:
            run.progress = progress
            done = run.go(resume)
    if speaks():
        show(f"{done}: {model}, {chosen.activation}, {chosen.epochs} epochs, seed {chosen.seed}")
        if images is not None and report:
            from isospike.report import training_page  # plotly takes a second to import

            show(f"report: {training_page.write(out, trained(done, model), images)}")


def already(out: Path, known: dict[str, Any], resume: bool) -> tuple[Path | None, str | None]:
    """The weight file of a finished run, and the normalisation of one that was cut off. UsageError
    for a run that is not to go on. All of it before an image is read."""
    if not resume:
        refuse_run(out)
        return None, None
    done = finished(out, known)
    return done, begun(out, known).get("normalize") if done is None else None


def said(
    model: str, chosen: Settings, data: str, normalize: str | None, precision: str
) -> dict[str, Any]:
    """What a run remembers of itself, as far as it is known without the images."""
    known = {"model": model, **written_in(model), **described(chosen, {"name": data}, precision)}
    if normalize is not None or not model.startswith("zoo:"):
        known["normalize"] = normalize
    return known


def choose(
    model: str | None, name: str | None, given: dict[str, Any], extra: dict[str, str]
) -> tuple[str, Settings]:
    """Model and settings: the preset's, then the options', then --set."""
    of_preset, base = (None, Settings()) if name is None else preset(name)
    model = model or of_preset
    if model is None:
        raise UsageError("--model zoo:NAME or FILE.py:FUNCTION, or a --preset, is needed")
    known = {field.name: getattr(base, field.name) for field in fields(Settings)}
    unknown = [key for key in extra if key not in known]
    if unknown:
        raise UsageError(f"--set {', '.join(unknown)}: unknown; one of {', '.join(known)}")
    changes = {key: value for key, value in given.items() if value is not None}
    changes |= {key: typed(key, text, known[key]) for key, text in extra.items()}
    return model, replace(base, **changes)


def typed(key: str, text: str, like: Any) -> Any:
    try:
        if isinstance(like, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(like, tuple):
            return tuple(int(word) for word in text.split(",") if word)
        return type(like)(text)
    except (KeyError, ValueError):
        kind = "T,T,..." if isinstance(like, tuple) else type(like).__name__
        raise UsageError(f"--set {key}={text}: expected {kind}") from None


def line(row: dict[str, Any]) -> str:
    """One epoch: loss and validation accuracies."""
    shares = {name: 100 * right / row["of"] for name, right in row["correct"].items()}
    spiking = "  ".join(f"T={t} {shares[t]:5.2f}" for t in shares if t != "ann")
    return f"epoch {row['epoch']:3}  loss {row['loss']:.4f}  ann {shares['ann']:5.2f}  {spiking}"
