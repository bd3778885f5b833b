"""`isospike demo`: bundled networks, bundled images, every main method, a table and a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from isospike import zoo
from isospike.cli.options import progress_bar
from isospike.data.spec import load as load_data
from isospike.evaluate import evaluate
from isospike.files import atomic_write
from isospike.report import html

STEPS = [2, 4, 8]
CALIBRATION = 512
IMAGES = 1000


def command(
    out: Annotated[Path, typer.Option(help="folder to write to")] = Path("demo-out"),
) -> None:
    """Convert the bundled ResNet-20s and compare: about a minute on two cores."""
    out.mkdir(parents=True, exist_ok=True)
    test = load_data("fashion-sample", "test").take(IMAGES)
    images = load_data("fashion-sample", "train").take(CALIBRATION)
    with progress_bar() as progress:
        result = evaluate(
            zoo.load("fashion-relu"), test, STEPS, ["iso", "ic-snn", "spikeconverter"], images,
            name="zoo:fashion-relu", progress=progress,
        )  # fmt: skip
        trained = evaluate(
            zoo.load("fashion-nq"), test, STEPS, "nq", images, name="zoo:fashion-nq",
            progress=progress,
        )  # fmt: skip
    result.join(trained)
    print(f"ResNet-20, Fashion-MNIST, first {test.n} test images, {images.n} calibration images")
    print(result)
    atomic_write(out / "evaluation.json", json.dumps(result.to_json(), indent=1).encode())
    html.write(result.to_json(), out / "report.html")
    print(f"report: {out / 'report.html'}")
