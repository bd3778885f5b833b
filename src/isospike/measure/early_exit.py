"""Early exit: a sample leaves as soon as the network is sure of it, the others go on.

    leave at the first reading t with  max softmax(y(t)) >= confidence,  or at the last one

Samples that have left cost no more steps. Source: the input-aware adaptive timesteps of Wang et al.
2025 (AdaFire), after Li et al. 2023 (SEENN-I).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.engine.run import Run, checked_steps
from isospike.engine.stream import Stream
from isospike.errors import UsageError
from isospike.measure.energy import Costs, energy_nj
from isospike.measure.evaluate import Batches, Forward, Row, Score, row_of
from isospike.network import SpikingNetwork
from isospike.processes import together, total
from isospike.units.coders import Constant

ROWS = 32  # samples that go together: more, over many steps, fall out of the cache


@dataclass(frozen=True)
class Exit:
    """outputs: logits [B, classes], each at its own time; steps: that time [B]; counts: site ->
    spikes of each neuron summed over the batch."""

    outputs: Tensor
    steps: Tensor
    counts: Mapping[str, Tensor]


def checked_shares(confidence: Sequence[float]) -> list[float]:
    """UsageError for what is no share above 0."""
    if wrong := [each for each in confidence if not 0 < each <= 1]:
        raise UsageError(f"confidence is a share above 0 and at most 1, got {wrong}")
    return list(confidence)


@torch.no_grad()
def early_exit(
    snn: SpikingNetwork, x: Tensor, confidence: float, steps: int | Sequence[int] | None = None
) -> Exit:
    """x [B, ...] held; steps: readings at which a sample may leave, by default 1 .. T of the
    network. UsageError for a confidence that is no share, or an answer that belongs to one T."""
    checked_shares([confidence])
    if not isinstance(snn.program.coder, Constant):
        raise UsageError("early exit holds the image: coder=direct")
    snn.check(x)
    readings = checked_steps(list(range(1, snn.steps + 1)) if steps is None else steps)
    parts = [_exit(snn, part, confidence, readings) for part in x.split(ROWS)]
    counts = {site: sum(part.counts[site] for part in parts) for site in parts[0].counts}
    outputs, left = (torch.cat([getattr(p, of) for p in parts]) for of in ("outputs", "steps"))
    return Exit(outputs, left, counts)  # type: ignore[arg-type]


def _exit(snn: SpikingNetwork, x: Tensor, confidence: float, readings: list[int]) -> Exit:
    stream, rows = Stream(snn.program), torch.arange(len(x), device=x.device)
    left, outputs = torch.zeros(len(x), dtype=torch.int64, device=x.device), None
    for t in readings:
        going = t - stream.steps
        logits = stream.go_on(going) if stream.steps else stream.hold(x, going)
        outputs = torch.zeros_like(logits) if outputs is None else outputs
        sure = logits.softmax(1).amax(1) >= confidence
        sure |= t == readings[-1]
        outputs[rows[sure]], left[rows[sure]] = logits[sure], t
        if sure.all():
            break
        if sure.any():
            stream.keep(~sure)
            rows = rows[~sure]
    assert outputs is not None
    return Exit(outputs, left, stream.counts)


def measure_exit(
    snn: SpikingNetwork,
    batches: Batches,
    confidence: float,
    steps: Sequence[int],
    ann: Forward,
    costs: Costs,
) -> Row:
    """A row named `RECIPE exit CONFIDENCE`, its latency, work and energy the mean of all images."""
    score, whole, last = Score(), Run(), max(steps)
    spent = 0
    with together():
        for x, labels in batches:
            reference = ann(x)
            left = early_exit(snn, x, confidence, steps)
            score.add(left.outputs, reference, labels)
            spent += int(left.steps.sum())
            for site, spikes in left.counts.items():
                whole.tally(site, last, spikes)
    score = score.merged()
    mean = int(total(torch.tensor([spent]))) / score.n
    row = row_of(snn, last, score, whole, costs)
    macs = costs.held_macs + costs.step_macs * mean
    return replace(
        row, recipe=f"{row.recipe} exit {confidence:g}", latency=round(mean, 2), macs=macs,
        neuron_updates=round(costs.updates(snn.program, 1) * mean),
        energy_nj=energy_nj(row.synops, macs),
        site_rates={site: rate * last / mean for site, rate in row.site_rates.items()},
        notes=[*row.notes, "latency is the mean over the images"],
    )  # fmt: skip
