"""A training run as one HTML page that opens offline: DIR/training.html.

As in html.py nothing foreign is trusted: strings are made visible, then escaped by the template and
once more for plotly, and the policy lets only the scripts run whose hash stands in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from markupsafe import Markup
from torch import Tensor, nn

from isospike.data.check import unit_range
from isospike.data.images import ImageSet
from isospike.errors import FormatError
from isospike.files import atomic_write
from isospike.report.shell import parts, template
from isospike.report.text import clean, script_json
from isospike.report.training import history_figure, residual_figure, transfer_figure
from isospike.train.checkpoint import read_facts
from isospike.train.gap import Gap, gaps
from isospike.train.run import MODEL, RECORD
from isospike.train.settings import trained_with
from isospike.train.split import split
from isospike.train.transfer import transfer
from isospike.train.validate import spiking

PAGE = "training.html"
IMAGES = 500  # validation images that the gap is measured on


def write(folder: Path, model: nn.Module, data: ImageSet) -> Path:
    """Write FOLDER/training.html for the finished run in FOLDER; returns its path.

    model: the network of FOLDER/model.safetensors. data: the training split that it was trained
    with, whose validation images the gap is measured on, after T_v steps. FormatError where FOLDER
    holds no finished run.
    """
    facts, kept = record(folder)
    settings = trained_with(facts["settings"])
    _, held = split(data, settings["validation"])
    images = unit_range(data.images[held[:IMAGES]])
    page = render(facts, kept, *measured(model, images, settings["noise_steps"]))
    atomic_write(folder / PAGE, page.encode("utf-8"))
    return folder / PAGE


def record(folder: Path) -> tuple[dict[str, Any], int]:
    """What FOLDER/training.json says, and the epoch that was kept."""
    try:
        facts = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        kept = read_facts(folder / MODEL)["epoch"]
        missing = [name for name in ("settings", "history", "data") if not facts[name]]
        if missing:
            raise ValueError(f"no {', '.join(missing)}")
        return facts, int(kept)
    except (FormatError, OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{folder}: not a finished training run: {error!r}") from error


def measured(
    model: nn.Module, images: Tensor, steps: int
) -> tuple[dict[str, Gap], dict[str, Any] | None]:
    """Residuals, and the two figures of the gap; none for a network without clips."""
    program = spiking(model, images)
    if program is None:
        return {}, None
    found = gaps(model, images, steps, program=program)
    sent = transfer(model, images, steps, program=program)
    figures = {"residual": residual_figure(found), "transfer": transfer_figure(sent)}
    return found, {"figures": figures, "steps": steps, "images": len(images)}


def render(
    facts: dict[str, Any], kept: int, found: dict[str, Gap], gap: dict[str, Any] | None = None
) -> str:
    """The page; facts: of training.json."""
    figures = {"history": history_figure(facts["history"], kept), **(gap or {}).get("figures", {})}
    plotted = {name: json.loads(cast("str", figure.to_json())) for name, figure in figures.items()}
    view = cast("dict[str, Any]", clean({
        "model": facts.get("model") or "model without a name", "data": facts["data"],
        "settings": facts["settings"], "kept": kept,
        "row": next((row for row in facts["history"] if row["epoch"] == kept), {}),
        "sites": [
            {"path": path, "theta": gap.theta, "mean": gap.mean, "std": gap.std,
             "sigma": gap.sigma, "kurtosis": gap.kurtosis, "n": gap.n}
            for path, gap in found.items()
        ],
        "steps": (gap or {}).get("steps"), "images": (gap or {}).get("images"),
    }))  # fmt: skip
    script = Markup(script_json(clean(plotted)))  # noqa: S704 it holds no < > & any more
    return template("training.html.j2").render(**view, **parts("training.js"), script=script)
