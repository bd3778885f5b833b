"""Comparing what engines return."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from isospike.engine.run import Run
from isospike.graph.graph import execute
from isospike.program import Program


def same(one: Run, other: Run) -> None:
    """Bit-equal readings and counts."""
    assert one.outputs.keys() == other.outputs.keys()
    assert one.counts.keys() == other.counts.keys()
    for steps, out in one.outputs.items():
        assert torch.equal(out, other.outputs[steps]), steps
        for site, at in one.counts.items():
            assert at[steps].dtype == torch.int64
            assert torch.equal(at[steps], other.counts[site][steps]), (site, steps)


@torch.no_grad()
def misplaced(
    program: Program, x: Tensor, counts: dict[str, dict[int, Tensor]]
) -> dict[str, float]:
    """How far from the threshold, in its units, the spikes of a run on one image [1, ...] are that
    exact arithmetic would have placed otherwise, given what each neuron did receive: site -> the
    farthest, 0 where all are right. counts: site -> step -> spikes so far, of every step; neurons
    are integrate-and-fire with soft reset."""
    program = program.map_tensors(Tensor.double)
    membranes = {
        name: unit.v0.expand(counts[name][1].shape) for name, unit in program.units.items()
    }
    farthest = dict.fromkeys(membranes, 0.0)

    def site(step, node, z):
        unit, at = program.units[node.name], counts[node.name]
        spikes = (at[step] - (at[step - 1] if step > 1 else 0)).double()
        v = membranes[node.name] + unit.charge(z, step - 1)[0]
        wrong = (spikes > 0) != (v >= 1)
        distance = torch.where(wrong, (v - 1).abs(), 0.0)
        farthest[node.name] = max(farthest[node.name], float(distance.max()))
        membranes[node.name] = v - spikes
        return spikes[None] * unit.amplitude

    for step in range(1, max(next(iter(counts.values()))) + 1):
        execute(program.graph, x.double(), partial(site, step))
    return farthest
