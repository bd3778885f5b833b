"""The neuron with a threshold for each phase of a period: phase coding with weighted spikes.

    e(t) = K 2^-(1 + (t - 1) mod K)                          weight of a spike at step t
    v(t) = v(t-1) + d(t),   s(t) = H(v(t) - e(t)),   v(t) <- v(t) - e(t) s(t)
    sent:  theta e(t) s(t)

A period of K steps sends up to K (1 - 2^-K) theta, most significant spike first: 2^K levels where
binary spikes of equal weight have K + 1.

Source: Kim et al. 2018 ("weighted spikes"), with weights scaled by K, so that their mean over time
is the value and constants may flow at every step. Period 1 is half the integrate-and-fire neuron.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.units.neuron import Neuron


@dataclass(frozen=True, kw_only=True)
class Timed(Neuron):
    """period: K, steps. Spikes are in units of theta: e(t) where the neuron fires."""

    period: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.period <= 24:
            raise ValueError(f"period={self.period}: 1 to 24")

    @property
    def whole(self) -> bool:
        return False

    @property
    def top(self) -> Tensor:
        return self.theta * (1 - 2.0**-self.period)

    def weight(self, step: int) -> float:
        """e of step number `step`, counted from 0."""
        return phase_weight(step, self.period)

    def scan(
        self, z: Tensor, state: Tensor | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Tensor]:
        drive, v = self.begin(z, state, start, scratch)
        for t, step in enumerate(drive, start):
            weight = self.weight(t)
            v.add_(step)
            torch.ge(v, weight, out=step)
            v.sub_(step.mul_(weight))
        return drive, v

    def events(self, spikes: Tensor, mark: Tensor | None = None, start: int = 0) -> Tensor:
        """One event a spike, whatever it weighs."""
        return (spikes != 0).to(spikes.dtype)


def phase_weight(step: int, period: int) -> float:
    """K 2^-(1 + step mod K)"""
    return period * 2.0 ** -(1 + step % period)
