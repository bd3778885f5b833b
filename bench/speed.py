"""Claim: T steps of a spiking network take hardly longer than T passes of the network it came from,
and a separated one hardly longer than a single pass, whatever T is.

    python bench/speed.py                        (about 6 minutes; leave the machine alone)

Measured is what `evaluate` does for each T: run, count every neuron's spikes, read and score.
Beside it: eager forwards of the source nn.Module (eval, no_grad) on the same images. Each side at
its best batch size, found first; then both by turns, several times, in one process. Every figure is
the median of the ratios within a turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch

from common import Bench, Table, model_arguments, parser, race, ratio, start, whole_numbers, write
from isospike.measure.energy import Costs
from isospike.measure.evaluate import measure
from isospike.network import SpikingNetwork

CLAIM = "evaluate in at most 1.2 (synchronous) and 1.3 (separated) of the time of the same passes"
BATCHES = [16, 32, 64, 128, 256]
GOAL_SYNCHRONOUS, GOAL_SEPARATED = 1.2, 1.3
SYNCHRONOUS_AT = 8
SEPARATED = [(k, steps) for k in (1.0, 2.0) for steps in (4, 8, 32)]

Side = Callable[[int], None]  # batch size -> one run over all images


def ann_side(bench: Bench, passes: int) -> Side:
    batches = {size: list(bench.test.batches(size)) for size in BATCHES}

    @torch.no_grad()
    def work(size: int) -> None:
        for x, _ in batches[size]:
            for _ in range(passes):
                bench.model(x)

    return work


def snn_side(bench: Bench, snn: SpikingNetwork, steps: int) -> Side:
    batches = {size: list(bench.test.batches(size)) for size in BATCHES}
    # `evaluate` has the ANN's logits and the fan-outs once for all recipes and T.
    logits = {size: [bench.ann(x) for x, _ in found] for size, found in batches.items()}
    costs = Costs.of(snn.program.graph)

    def work(size: int) -> None:
        known = iter(logits[size])
        measure(snn, batches[size], [steps], lambda x: next(known), costs)

    return work


def best_size(side: Side, repetitions: int = 3) -> int:
    times = race({size: lambda size=size: side(size) for size in BATCHES}, repetitions)
    return min(BATCHES, key=lambda size: statistics.median(times[size]))


def compare(snn: Side, ann: Side, ann_size: int, repetitions: int) -> dict[str, Any]:
    """Seconds and ratio, each side at its best batch size."""
    size = best_size(snn)
    times = race({"snn": lambda: snn(size), "ann": lambda: ann(ann_size)}, repetitions)
    each = [a / b for a, b in zip(times["snn"], times["ann"], strict=True)]
    return {
        "ratio": ratio(times["snn"], times["ann"]), "lowest": min(each), "highest": max(each),
        "snn_s": statistics.median(times["snn"]), "ann_s": statistics.median(times["ann"]),
        "snn_batch": size, "ann_batch": ann_size,
    }  # fmt: skip


def cases(bench: Bench, curve: Sequence[int]):
    """(label, network, T, passes of the ANN, goal)"""
    snn = bench.convert("iso", SYNCHRONOUS_AT)
    yield "synchronous", snn, SYNCHRONOUS_AT, SYNCHRONOUS_AT, GOAL_SYNCHRONOUS
    for k, steps in SEPARATED:
        separated = bench.convert("spikeconverter", steps, {"schedule.k": k})
        yield f"separated k={k:g}", separated, steps, 1, GOAL_SEPARATED
    for steps in curve:  # time against T: the network of T = 8 serves every length
        yield "synchronous, curve", snn, steps, steps, None


def main() -> None:
    arguments = model_arguments(parser(__doc__, images=256, calibration=256))
    arguments.set_defaults(threads=2)
    arguments.add_argument("--repetitions", type=int, default=7)
    arguments.add_argument("--curve", type=whole_numbers, default=[1, 2, 4, 8, 16, 32])
    args = arguments.parse_args()
    start(args)
    bench = Bench.of(args)
    ann_size = best_size(ann_side(bench, 1))
    table = Table(
        "schedule          ", "T", "ANN passes", "SNN s", "ANN s", "batch SNN/ANN", "ratio",
        "lowest-highest", "at most", "reached",
    )  # fmt: skip
    results = []
    for label, snn, steps, passes, goal in cases(bench, args.curve):
        found = compare(
            snn_side(bench, snn, steps), ann_side(bench, passes), ann_size, args.repetitions
        )
        reached = None if goal is None else found["ratio"] <= goal
        results.append(
            {"schedule": label, "steps": steps, "ann_passes": passes, **found,
             "goal": goal, "reached": reached}
        )  # fmt: skip
        table.add(
            label, steps, passes, f"{found['snn_s']:.3f}", f"{found['ann_s']:.3f}",
            f"{found['snn_batch']}/{found['ann_batch']}", f"{found['ratio']:.2f}",
            f"{found['lowest']:.2f}-{found['highest']:.2f}", goal, reached,
        )  # fmt: skip
    write("speed", args, CLAIM, results)


if __name__ == "__main__":
    main()
