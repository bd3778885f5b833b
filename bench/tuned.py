r"""Claim: minutes of distillation without labels bring plain IF neurons nearer to the ANN at low T.

    D=idx:/usr/share/datasets/fashion-mnist       (Debian package dataset-fashion-mnist)
    python bench/tuned.py --data $D --runs /tmp/tuned
    python bench/tuned.py --data $D --runs /tmp/tuned --calibration-size 60000 --precision bf16 \
        --steps 1,2,4,8 --iterations 4000,8000,4000,1000       (two hours of one core)

Each recipe is converted for each T from unlabelled training images of --data (the first
--calibration-size) and measured on the bundled test images and on all test images of --data.
Nothing is chosen on test images. The run goes on where it stopped: tuning from its files in --runs,
finished rows from the results file. --iterations is one number, or one for each of --steps. A goal
is the loss against the ANN that is allowed.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import RESULTS, Table, parser, percent, start, whole_numbers, write
from isospike import SpikingNetwork, convert, evaluate, plan, recipe, zoo
from isospike.cli.options import progress_bar
from isospike.data.images import ImageSet
from isospike.data.spec import load
from isospike.recipe import Recipe

CLAIM = "label-free tuning through the spikes, against the fit it starts from"
GOALS = {1: 0.030, 2: 0.015, 4: 0.010, 8: 0.005, 16: 0.002}
DRIFT = "iso-tuned, drift"


def chosen(name: str, steps: int, args: Namespace) -> Recipe:
    found = recipe(DRIFT.partition(",")[0] if name == DRIFT else name)
    if found.tune is None:
        return found
    knobs: dict[str, Any] = {
        "tune.folder": str(args.runs or ""), "tune.precision": args.precision,
    }  # fmt: skip
    if args.iterations:
        each = whole_numbers(args.iterations)
        each = each * len(args.steps) if len(each) == 1 else each
        knobs["tune.iterations"] = dict(zip(args.steps, each, strict=True))[steps]
    return found.override(knobs | ({"tune.drift": True} if name == DRIFT else {}))


def rows(
    name: str, steps: int, images: ImageSet, tests: list[ImageSet], args: Namespace
) -> Iterator[dict[str, Any]]:
    """One row per test set."""
    example = images.images[:4].float() / 255
    planned = plan(zoo.load("fashion-relu"), chosen(name, steps, args), example)
    tune = planned.recipe.tune
    with progress_bar() as progress:
        snn: SpikingNetwork = convert(planned, images, steps, progress=progress)
    iterations = tune.iterations if tune else 0
    for test in tests:
        found = evaluate(snn, test, [steps])
        reading, ann = found.rows[0], found.ann["accuracy"]
        goal = ann - GOALS[steps] if steps in GOALS else None
        yield {
            "recipe": name, "steps": steps, "images": test.n, "ann": ann,
            "accuracy": reading.accuracy, "agreement": reading.agreement,
            "goal": goal, "reached": None if goal is None else reading.accuracy >= goal - 1e-9,
            "spikes_per_neuron": reading.spikes_per_neuron, "iterations": iterations,
            "calibration_images": len(images.images),
        }  # fmt: skip


def known(path: Path, args: Namespace) -> list[dict[str, Any]]:
    """Rows of a run that was cut off, where it had the same settings."""
    if not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    names = ("data", "calibration_size", "iterations", "precision", "seed")
    mine = {k: str(v) for k, v in vars(args).items() if k in names and v is not None}
    then = {"precision": "no", **found["settings"]}
    same = mine == {k: v for k, v in then.items() if k in names}
    return found["results"] if same else []


def main() -> None:
    found = parser(__doc__, images=2000, calibration=8192)
    found.add_argument("--steps", type=whole_numbers, default=[1, 2, 4, 8])
    found.add_argument("--recipes", default=f"iso;iso-tuned;{DRIFT}", help="with ; between them")
    found.add_argument("--iterations", help="one number or one a T; default: the recipe's own")
    found.add_argument("--precision", default="no", help="of tuning: no or bf16")
    found.add_argument(
        "--runs", type=Path, help="folder of the tuning runs, to go on after a break"
    )
    args = found.parse_args()
    start(args)
    images = load(args.data, "train").take(args.calibration_size)
    tests = [load("fashion-sample", "test").take(args.images)]
    if args.data != "fashion-sample":
        tests.append(load(args.data, "test"))
    results = known(args.out or RESULTS / "tuned.json", args)
    done = {(r["recipe"], r["steps"]) for r in results}
    table = Table(
        "recipe          ", "T", "n", "ANN %", "measured %", "agree %", "goal %", "reached"
    )
    for steps in args.steps:
        for name in args.recipes.split(";"):
            fresh = [] if (name, steps) in done else list(rows(name, steps, images, tests, args))
            results += fresh
            if fresh:
                write("tuned", args, CLAIM, results)
            for r in (r for r in results if (r["recipe"], r["steps"]) == (name, steps)):
                table.add(
                    name, steps, r["images"], percent(r["ann"]), percent(r["accuracy"]),
                    percent(r["agreement"]), percent(r["goal"]), r["reached"],
                )  # fmt: skip


if __name__ == "__main__":
    main()
