"""phi: what a neuron sends on average under the drive that it really gets."""

from __future__ import annotations

import torch
from torch import Tensor

from isospike.engine import native
from isospike.units.binary import IF
from isospike.units.neuron import Neuron

PIECE = 64  # images whose spikes are in memory at once


def mean_output(unit: Neuron, drive: Tensor, steps: int) -> Tensor:
    """phi(T) = amplitude / T * sum over t of s(t)   [N, ...], activation units, from v(0), under
    drive z [T, N, ...], or [1, N, ...] held for all T = `steps`."""
    if isinstance(unit, IF) and native.serves(unit, drive):
        total = native.count(unit, drive, steps)
    else:
        total = torch.zeros_like(drive[0])
        for part, out in zip(drive.split(PIECE, 1), total.split(PIECE), strict=True):
            spikes, _ = unit.scan(part.expand(steps, *part.shape[1:]), None)
            out.copy_(spikes.sum(0))
    return total.div_(steps).mul_(unit.amplitude)
