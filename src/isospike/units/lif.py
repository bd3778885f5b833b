"""The leaky integrate-and-fire neuron with a refractory time, in Nengo's steps.

    c(t) = c(t-1) + (d(t) - c(t-1)) (1 - exp(-1 / tau_syn)),   j = c tau_rc / tau_ref
    v <- v + (j - v) (1 - exp(-delta / tau_rc)),   delta: the part of the step outside the rest
    v >= 1: a spike, v <- 0, and rest for tau_ref from the moment between two steps at which
            v crossed 1;   v < 0: v <- 0

d is the drive in units of theta, which is what a spike every tau_ref steps is worth: a spike is
worth theta tau_ref. Rate under constant drive: 1 / (tau_ref + tau_rc log(1 + 1 / (j - 1))).
Source: Hunsberger and Eliasmith 2016; Bekolay et al. 2014 (Nengo). Where a synapse of the paper
filters each spike train, here the neuron filters their sum, which is the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.soft_lif import TAU_RC, TAU_REF
from isospike.units.neuron import Paired


@dataclass(frozen=True, kw_only=True)
class LIF(Paired):
    """tau_syn: steps, time constant of the synapse; 0 for none. State: v, filtered drive, steps
    still to rest, [3, B, ...]."""

    tau_syn: float = 5.0
    others = 2

    def __post_init__(self) -> None:
        if not self.tau_syn >= 0:
            raise ValueError(f"tau_syn={self.tau_syn}: at least 0")

    @property
    def leak(self) -> float:
        """What a step keeps of the potential."""
        return math.exp(-1 / TAU_RC)

    @property
    def lossless(self) -> bool:
        return False

    @property
    def amplitude(self) -> Tensor:
        return self.theta * TAU_REF

    def scan(
        self, z: Tensor, state: Tensor | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Tensor]:
        drive, state = self.begin(z, state, start, scratch)
        v, filtered, rest = state
        kept = math.exp(-1 / self.tau_syn) if self.tau_syn else 0.0
        for step in drive:
            filtered.lerp_(step, 1 - kept)
            j = filtered * (TAU_RC / TAU_REF)
            rest.sub_(1.0)
            integrated = (1.0 - rest).clamp_(0.0, 1.0)
            v.sub_((j - v) * torch.expm1(-integrated / TAU_RC)).clamp_(min=0.0)
            spikes = v >= 1.0
            # From where v stood when it crossed 1 to the end of the step; nothing to see elsewhere.
            over = torch.where(spikes, (v - 1) / (j - 1).clamp(min=1e-6), 0.0).clamp_(max=0.999)
            rest.copy_(torch.where(spikes, TAU_REF + 1.0 + TAU_RC * torch.log1p(-over), rest))
            v.masked_fill_(spikes, 0.0)
            step.copy_(spikes)
        return drive, state
