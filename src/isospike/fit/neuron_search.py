"""Threshold and initial potential of each channel, by search on the drive it really gets.

    for candidates c of theta, then of v(0):   b_c = mean(a - phi_c);   keep c where
    mean over images and positions of (a - phi_{c, b_c})^2 is least

A static transfer knows neither the order in which spikes come nor the error inherited from below;
the spikes of the neuron itself know both. Each channel is a search of its own, all at once. Ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.fit.bias import channel_mean
from isospike.fit.mean_output import mean_output
from isospike.fit.site import Site
from isospike.units.neuron import Neuron

# Of equals the first is kept, so what need not change does not.
THETAS = (1.0, 0.9, 1.1, 0.8, 1.2, 0.7, 1.35, 0.6)  # multiples of the threshold found before
POTENTIALS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2)  # v(0) in units of theta


@dataclass(frozen=True)
class NeuronSearch:
    """rows: positions x images per channel that decide."""

    rows: int = 80_000
    key = "search"
    stage = "unit"
    depends_on_steps = True
    needs_drive = True

    def fit(self, site: Site) -> None:
        unit = site.unit
        assert isinstance(unit, Neuron)
        a = site.activation
        positions = a[0].numel() // a.shape[1]
        count = max(1, min(site.images, self.rows // positions))
        a, drive = a[:count], site.drive[:, :count].contiguous()
        theta = unit.theta.expand(a.shape[1], *[1] * (a.dim() - 2))
        unit = replace(unit, v0=unit.v0.expand_as(theta), bias=None)
        trials = [replace(unit, theta=theta * factor) for factor in THETAS]
        unit = best(trials, drive, a, site.steps)
        trials = [replace(unit, v0=torch.full_like(theta, v), bias=None) for v in POTENTIALS]
        site.unit = best(trials, drive, a, site.steps)


def best(trials: list[Neuron], drive: Tensor, a: Tensor, steps: int) -> Neuron:
    """For each channel the trial whose mean output over T steps of drive z [T or 1, N, ...] is
    nearest to `a` [N, ...] once its mean agrees."""
    found = replace(trials[0], bias=torch.zeros_like(trials[0].theta))
    least = torch.full_like(found.theta, torch.inf)
    for trial in trials:
        trial = replace(trial, bias=channel_mean(a - mean_output(trial, drive, steps)))
        loss = channel_mean((a - mean_output(trial, drive, steps)).square())
        better = loss < least
        least = torch.where(better, loss, least)
        found = replace(found, **{
            name: torch.where(better, getattr(trial, name), getattr(found, name))
            for name in ("theta", "v0", "bias")
        })  # fmt: skip
    return found
