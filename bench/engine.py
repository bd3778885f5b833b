"""Claim: a spiking network need not cost T times the network it came from: cost follows the spikes.

    python bench/engine.py           (about 5 minutes; leave the machine alone)
    python bench/engine.py --quick   (within 60 s; the ratios are the last three lines)
    python bench/engine.py --equality --threads 1 (half an hour: are the spikes those of the step
                                      loop, on 2,000 images of ResNet-20 and `--images` of VGG-16)

Every side runs the same images without counting spikes, all by turns in one process; a figure is
the median over the turns, a ratio the median of the ratios within a turn. ANN eager is the source
nn.Module (eval, no_grad), ANN folded the captured graph. SpikingJelly (2.0.0) runs the folded
weights with the same thresholds and first potentials. ResNet-20 is the bundled one; VGG-16 has
random weights and thresholds calibrated to `--rate` spikes per neuron and step.
"""

from __future__ import annotations

import statistics
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from common import RESULTS, Table, parser, race, ratio, start, whole_numbers, write
from engine_equality import SHOWN as COMPARED
from engine_equality import equality
from engine_networks import Network, calibrated, resnet20, vgg16
from isospike.engine import run
from isospike.engine.native.matrix import available
from isospike.engine.native.trains import enabled
from isospike.graph.graph import execute
from isospike.measure.energy import Costs
from isospike.program import Program
from spikingjelly_network import SpikingJellyNetwork, installed

CLAIM = "VGG-16 T=8: 5x SpikingJelly, 2.0 ANN forwards; ResNet-20: 6x; separated: 1.2 at any T"
EQUAL = "99.99% of all spikes are those of the step loop; the same predictions on 2,000 images"
JELLY = ("SpikingJelly single", "SpikingJelly multi")
SHOWN = ("network", "steps", "rate", "side", "seconds", "ann_forwards")
RATES = (0.03, 0.05, 0.08, 0.12, 0.16)
Sides = dict[str, Callable[[], Any]]


def sides(net: Network, steps: int, quick: bool) -> Sides:
    x, program = net.images, net.program

    @torch.no_grad()
    def eager() -> None:
        net.model(x)

    def ours(engine: str) -> Callable[[], Any]:
        return lambda: run(program, x, steps, engine=engine, tally=False)

    found: Sides = {"ANN eager": eager, "auto": ours("auto")}
    if installed():
        for label, multi in zip(JELLY, (False, True), strict=True):
            jelly = SpikingJellyNetwork(program, multi)
            found[label] = lambda jelly=jelly: jelly(x, steps)
    if not quick:
        found["ANN folded"] = lambda: execute(program.graph, x)
        found["dense"] = ours("dense")
        if enabled():
            found["events"] = ours("events")
        if available():
            found["matrix"] = ours("matrix")
    found["separated"] = lambda: run(net.separated, x, steps, tally=False)
    return found


def spikes(net: Network, steps: int) -> dict[str, float]:
    """Per image: spikes, synaptic operations; spikes per neuron and step."""
    counts = run(net.program, net.images, steps).counts
    costs, n = Costs.of(net.program.graph), len(net.images)
    total = sum(int(at[steps].sum()) for at in counts.values()) / n
    synops = costs.synops({site: at[steps] for site, at in counts.items()}) / n
    return {
        "spikes": total, "synops": synops,
        "rate": total / steps / sum(costs.neurons.values()),
    }  # fmt: skip


def measure(net: Network, steps: int, repetitions: int, quick: bool) -> list[dict[str, Any]]:
    """One row a side."""
    times = race(sides(net, steps, quick), repetitions)
    known = {"network": net.name, "steps": steps, "images": len(net.images), **spikes(net, steps)}
    jelly = [times[name] for name in JELLY if name in times]
    fastest = min(jelly, key=statistics.median) if jelly else None
    return [
        {
            **known, "side": name, "seconds": statistics.median(t),
            "ann_forwards": ratio(t, times["ANN eager"]),
            "of_spikingjelly_fastest": fastest and ratio(t, fastest),
        }
        for name, t in times.items()
    ]  # fmt: skip


