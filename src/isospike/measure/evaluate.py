"""Accuracy against time: one row per recipe and T, with what it cost.

Every sum here is of whole numbers, or of numbers per image that are added without rounding, so
batches and processes (processes.py) add up in any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from isospike.engine.run import Run
from isospike.errors import DataError, Interrupted
from isospike.graph.graph import execute
from isospike.measure.energy import Costs, energy_nj
from isospike.network import SpikingNetwork
from isospike.processes import gathered, together, total, world
from isospike.schedule import Probed
from isospike.units.coders import Coder

Forward = Callable[[Tensor], Tensor]
Batches = Iterable[tuple[Tensor, Tensor | None]]


@dataclass
class Row:
    """One reading. Per image: spikes_per_neuron (over all steps), synops, macs, updates, energy; a
    probe and settling steps are in all of them. site_rates have no probe.

    accuracy and agreement (same class as the ANN) are shares; output_error is
    |y - ANN| / |ANN| over all logits; site_rates are spikes per neuron and step; calibration_images
    is all the data that the conversion was given, 0 where it needs none (without labels).
    """

    recipe: str
    steps: int
    converted_for: int | None = None
    extra_steps: int = 0
    latency: float = 0
    hardware_class: str = ""
    accuracy: float | None = None
    agreement: float | None = None
    spikes_per_neuron: float = 0.0
    synops: float = 0.0
    macs: float = 0.0
    neuron_updates: int = 0
    energy_nj: float = 0.0
    output_error: float = 0.0
    site_rates: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    network: str = ""
    ann_accuracy: float | None = None
    calibration_images: int = 0
    skipped: str | None = None

    def to_json(self) -> dict[str, Any]:
        if self.skipped is not None:
            return {"recipe": self.recipe, "steps": self.steps, "skipped": self.skipped}
        return {k: v for k, v in vars(self).items() if k != "skipped"}


@dataclass
class Score:
    """Counts over images: how many, labelled, right, equal to the ANN; and for each image the
    squares of its error and of the ANN's logits."""

    n: int = 0
    labelled: int = 0
    correct: int = 0
    agree: int = 0
    errors: list[float] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)

    def add(self, y: Tensor, ann: Tensor, labels: Tensor | None) -> None:
        best = y.argmax(1)
        self.n += len(y)
        self.agree += int((best == ann.argmax(1)).sum())
        self.errors += (y - ann).double().square().sum(1).tolist()
        self.scales += ann.double().square().sum(1).tolist()
        if labels is not None:
            if y.dim() != 2:
                raise DataError(f"labels need outputs [B, classes], got {list(y.shape)}")
            if len(labels) and int(labels.max()) >= y.shape[1]:
                raise DataError(
                    f"label {int(labels.max())}, but the network has {y.shape[1]} outputs, 0 to "
                    f"{y.shape[1] - 1}: is this the data set that it was trained on?"
                )
            self.labelled += len(labels)
            self.correct += int((best == labels.to(best.device)).sum())

    def merged(self) -> Score:
        """That of all processes."""
        counts = torch.tensor([self.n, self.labelled, self.correct, self.agree])
        per_image = (torch.tensor(part, dtype=torch.float64) for part in (self.errors, self.scales))
        return Score(*total(counts).tolist(), *(gathered(part).tolist() for part in per_image))

    @property
    def accuracy(self) -> float | None:
        return self.correct / self.labelled if self.labelled else None

    @property
    def agreement(self) -> float:
        return self.agree / self.n

    @property
    def output_error(self) -> float:
        scale = math.fsum(self.scales)  # exact, so that no order of the images changes a bit
        return (math.fsum(self.errors) / scale) ** 0.5 if scale else 0.0


