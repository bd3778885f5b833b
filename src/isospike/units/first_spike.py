"""Time to first spike: one spike a phase, worth more the sooner it comes.

    U = V / k^(T-1);   the neuron fires once, at the first t with U k^(t-1) >= (1 + 1/k) / 2
    code   c = k^(T-t),   value  a = theta k^(1-t);   without a spike 0
    k = ratio^(1 / (T-1)):   that of the largest value to the smallest

What a spike must reach lies half way between its level and the next one, so that levels round. The
receiver weighs a spike by its time, V <- k V + z; constants flow in the first step of a phase. With
the kernel exp(-t / tau) of the paper, k = exp(1 / tau) and ratio = exp((T-1) / tau): 54.6 at its T
= 80, tau = 20. Kept here is the ratio, so that few steps have few, coarse levels.

Source: Park et al., DAC 2020 (T2FSNN).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.units.radix import RadixCode


@dataclass(frozen=True)
class FirstSpikeCode(RadixCode):
    """ratio: above 1. `k` and `extra` are not used."""

    ratio: float = 54.6
    once = True

    @property
    def closed(self) -> bool:
        return False

    def capped(self, steps: int) -> int:
        return steps

    def base(self, steps: int) -> float:
        return self.ratio ** (1 / max(1, steps - 1))

    def gain(self, steps: int) -> float:
        """What a value of theta accumulates to: its one spike comes first."""
        return self.base(steps) ** (steps - 1)

    def constant_steps(self, steps: int) -> int:
        return 1

    def fire(self, u: Tensor, steps: int) -> Tensor:
        return (u >= (1 + 1 / self.base(steps)) / 2).to(u.dtype)

    def after(self, u: Tensor, spikes: Tensor, steps: int) -> Tensor:
        """Silent for the rest of the phase once it has fired."""
        return torch.where(spikes > 0, 0.0, u) * self.base(steps)
