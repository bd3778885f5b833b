"""A probe before the run: potentials set anew for every neuron and image.

mask    the whole network runs `probe` steps; a neuron that ends with v <= 0.001 would send nothing
        under constant drive: it is kept silent (SRP)
shift   layer after layer; with m the potential before each reset, in units of theta,
            spikes > 0 and v < 0       v(0) -= max(1, least m of a spike - 0.999)
            room for one and v >= 1    v(0) += max(1, 1.001 - largest m without one)
        which moves exactly one spike (COS)

The probe costs time, spikes and updates: `Probed.latency` and `Run.probe` count them.
Source: Hao et al., AAAI 2023 and ICLR 2023, steps from the authors' code.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from isospike.engine.run import fold_time
from isospike.graph.graph import Node, execute
from isospike.program import Program
from isospike.schedule import Probed, Synchronous
from isospike.units.binary import IF

LEAST = 1e-3  # of a threshold: what counts as more than nothing


@torch.no_grad()
def probed(program: Program, x: Tensor) -> tuple[Program, dict[str, Tensor]]:
    """The program for the images x [B, ...] alone: v(0) [B, ...] of every neuron as the probe says,
    to be run without one; and the spikes of the probe, site -> [...], summed over the batch."""
    schedule = program.schedule
    assert isinstance(schedule, Probed)
    units, sent = dict(program.units), {}
    frames = program.coder.frames(x, schedule.probe)
    frames = x.expand(schedule.probe, *x.shape) if frames is None else frames

    def site(node: Node, z: Tensor) -> Tensor:
        unit = program.units[node.name]
        drive = z.unflatten(0, (schedule.probe, -1))
        if isinstance(unit, IF):
            units[node.name], spikes = RULES[schedule.rule](unit, drive)
        else:
            spikes, _ = unit.scan(drive, None)  # type: ignore[union-attr]
        events = unit.events(spikes, unit.mark(None))  # type: ignore[union-attr]
        sent[node.name] = events.sum((0, 1)).round().to(torch.int64)
        return fold_time(spikes * unit.amplitude).to(z.dtype)

    execute(program.graph, fold_time(frames), site)
    return replace(program, units=units, schedule=Synchronous()), sent


def mask(unit: IF, drive: Tensor) -> tuple[IF, Tensor]:
    """The neuron silenced where its probe says so, and the spikes of the probe [T, B, ...]."""
    spikes, v = unit.scan(drive, None)
    never = torch.full_like(v, -torch.inf)
    return replace(unit, v0=torch.where(v > LEAST, unit.v0.expand_as(v), never)), spikes


def shift(unit: IF, drive: Tensor) -> tuple[IF, Tensor]:
    """The neuron with its potential shifted, and its corrected spikes [T, B, ...]."""
    before = unit.start(drive[0])
    spikes, v = unit.scan(drive, before.clone())
    charged = unit.charge(drive).cumsum(0) + before - (spikes.cumsum(0) - spikes)
    fired = spikes > 0
    least = torch.where(fired, charged, torch.inf).amin(0)
    most = torch.where(fired, -torch.inf, charged).amax(0)
    down = (least - (1 - LEAST)).clamp(min=1.0) * ((v < 0) & fired.any(0))
    up = (1 + LEAST - most).clamp(min=1.0) * ((v >= 1) & ~fired.all(0))
    unit = replace(unit, v0=before - down.nan_to_num(posinf=0.0) + up.nan_to_num(posinf=0.0))
    return unit, unit.scan(drive, None)[0]


RULES = {"mask": mask, "shift": shift}
