"""Are the spikes of the engines those of the step loop: every neuron, step and image compared.

Float32 sums of the same numbers differ by their order, so spikes may; what order alone does is
told by the step loop in float64, which every side is compared with too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isospike.engine.dense import run_dense
from isospike.engine.events import Events
from isospike.engine.native.trains import enabled
from isospike.engine.run import Run
from isospike.engine.steploop import run_steploop
from isospike.program import Program

PART = 16  # images at once
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

    def __init__(self, program: Program, steps: int, choose: bool) -> None:
        super().__init__(program, [steps], False, choose)
        self.watch = Watch()

    def visit(self, node, values, held, start: int, count: int, states, run: Run) -> None:
        super().visit(node, values, held, start, count, states, run)
        if node.is_site:
            value = values[node.name]
            if isinstance(value, Tensor):
                value = value.unflatten(0, (count, -1)) / self.units[node.name].amplitude
                spikes = value.round()
            else:
                spikes = value.spikes.permute(0, 1, 4, 2, 3)
                spikes = spikes.flatten(2) if value.flat else spikes
            self.watch.spikes(node.name, start, spikes, spikes.clone(), spikes)


def steploop(program: Program, x: Tensor, steps: int) -> tuple[Tensor, Trains]:
    watch = Watch()
    return run_steploop(program, x, [steps], [watch]).outputs[steps], watch.trains


def exact(program: Program, x: Tensor, steps: int) -> tuple[Tensor, Trains]:
    return steploop(program.map_tensors(Tensor.double), x.double(), steps)


def dense(program: Program, x: Tensor, steps: int) -> tuple[Tensor, Trains]:
    watch = Watch()
    return run_dense(program, x, [steps], [watch]).outputs[steps], watch.trains


def events(choose: bool) -> Side:
    @torch.no_grad()
    def side(program: Program, x: Tensor, steps: int) -> tuple[Tensor, Trains]:
        engine = Watched(program, steps, choose)
        return engine.run(x, steps).outputs[steps], engine.watch.trains

    return side


@dataclass
class Tally:
    """Sums over the images so far."""

    positions: int = 0
    spikes: int = 0
    differing: int = 0
    images: int = 0
    predictions: int = 0
    untouched: int = 0

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

    @property
    def row(self) -> dict[str, Any]:
        """equal: of all neurons, steps and images; per_spike: differing positions for each spike
        that is sent; untouched: images without a difference; predictions: equal ones."""
        return {
            "images": self.images,
            "equal": 1 - self.differing / self.positions,
            "differing_per_spike": self.differing / self.spikes,
            "untouched": self.untouched,
            "equal_predictions": self.predictions,
        }


def equality(program: Program, x: Tensor, steps: int) -> list[dict[str, Any]]:
    """A row for each side against the step loop, and against it in float64."""
    sides: dict[str, Side] = {"steploop": steploop, "dense": dense}
    if enabled():
        sides |= {"events": events(False), "auto": events(True)}
    tallies: dict[tuple[str, str], Tally] = {}
    for part in x.split(PART):
        found = {name: side(program, part, steps) for name, side in sides.items()}
        found["float64"] = exact(program, part, steps)
        for against in ("steploop", "float64"):
            for name in sides:
                if name != against:
                    tally = tallies.setdefault((name, against), Tally())
                    tally.add(found[against], found[name])
    return [
        {"side": name, "against": against, "steps": steps, **tally.row}
        for (name, against), tally in tallies.items()
    ]
