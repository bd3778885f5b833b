"""Claim: a spiking network need not cost T times the network it came from: cost follows the spikes.

    python bench/engine.py           (about 15 minutes; leave the machine alone)
    python bench/engine.py --quick   (within 60 s; the ratios are the last three lines)

Every side runs the same images without counting spikes, all by turns in one process; a figure is
the median over the turns, a ratio the median of the ratios within a turn. ANN eager is the source
nn.Module (eval, no_grad), ANN folded the captured graph. SpikingJelly (2.0.0) runs the folded
weights with the same thresholds and first potentials. ResNet-20 is the bundled one; VGG-16 has
random weights and thresholds calibrated to `--rate` spikes per neuron and step.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch
from engine_networks import Network, resnet20, vgg16
from spikingjelly_network import SpikingJellyNetwork, installed

from common import Table, parser, race, ratio, start, whole_numbers, write
from isospike.engine import run
from isospike.engine.native.trains import enabled
from isospike.graph.graph import execute
from isospike.measure.energy import Costs

CLAIM = "VGG-16 T=8: 5x SpikingJelly, 2.0 ANN forwards; ResNet-20: 6x; separated: 1.2 at any T"
JELLY = ("SpikingJelly single", "SpikingJelly multi")
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


def measure(net: Network, steps: int, repetitions: int, quick: bool) -> dict[str, Any]:
    times = race(sides(net, steps, quick), repetitions)
    ann = times["ANN eager"]
    fastest = min((t for n, t in times.items() if n in JELLY), key=statistics.median, default=None)
    return {
        "network": net.name, "steps": steps, "images": len(net.images), **spikes(net, steps),
        "seconds": {name: statistics.median(t) for name, t in times.items()},
        "ann_forwards": {name: ratio(t, ann) for name, t in times.items()},
        "faster_than_spikingjelly": fastest and ratio(fastest, times["auto"]),
    }  # fmt: skip


def against_rate(args, repetitions: int) -> list[dict[str, Any]]:
    """VGG-16 at T = 8 for one firing rate after the other: time against synaptic operations."""
    found = []
    for rate in (0.01, 0.02, 0.05, 0.1, 0.15):
        net = vgg16(args.images, rate, args.seed)
        times = race({"events": lambda n=net: run(n.program, n.images, 8, engine="events",
                                                  tally=False)}, repetitions)  # fmt: skip
        seconds = min(times["events"]) / args.images
        found.append({"aim": rate, **spikes(net, 8), "seconds": seconds})
    return found


def fit(rows: list[dict[str, Any]]) -> dict[str, float]:
    """seconds = a + b synops, per image, and R^2."""
    x = torch.tensor([row["synops"] for row in rows], dtype=torch.float64)
    y = torch.tensor([row["seconds"] for row in rows], dtype=torch.float64)
    b = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    a = y.mean() - b * x.mean()
    left = (y - a - b * x).square().sum() / (y - y.mean()).square().sum()
    return {"seconds": float(a), "seconds_per_synop": float(b), "r2": 1 - float(left)}


def main() -> None:
    arguments = parser(__doc__, images=32, calibration=256)
    arguments.set_defaults(threads=2)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--repetitions", type=int, default=5)
    arguments.add_argument("--steps", type=whole_numbers, default=[4, 8, 16, 32])
    arguments.add_argument("--rate", type=float, default=0.07, help="of VGG-16")
    arguments.add_argument("--recipe", default="iso", help="of ResNet-20")
    args = arguments.parse_args()
    start(args)
    if args.quick:
        args.images, args.calibration_size = min(args.images, 16), 64
        args.steps, args.repetitions = [8], min(args.repetitions, 3)
    table = Table("network   ", "T", "rate", "side                ", "s", "ANN forwards")
    rows = []
    for make in (
        lambda: resnet20(args.images, args.calibration_size, args.recipe),
        lambda: vgg16(args.images, args.rate, args.seed),
    ):
        net = make()
        for steps in args.steps:
            row = measure(net, steps, args.repetitions, args.quick)
            rows.append(row)
            for name in row["seconds"]:
                table.add(net.name, steps, row["rate"], name, row["seconds"][name],
                          row["ann_forwards"][name])  # fmt: skip
    results: dict[str, Any] = {"rows": rows}
    if not args.quick and enabled():
        results["against_rate"] = against_rate(args, args.repetitions)
        results["fit"] = fit(results["against_rate"])
        print(f"\nseconds = {results['fit']}")
    if not args.quick:
        write("engine", args, CLAIM, results)
    last(rows)


def last(rows: list[dict[str, Any]]) -> None:
    """The ratios at T = 8, or the first T that was run."""
    at = min((row["steps"] for row in rows), key=lambda steps: abs(steps - 8))
    resnet, vgg = (row for row in rows if row["steps"] == at)
    print()
    for row in (vgg, resnet):
        faster = row["faster_than_spikingjelly"]
        jelly = "SpikingJelly not installed" if faster is None else f"{faster:.2f}x SpikingJelly"
        native = "" if enabled() else ", native kernels not installed"
        print(f"{row['network']} T={at}: {jelly}, {row['ann_forwards']['auto']:.2f} ANN{native}")
    print("separated: " + ", ".join(
        f"{row['network']} T={row['steps']} {row['ann_forwards']['separated']:.2f} ANN"
        for row in rows
    ))  # fmt: skip


if __name__ == "__main__":
    main()
