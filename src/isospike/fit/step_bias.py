"""A bias for every step, so that the mean output of a channel is right at each of them.

    for t = 1 .. T:   b_t += alpha * mean over images and positions of (a - theta s(t))

with s(t) under the corrected steps before it: forward only, no gradient. An expected error of zero
at each step is more than one of zero over all of them, and costs a table of T numbers a channel.
Source: Wu et al., ECCV 2024 (FTBC).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.fit.bias import channel_mean
from isospike.fit.site import Site
from isospike.units.neuron import Neuron


@dataclass(frozen=True)
class StepBias:
    """alpha: share of the error that one correction takes; passes: over the images."""

    alpha: float = 0.5
    passes: int = 3
    key = "drift"
    stage = "unit"
    depends_on_steps = True
    needs_drive = True
    hardware_class = "H1"

    def fit(self, site: Site) -> None:
        unit = site.unit
        assert isinstance(unit, Neuron)
        a = site.activation
        drift = torch.zeros(site.steps, *channel_mean(a).shape, dtype=a.dtype)
        for _ in range(self.passes):
            drift = self.corrected(site, unit, a, drift)
        site.set_unit(drift=drift)

    def corrected(self, site: Site, unit: Neuron, a: Tensor, drift: Tensor) -> Tensor:
        """One pass over the steps; each sees the correction of those before it."""
        state, drift = None, drift.clone()
        for t in range(site.steps):
            z = site.drive[min(t, len(site.drive) - 1)][None] + drift[t]
            spikes, state = unit.scan(z, state, t)
            drift[t] += self.alpha * channel_mean(a - spikes[0] * unit.amplitude)
        return drift