@torch.no_grad()
def measure(
    snn: SpikingNetwork,
    batches: Batches,
    steps: Sequence[int],
    ann: Forward | None = None,
    costs: Costs | None = None,
) -> list[Row]:
    """One row per T of `steps`: one pass where the schedule allows it, else one run per T.

    batches: in `sharded`, the share of this process. ann: logits of the source network; by default
    the source kept in the program. Interrupted by Ctrl-C once there are images (of one process).
    """
    program = snn.program
    if ann is None and program.source is not None:
        source = program.source
        ann = lambda x: execute(source, x)  # noqa: E731
    costs = costs or Costs.of(program.graph)
    probe = [program.schedule.probe] if isinstance(program.schedule, Probed) else []
    sums = _Sums(program.graph.input, {t: Score() for t in steps})
    try:
        with together():
            for x, labels in batches:
                reference = ann(x) if ann is not None else None
                run = snn.run(x, list(steps))
                sent, before = (_coder_spikes(program.coder, x, ts) for ts in (steps, probe))
                sums.add(run, reference, labels, sent, before)
    except KeyboardInterrupt as stop:
        if not sums.n or not sums.sound or world() > 1:
            raise
        rows = [row_of(snn, t, score, sums.whole, costs) for t, score in sums.scores.items()]
        told = f"interrupted: the first {sums.n} images"
        raise Interrupted([replace(row, notes=[*row.notes, told]) for row in rows]) from stop
    return [row_of(snn, t, score.merged(), sums.whole, costs) for t, score in sums.scores.items()]


@dataclass
class _Sums:
    """What the batches add up to; n: images of whole batches."""

    pixels: str
    scores: dict[int, Score]
    whole: Run = field(default_factory=Run)
    n: int = 0

    def add(self, run: Run, reference: Tensor | None, labels: Tensor | None, sent, before) -> None:
        for t, score in self.scores.items():
            y = run.outputs[t]
            score.add(y, y if reference is None else reference, labels)
        for site, at in [*run.counts.items(), (self.pixels, sent)]:
            for t, spikes in at.items():
                self.whole.tally(site, t, spikes)
        self.whole.probed(run.probe)
        for spikes in before.values():
            self.whole.probed({self.pixels: spikes})
        self.n += len(next(iter(run.outputs.values())))

    @property
    def sound(self) -> bool:
        """Is no batch counted by half?"""
        return all(score.n == self.n for score in self.scores.values())


def _coder_spikes(coder: Coder, x: Tensor, steps: Sequence[int]) -> dict[int, Tensor]:
    """T -> spikes of each pixel up to T, summed over the batch; nothing for a held image."""
    if not steps:
        return {}
    length = max(steps)
    found = dict.fromkeys(steps, torch.zeros(()))
    for part in x.split(max(1, 4096 // length)):
        events = coder.events(part, length)
        if events is None:
            return {}
        found = {t: sums + events[:t].sum((0, 1)) for t, sums in found.items()}
    return found


def row_of(snn: SpikingNetwork, steps: int, score: Score, whole: Run, costs: Costs) -> Row:
    program, known = snn.program, snn.provenance
    counts = {site: at[steps] for site, at in whole.counts.items()}
    # A process without images has no counts.
    own = [int(counts[site].sum()) if counts else 0 for site in costs.neurons]
    before = sum(int(whole.probe[site].sum()) for site in costs.neurons if site in whole.probe)
    sent = costs.synops(counts) + costs.synops(whole.probe)
    operations, before, *sums = total(torch.tensor([sent, before, *own])).tolist()
    spikes = dict(zip(costs.neurons, sums, strict=True))
    everything = before + sum(spikes.values())
    synops = operations / score.n
    macs = costs.macs(program, steps)
    return Row(
        recipe=known.get("recipe", ""),
        steps=steps,
        converted_for=known.get("converted_for"),
        extra_steps=program.schedule.extra_steps(program.depth),
        latency=program.latency(steps),
        hardware_class=known.get("hardware_class", ""),
        calibration_images=known.get("calibration_size", 0),
        accuracy=score.accuracy,
        agreement=score.agreement,
        spikes_per_neuron=everything / score.n / max(1, sum(costs.neurons.values())),
        synops=synops,
        macs=macs,
        neuron_updates=costs.updates(program, steps),
        energy_nj=energy_nj(synops, macs),
        output_error=score.output_error,
        site_rates={s: n / (score.n * costs.neurons[s] * steps) for s, n in spikes.items()},
        notes=[*_notes(program, steps), *program.notes],
    )


def _notes(program: Any, steps: int) -> list[str]:
    code = getattr(program.schedule, "code", None)
    if code is not None and code.capped(steps) < steps:
        return [f"grid capped: float64 tells {code.capped(steps)} steps apart at k={code.k}"]
    return []
