"""Claim: the compiled activation makes training a clipped network faster than plain torch.

    python bench/training.py                        (about 3 minutes)

Epochs of SGD on a CPU, with the activation, its gradient and its noise in C++ (native) and in plain
torch, by turns in one process; `relu` has none of them, and `residual` runs T steps more. Images a
second of the native side, and both ratios of time: of plain torch to it, and of it to the ReLU
network.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace

import torch

from common import Table, parser, race, ratio, start, write
from isospike.cli.trainee import trainee
from isospike.data.images import ImageSet
from isospike.data.spec import load
from isospike.engine import native
from isospike.train.loop import Trainer, accelerate
from isospike.train.settings import Settings

CLAIM = "training with the compiled activation, against plain torch and against ReLU"
KINDS = {
    "relu": {"activation": "relu"},
    "qcfs": {"activation": "qcfs"},
    "nq": {"activation": "nq"},
    "residual": {"activation": "nq", "residual": (1, 2, 4)},
}


def epochs(args: Namespace, kind: str, data: ImageSet) -> Callable[[bool], None]:
    """One epoch of a network of its own, always the same one: `work(compiled)`."""
    chosen = replace(Settings(epochs=2, seed=args.seed, batch=args.batch), **KINDS[kind])
    model, _ = trainee(args.model, chosen, data, None, None)
    for module in model.modules():
        if kind == "nq" and hasattr(module, "sigma"):
            module.sigma = torch.full_like(module.sigma, 0.1)
    accelerator = accelerate(args.precision)
    trainer = Trainer(model, data.images, data.labels, chosen, accelerator)  # type: ignore[arg-type]

    def work(compiled: bool) -> None:
        before, native.ENABLED = native.ENABLED, compiled and native.kernels is not None
        try:
            trainer.epoch(0)
        finally:
            native.ENABLED = before

    return work


def main() -> None:
    arguments = parser(__doc__, images=1024)
    arguments.add_argument("--model", default="zoo:resnet20")
    arguments.add_argument("--batch", type=int, default=128)
    arguments.add_argument("--precision", default="no", help="no, fp16 or bf16")
    arguments.add_argument("--repetitions", type=int, default=5)
    args = arguments.parse_args()
    start(args)
    data = load(args.data, "train").take(args.images)
    work = {kind: epochs(args, kind, data) for kind in KINDS}
    sides = {
        (kind, compiled): lambda kind=kind, compiled=compiled: work[kind](compiled)
        for kind in KINDS for compiled in ((True,) if kind == "relu" else (True, False))
    }  # fmt: skip
    times = race(sides, args.repetitions)
    results = []
    table = Table("trained with", "images/s", "plain / native", "native / relu")
    for kind in KINDS:
        mine = times[kind, True]
        plain = ratio(times[kind, False], mine) if kind != "relu" else None
        results.append({
            "kind": kind, "images_a_second": data.n // args.batch * args.batch / min(mine),
            "plain_to_native": plain, "to_relu": ratio(mine, times["relu", True]),
        })  # fmt: skip
        table.add(kind, *list(results[-1].values())[1:])
    write("training", args, CLAIM, results)


if __name__ == "__main__":
    main()
