"""A program of few spikes: any function of one number, in K steps of one phase.

    v(0) = x,   s(t) = H(v - T(t)),   v <- v - h(t) s(t),   f(x) ~ sum of d(t) s(t)

x is the mean drive that the phase before has accumulated. The receiver weighs the spike of step t
by d(t) in the place of the code's own weight, so neurons with different programs, and with the
radix code, work in one network. T, h, d are fitted to the function (fit/few_spike.py). Source:
Stoeckl and Maass 2021, eq. 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.units.radix import RadixCode


@dataclass(frozen=True)
class FewSpike:
    """thresholds T, resets h, weights d: [K], activation units of the ANN. code: of the phases."""

    thresholds: Tensor
    resets: Tensor
    weights: Tensor
    code: RadixCode
    bias = None

    @property
    def amplitude(self) -> Tensor:
        return torch.ones((), dtype=self.weights.dtype, device=self.weights.device)

    @property
    def top(self) -> Tensor:
        """The largest value."""
        return self.weights.clamp(min=0.0).sum()

    theta = top

    def dual(self, z: Tensor, steps: int) -> Tensor:
        return self._sums(z, steps)[0]

    def _sums(self, x: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """The value [B, ...] of the train of x, cut off where the phase ends, and its spikes summed
        over the batch [...]."""
        v, value, counts = x, torch.zeros_like(x), torch.zeros_like(x[0])
        for t in range(min(len(self.thresholds), self.code.digits(steps))):
            spikes, v = self._step(v, t)
            value += self.weights[t].to(v.dtype) * spikes
            counts += spikes.sum(0)
        return value, counts

    def _step(self, v: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Spikes of step t, and the potential after them."""
        spikes = (v > self.thresholds[t]).to(v.dtype)
        return spikes, v - self.resets[t] * spikes

    def send(self, z: Tensor, gain: float, steps: int) -> tuple[Tensor, Tensor]:
        """Accumulated drive z [B, ...] -> value, `gain` times, and spikes summed over the batch."""
        value, counts = self._sums(z / gain, steps)
        return value * gain, counts

    def charge(self, z: Tensor, constants: float, steps: int) -> Tensor:
        return self.code.exact(z, steps)

    def primed(self, potential: Tensor, steps: int) -> Tensor:
        return self.code.mean(potential, steps)

    def fire(self, v: Tensor, t: int, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """Step t of a phase: spikes, what they send, the potential after them."""
        if t >= len(self.thresholds):
            return torch.zeros_like(v), torch.zeros_like(v), v
        spikes, after = self._step(v, t)
        still = self.code.base(steps) ** (self.code.digits(steps) - 1 - t)  # to be multiplied by
        sent = spikes * (self.weights[t].to(v.dtype) * self.code.gain(steps) / still)
        return spikes, sent, after
