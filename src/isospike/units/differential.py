"""Differential coding: a neuron sends by how much its rate should change.

    r(t) = r(t-1) + x(t) / t            a train x of changes, and the rate it tells
    v(t) = v(t-1) + z(t) - r(t-1)       z: drive;   x(t) = fire(v(t)),   v(t) <- v(t) - x(t)
    fire(v) = sign(v) theta / 2^i       the largest level with abs(v) >= 3/4 theta / 2^i, i < n

A rate that is right needs no spikes to stay so, and an image that does not change is one event. In
the code the receiver adds x(t) to the rate it knows; that is the sum r(t-1) + x(t), whose mean over
time is r(t), so here a neuron *sends* r(t-1) + x(t) and its *events* are the x(t) that are not 0:
the same network, in variables that every engine knows. A rate below zero is never sent: ReLU. Where
the source's activation ends (ours), what fires is at most what the rate has left to there:

    x(t) = fire(min(v(t), (most - r(t-1)) t))

Source: Huang et al., ICML 2025 (differential coding, multi-threshold neurons).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.units.neuron import Paired

REACH = 0.75  # of a level: what fires it


@dataclass(frozen=True, kw_only=True)
class Differential(Paired):
    """levels: n; theta is the largest; most: the largest rate in units of theta, None for no
    bound. State [2, B, ...]: membrane and rate, in units of theta."""

    levels: int = 8
    most: Tensor | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.levels <= 16:
            raise ValueError(f"levels={self.levels}: 1 to 16")

    @property
    def whole(self) -> bool:
        return False

    @property
    def lossless(self) -> bool:
        return False  # what the membrane keeps is against the rate, not the sum

    @property
    def top(self) -> Tensor:
        return self.theta * (torch.inf if self.most is None else self.most)

    def within(self, clip: float) -> Differential:
        return replace(self, most=clip / self.theta)

    def scan(
        self, z: Tensor, state: Tensor | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Tensor]:
        drive, state = self.begin(z, state, start, scratch)
        v, rate = state
        for t, step in enumerate(drive, start + 1):
            v.add_(step).sub_(rate)
            change = self.fire(v if self.most is None else v.minimum((self.most - rate) * t))
            change = torch.where(rate * t + change < 0, 0.0, change)
            v.sub_(change)
            torch.add(rate, change, out=step)
            rate.add_(change / t)
        return drive, state

    def fire(self, v: Tensor) -> Tensor:
        """The largest level within reach, in units of theta."""
        steps = torch.ceil(-torch.log2((v.abs() / REACH).clamp(min=1e-30))).clamp_(min=0)
        return torch.where(steps < self.levels, torch.copysign(torch.exp2(-steps), v), 0.0)

    def events(self, spikes: Tensor, mark: Tensor | None = None, start: int = 0) -> Tensor:
        """1 where a change was sent."""
        rate = torch.zeros_like(spikes[0]) if mark is None else mark
        out = torch.empty_like(spikes)
        smallest = 2.0 ** -(self.levels - 1)
        for t, (sent, event) in enumerate(zip(spikes, out, strict=True), start + 1):
            change = sent - rate
            event.copy_(change.abs() > smallest / 2)
            rate = rate + change / t
        return out