def against_rate(net: Network, repetitions: int) -> list[dict[str, Any]]:
    """T = 8, events, for one firing rate after the other, in seconds of the processor; the last
    row is the fit seconds = a + b synops, both per image."""
    n = len(net.images)
    nets = [replace(net, program=calibrated(net.program.graph, net.images, r)) for r in RATES]
    turns = [
        [_processor_seconds(each.program, net.images) for each in nets]
        for _ in range(repetitions + 1)
    ]
    found = [
        {"network": net.name, "steps": 8, "images": n, **spikes(each, 8),
         "side": "events, by rate", "seconds": min(seconds)}
        for each, seconds in zip(nets, zip(*turns, strict=True), strict=True)
    ]  # fmt: skip
    x, y = (torch.tensor([row[key] for row in found]).double() for key in ("synops", "seconds"))
    y = y / n
    b = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    a = y.mean() - b * x.mean()
    r2 = 1 - (y - a - b * x).square().sum() / (y - y.mean()).square().sum()
    fit = {"seconds_per_image": float(a), "ns_per_synop": 1e9 * float(b), "r2": float(r2)}
    return [*found, {"network": net.name, "steps": 8, "side": "events, fit", **fit}]


def _processor_seconds(program: Program, x: Tensor) -> float:
    began = time.process_time()
    run(program, x, 8, engine="events", tally=False)
    return time.process_time() - began


def of(rows: list[dict[str, Any]], network: str, steps: int, side: str) -> dict[str, Any]:
    return next(
        row for row in rows if (row["network"], row["steps"], row["side"]) == (network, steps, side)
    )


def last(rows: list[dict[str, Any]], steps: int) -> None:
    """The three lines that say it all."""
    print()
    for name in ("VGG-16", "ResNet-20"):
        row = of(rows, name, steps, "auto")
        part = row["of_spikingjelly_fastest"]
        jelly = "not installed" if part is None else f"{1 / part:.2f}x as fast"
        native = "" if enabled() else " (native kernels not installed)"
        print(f"{name} T={steps} auto{native}: {row['ann_forwards']:.2f} eager ANN forwards; "
              f"against SpikingJelly's fastest mode: {jelly}")  # fmt: skip
    parts = [row for row in rows if row["side"] == "separated"]
    print("separated, eager ANN forwards: " + ", ".join(
        f"{row['network']} T={row['steps']} {row['ann_forwards']:.2f}" for row in parts
    ))  # fmt: skip


def compare(args: Namespace) -> None:
    """The spikes of both networks at T = 8 against those of the step loop."""
    table, rows = Table(*COMPARED), []
    for net in (vgg16(args.images, args.rate, args.seed),
                resnet20(2000, args.calibration_size, args.recipe)):  # fmt: skip
        for row in equality(net.name, net.program, net.images, 8):
            table.add(*(row[key] for key in COMPARED))
            rows.append(row)
    args.out = args.out or RESULTS / "engine_equality.json"
    write("engine", args, EQUAL, rows)


def main() -> None:
    arguments = parser(__doc__, images=32, calibration=256)
    arguments.set_defaults(threads=2)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--equality", action="store_true")
    arguments.add_argument("--repetitions", type=int, default=5)
    arguments.add_argument("--steps", type=whole_numbers, default=[4, 8, 16, 32])
    arguments.add_argument("--rate", type=float, default=0.07, help="of VGG-16")
    arguments.add_argument("--recipe", default="iso", help="of ResNet-20")
    args = arguments.parse_args()
    start(args)
    if args.equality:
        return compare(args)
    if args.quick:
        args.images, args.calibration_size = min(args.images, 16), 64
        args.steps, args.repetitions = [8], min(args.repetitions, 3)
    makers = (
        lambda: resnet20(args.images, args.calibration_size, args.recipe),
        lambda: vgg16(args.images, args.rate, args.seed),
    )
    table = Table(*SHOWN)
    rows: list[dict[str, Any]] = []
    for make in makers:
        net = make()
        for steps in args.steps:
            rows += measure(net, steps, args.repetitions, args.quick)
            for row in [row for row in rows if (row["network"], row["steps"]) == (net.name, steps)]:
                table.add(*(row[key] for key in SHOWN))
    if not args.quick:
        extra = against_rate(net, args.repetitions) if enabled() else []
        for row in extra:
            print(row)
        write("engine", args, CLAIM, rows + extra)
    last(rows, min(args.steps, key=lambda steps: abs(steps - 8)))


if __name__ == "__main__":
    main()
