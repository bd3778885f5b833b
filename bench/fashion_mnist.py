"""Claim: from one trained QCFS network and by equal epochs, a ResNet-20 of plain IF neurons that
trains under the residual is better than one that trains with NQ's noise, and that one than one that
goes on with QCFS, at T = 1, 2 and 4.

    D=idx:/usr/share/datasets/fashion-mnist        (Debian package dataset-fashion-mnist)
    python bench/fashion_mnist.py --data $D        (hours on a CPU; it goes on where it was cut off)
    K='qcfs4,qcfs4 from qcfs4,nq from qcfs4,residual and clean from qcfs4'
    python bench/fashion_mnist.py --data $D --model zoo:vgg9 --seeds 0,1 --kinds "$K" \\
        --out bench/results/fashion_mnist_vgg9.json
    python bench/fashion_mnist.py --data $D --kinds tcl,qcfs8 --seeds 0,1,2                not run
    python bench/fashion_mnist.py --data $D --model zoo:vgg16 --epochs 24                  not run
    python bench/fashion_mnist.py --data $D --model zoo:resnet18 --epochs 24               not run

Every kind and seed is a training run of the package in its own folder of --runs, and is measured
once, so that several processes may share the seeds before one collects them; the network that
is best on 2,000 validation images by spiking accuracy at T = 4 is kept (relu: by its own accuracy).
Then all 10,000 test images, plain IF neurons, v(0) = theta / 2; relu by the recipe iso. Published
for comparison: PLIF, a directly trained spiking network, 94.38% at T = 8 (Fang et al. 2021).
"""

from __future__ import annotations

import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import Table, parser, percent, start, whole_numbers, write
from isospike import convert, evaluate, recipe
from isospike.cli.trainee import trained, trainee
from isospike.data.images import ImageSet
from isospike.data.spec import load
from isospike.train.run import Run
from isospike.train.settings import Settings
from seeds import accuracies, accuracy_names, of_evaluation, run_folder, summary

CLAIM = "spiking accuracy on all test images by how the source network was trained"
STEPS = [1, 2, 4, 8, 16, 32]
FINE = {"lr": 0.02, "clip": 1.0}  # from a network that has its clips
RESIDUAL = {"activation": "nq", "residual": (1, 2, 4), **FINE}
# kind -> (starts from, changes of the settings, recipe)
KINDS: dict[str, tuple[str | None, dict[str, Any], str]] = {
    "relu": (None, {"activation": "relu"}, "iso"),
    "tcl": (None, {"activation": "tcl"}, "qcfs"),
    "qcfs4": (None, {"activation": "qcfs"}, "qcfs"),
    "qcfs8": (None, {"activation": "qcfs", "levels": 8}, "qcfs"),
    "nq": (None, {"activation": "nq"}, "nq"),
    "qcfs4 from relu": ("relu", {"activation": "qcfs", "lr": 0.05}, "qcfs"),
    "nq from relu": ("relu", {"activation": "nq", "lr": 0.05}, "nq"),
    # From one network, by equal epochs: more of the same, NQ, and the residual in its place.
    "qcfs4 from qcfs4": ("qcfs4", {"activation": "qcfs", **FINE}, "qcfs"),
    "nq from qcfs4": ("qcfs4", {"activation": "nq", **FINE}, "nq"),
    "residual from qcfs4": ("qcfs4", RESIDUAL, "nq"),
    "residual and clean from qcfs4": ("qcfs4", {**RESIDUAL, "residual": (0, 1, 2, 4)}, "nq"),
}  # fmt: skip


def folder(args: Namespace, kind: str, seed: int) -> Path:
    model = args.model.removeprefix("zoo:")
    return run_folder(args, model, kind, args.epochs, seed)


def settings(args: Namespace, kind: str, seed: int) -> Settings:
    source, changes, _ = KINDS[kind]
    epochs = args.epochs if source is None else args.fine_epochs
    return replace(Settings(epochs=epochs, seed=seed), **changes)


def train(args: Namespace, kind: str, seed: int, data: ImageSet) -> Path:
    """The weight file of a run, trained now where it is not there yet."""
    out, chosen = folder(args, kind, seed), settings(args, kind, seed)
    source = KINDS[kind][0]
    init = None if source is None else train(args, source, seed, data)
    model, facts = trainee(args.model, chosen, data, None, init)
    began = time.perf_counter()
    done = Run(
        model, data, chosen, out, facts, trained=init is not None, precision=args.precision,
        report=lambda row: print(f"  {kind}, seed {seed}: {row}", flush=True),
    ).go(resume=True)  # fmt: skip
    clock = out / "seconds.txt"
    spent = float(clock.read_text()) if clock.exists() else 0.0
    if not clock.exists() or time.perf_counter() - began > 5:
        clock.write_text(str(spent + time.perf_counter() - began))
    return done


def measured(args: Namespace, kind: str, seed: int, data: ImageSet, test: ImageSet) -> dict:
    """The row of a run."""
    weights = train(args, kind, seed, data)  # a finished run of other settings is refused
    kept = weights.with_name(f"test-{test.n}-{args.calibration_size}.json")
    found = accuracies(kept, args.steps, lambda ts: _measure(args, kind, weights, ts, data, test))
    seconds = float(weights.with_name("seconds.txt").read_text())
    return {
        "model": args.model, "kind": kind, "seed": seed,
        "epochs": settings(args, kind, seed).epochs,
        **found, "training_s": seconds,
    }  # fmt: skip


def _measure(
    args: Namespace, kind: str, weights: Path, steps: list[int], data: ImageSet, test: ImageSet
) -> dict[str, float]:
    model, chosen = trained(weights), recipe(KINDS[kind][2])
    images, accuracy = data.take(args.calibration_size), {}
    for some in [[t] for t in steps] if chosen.depends_on_steps else [steps]:
        network = convert(model, images, some[-1], chosen)
        accuracy |= of_evaluation(evaluate(network, test, some))
    return accuracy


def main() -> None:
    arguments = parser(__doc__, images=10_000)
    arguments.add_argument("--model", default="zoo:resnet20")
    arguments.add_argument("--kinds", default="relu,qcfs4,nq,qcfs4 from relu,nq from relu,"
                           "qcfs4 from qcfs4,nq from qcfs4,residual from qcfs4,"
                           "residual and clean from qcfs4")  # fmt: skip
    arguments.add_argument("--steps", type=whole_numbers, default=STEPS)
    arguments.add_argument("--seeds", type=whole_numbers, default=[0, 1, 2])
    arguments.add_argument("--epochs", type=int, default=8)
    arguments.add_argument("--fine-epochs", type=int, default=3, help="of kinds that start trained")
    arguments.add_argument("--precision", default="no", help="of training: no, fp16 or bf16")
    arguments.add_argument("--runs", type=Path, default=Path("bench/runs"))
    args = arguments.parse_args()
    start(args)
    data, test = load(args.data, "train"), load(args.data, "test").take(args.images)
    names = accuracy_names(args.steps)
    table = Table("kind                         ", "seed", *names, "seconds")
    rows: list[dict[str, Any]] = []
    for seed in args.seeds:
        for kind in args.kinds.split(","):
            rows.append(measured(args, kind, seed, data, test))
            shown = [percent(rows[-1][c]) for c in names]
            table.add(kind, seed, *shown, f"{rows[-1]['training_s']:.0f}")
            write("fashion_mnist", args, CLAIM, [*rows, *summary(rows, ["model", "kind"], names)])


if __name__ == "__main__":
    main()
