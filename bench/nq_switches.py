"""Claim: what each switch of the NQ noise does to a network that is fine-tuned with it.

    D=idx:/usr/share/datasets/fashion-mnist       (Debian package dataset-fashion-mnist)
    python bench/nq_switches.py --data $D --seeds 0,1,2     (it goes on where it was cut off)
    python bench/nq_switches.py --quick                     (minutes: a small sample, to see it run)

From one source network (bundled, or a training run's model.safetensors), every switch is changed
alone, and the network trained for --epochs with it: grain of the noise (layer, channel), its
factor (0.5, 1, 2), T_v (1, 2, 4), the mean of the gap as its mean (off, on); no noise at all; and
in its place the residual itself, with and without clean batches (train/residual.py).
The first row is the paper's: layer, 1, T_v = 4, off. Then the test images, plain IF,
v(0) = theta / 2.
"""

from __future__ import annotations

from argparse import Namespace
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from common import Table, parser, percent, start, whole_numbers, write
from isospike import convert, evaluate, prepare
from isospike.activations import ClipQuant, without_noise
from isospike.cli.model import load_model
from isospike.data.images import ImageSet
from isospike.data.spec import load
from isospike.train.checkpoint import read_tensors
from isospike.train.run import Run
from isospike.train.settings import Settings
from isospike.train.start import start_thetas
from seeds import accuracies, accuracy_names, of_evaluation, run_folder, summary

CLAIM = "spiking accuracy after fine-tuning, by the switches of NQ's noise or the residual itself"
STEPS = [1, 2, 4, 8, 16]
COLUMNS = accuracy_names(STEPS)
LEVELS = 4
SWITCHES: dict[str, dict[str, Any]] = {
    "NQ": {},
    "no noise": {"noise_factor": 0.0},
    "noise_grain=channel": {"noise_grain": "channel"},
    "noise_factor=0.5": {"noise_factor": 0.5},
    "noise_factor=2": {"noise_factor": 2.0},
    "T_v=1": {"noise_steps": 1},
    "T_v=2": {"noise_steps": 2},
    "mean correction": {"noise_mean": True},
    "mean correction, no noise": {"noise_mean": True, "noise_factor": 0.0},
    "residual=1,2,4": {"residual": (1, 2, 4)},
    "residual=0,1,2,4": {"residual": (0, 1, 2, 4)},
}
QUICK = {"train_images": 256, "images": 100, "epochs": 1, "calibration_size": 32}


def source(args: Namespace, data: ImageSet) -> nn.Module:
    """The network that all runs start from, with clips."""
    model = load_model(args.model).model
    if not any(isinstance(module, ClipQuant) for module in model.modules()):
        model = prepare(model, "nq", LEVELS)
        start_thetas(model, data.take(1024))
    return model


def settings(args: Namespace, switch: str, seed: int) -> Settings:
    base = Settings(
        activation="nq", levels=LEVELS, epochs=args.epochs, lr=args.lr, clip=1.0, seed=seed,
        batch=32 if args.quick else 128,
    )  # fmt: skip
    return replace(base, **SWITCHES[switch])


def measured(
    args: Namespace, switch: str, seed: int, first: nn.Module, data: ImageSet, test: ImageSet
) -> dict[str, Any]:
    """The row of a run, trained and measured now where it is not yet."""
    name = Path(args.model).stem.replace(":", "-")
    words = (name, data.n, args.epochs, args.lr, switch.replace(",", ""), seed)
    out = run_folder(args, *words)
    chosen, facts = settings(args, switch, seed), {"model": args.model}
    run = Run(deepcopy(first), data, chosen, out, facts, trained=True, precision=args.precision)
    weights = run.go(resume=True)

    def measure(steps: list[int]) -> dict[str, float]:
        model = deepcopy(first)  # the other one may compute in mixed precision by now
        model.load_state_dict(read_tensors(weights)[0])
        network = convert(without_noise(model).eval(), data.take(args.calibration_size), 4, "nq")
        return of_evaluation(evaluate(network, test, steps, name=switch))

    kept = out / f"test-{test.n}-{args.calibration_size}.json"
    return {"switch": switch, "seed": seed, **accuracies(kept, STEPS, measure)}


def arguments() -> Namespace:
    found = parser(__doc__ or CLAIM, images=10_000)
    found.add_argument("--model", default="zoo:fashion-relu", help="as every command takes it")
    found.add_argument("--switches", default=";".join(SWITCHES), help="NAME;NAME;...")
    found.add_argument("--seeds", type=whole_numbers, default=[0])
    found.add_argument("--epochs", type=int, default=4)
    found.add_argument("--lr", type=float, default=0.02)
    found.add_argument("--precision", default="no", help="of training: no, fp16 or bf16")
    found.add_argument("--train-images", type=int, default=10**9, help="first training images")
    found.add_argument("--runs", type=Path, default=Path("bench/runs/nq-switches"))
    found.add_argument("--quick", action="store_true", help=f"{QUICK}, nothing else")
    args = found.parse_args()
    vars(args).update(QUICK if args.quick else {})
    if args.quick and args.out is None:  # a small sample never stands where results stand
        args.out = args.runs / "quick.json"
    return args


def main() -> None:
    args = arguments()
    start(args)
    data = load(args.data, "train").take(args.train_images)
    test = load(args.data, "test").take(args.images)
    first = source(args, data)
    table = Table("switch                   ", "seed", *COLUMNS)
    rows: list[dict[str, Any]] = []
    for seed in args.seeds:
        for switch in args.switches.split(";"):
            rows.append(measured(args, switch, seed, first, data, test))
            table.add(switch, seed, *[percent(rows[-1][c]) for c in COLUMNS])
            write("nq_switches", args, CLAIM, [*rows, *summary(rows, ["switch"], COLUMNS)])
    for row in summary(rows, ["switch"], COLUMNS):
        table.add(row["switch"], row["seed"], *[percent(row[c]) for c in COLUMNS])


if __name__ == "__main__":
    main()
