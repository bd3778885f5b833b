"""Are the spikes of the engines those of the step loop: every neuron, step and image compared.

Float32 sums of the same numbers differ by their order and rounding, so a spike whose neuron stands
at its threshold may come a step earlier or later; what follows in deeper layers differs too. What
rounding alone does is told by the step loop in float64. `misplaced` are the spikes that exact
arithmetic would place otherwise, given what the neuron did receive, and `farthest` how far from the
threshold such a neuron stood, in its units: a fault would stand far away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from isospike.engine.events import Events
from isospike.engine.native.trains import enabled
from isospike.engine.run import Run
from isospike.engine.steploop import run_steploop
from isospike.graph.graph import Node, execute
from isospike.program import Program
from isospike.units.neuron import Neuron

PART = 16  # images at once
EXACT = 32  # images that are compared with float64 too
SHOWN = ("network", "side", "against", "images", "equal_percent", "untouched", "equal_predictions")
Trains = dict[str, Tensor]  # site -> int8 [T, B, ...]
Side = Callable[[Program, Tensor, int], tuple[Tensor, Trains]]


class Watch:
    """Keeps all spikes."""

    def __init__(self) -> None:
        self.parts: dict[str, list[Tensor]] = {}

    def spikes(self, site: str, start: int, drive: Tensor, spikes: Tensor, state: Tensor) -> None:
        self.parts.setdefault(site, []).append(spikes.to(torch.int8, copy=True))

    @property
    def trains(self) -> Trains:
        return {site: torch.cat(parts) for site, parts in self.parts.items()}


class Watched(Events):
    """The events engine, whose trains are kept."""

    def __init__(self, program: Program, steps: int, way: str) -> None:
        super().__init__(program, [steps], False, way)
        self.watch = Watch()

    def visit(self, node: Node, values, held, start: int, count: int, states, run: Run) -> None:
        super().visit(node, values, held, start, count, states, run)
        if node.is_site:
            sent = self.value(node.name, values, held, count) / self.units[node.name].amplitude
            spikes = sent.unflatten(0, (count, -1)).round()
            self.watch.spikes(node.name, start, spikes, spikes, spikes)


def steploop(program: Program, x: Tensor, steps: int) -> tuple[Tensor, Trains]:
    watch = Watch()
    return run_steploop(program, x, [steps], [watch]).outputs[steps], watch.trains


def exact(program: Program, x: Tensor, steps: int) -> tuple[Tensor, Trains]:
    return steploop(program.map_tensors(Tensor.double), x.double(), steps)


def events(way: str) -> Side:
    @torch.no_grad()
    def side(program: Program, x: Tensor, steps: int) -> tuple[Tensor, Trains]:
        engine = Watched(program, steps, way)
        return engine.run(x, steps).outputs[steps], engine.watch.trains

    return side


@torch.no_grad()
def misplaced(program: Program, x: Tensor, trains: Trains) -> tuple[int, float]:
    """How many spikes of `trains` come or stay out at a step where exact arithmetic on what the
    neuron received says otherwise, and the farthest from the threshold that one of them stood."""
    program, number, farthest = program.map_tensors(Tensor.double), 0, 0.0
    membranes: dict[str, Tensor] = {}

    def site(step: int, node: Node, z: Tensor) -> Tensor:
        nonlocal number, farthest
        unit, spikes = program.units[node.name], trains[node.name][step].double()
        assert isinstance(unit, Neuron)
        v = membranes[node.name] if step else unit.start(z)
        v = v + unit.charge(z[None], step)[0]
        wrong = (spikes > 0) != (v >= 1)
        number += int(wrong.sum())
        farthest = max(farthest, float(torch.where(wrong, (v - 1).abs(), 0.0).max()))
        membranes[node.name] = v - spikes
        return spikes * unit.amplitude

    for step in range(len(next(iter(trains.values())))):
        execute(program.graph, x.double(), partial(site, step))
    return number, farthest


@dataclass
class Tally:
    """Sums over the images so far."""

    positions: int = 0
    spikes: int = 0
    differing: int = 0
    images: int = 0
    predictions: int = 0
    untouched: int = 0
    exactly: dict[str, Any] = field(default_factory=dict)

    def add(self, one: tuple[Tensor, Trains], other: tuple[Tensor, Trains]) -> None:
        touched = torch.zeros(len(one[0]), dtype=torch.int64)
        for site, trains in one[1].items():
            self.positions += trains.numel()
            self.spikes += int(trains.count_nonzero())
            touched += (trains != other[1][site]).transpose(0, 1).flatten(1).sum(1)
        self.differing += int(touched.sum())
        self.untouched += int((touched == 0).sum())
        self.images += len(one[0])
        self.predictions += int((one[0].argmax(1) == other[0].argmax(1)).sum())

    def add_exactly(self, number: int, farthest: float) -> None:
        before = self.exactly or {"misplaced": 0, "farthest": 0.0}
        far = max(before["farthest"], farthest)
        self.exactly = {"misplaced": before["misplaced"] + number, "farthest": far}

    @property
    def row(self) -> dict[str, Any]:
        """equal_percent: of all neurons, steps and images; differing_per_spike: differing positions
        for each spike that is sent; untouched: images without a difference."""
        return {
            "images": self.images,
            "equal_percent": f"{100 * (1 - self.differing / self.positions):.4f}",
            "differing_per_spike": self.differing / self.spikes,
            "untouched": self.untouched,
            "equal_predictions": self.predictions,
            **self.exactly,
        }


def equality(name: str, program: Program, x: Tensor, steps: int) -> list[dict[str, Any]]:
    """A row for each side against the step loop; on the first images against float64 too."""
    sides: dict[str, Side] = {"steploop": steploop}
    if enabled():
        sides |= {"events": events("walk"), "auto": events("cheapest")}
    tallies: dict[tuple[str, str], Tally] = {}
    for start in range(0, len(x), PART):
        part = x[start : start + PART]
        found = {side: run(program, part, steps) for side, run in sides.items()}
        for side in sides:
            if side != "steploop":
                tally = tallies.setdefault((side, "steploop"), Tally())
                tally.add(found["steploop"], found[side])
        if start < EXACT:
            truth = exact(program, part, steps)
            for side in sides:
                tally = tallies.setdefault((side, "float64"), Tally())
                tally.add(truth, found[side])
                tally.add_exactly(*misplaced(program, part, found[side][1]))
    return [
        {"network": name, "side": side, "against": against, "steps": steps, **tally.row}
        for (side, against), tally in tallies.items()
    ]
