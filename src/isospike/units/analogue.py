"""A function that stays as it is, on what has come so far: its time mean is right at every step.

    y(t) = t f(m(t)) - (t - 1) f(m(t - 1)),    m(t) = mean of x(1) .. x(t)

The sum of y telescopes to t f(m(t)), so every reading holds the function of the mean; f of one
step's drive would not (the mean of f is not f of the mean). No neuron stands here and no spike
leaves: the values are graded, and no synaptic operation is counted for them. On a
separated schedule f of what a phase has accumulated is sent in the first step of the next one.
Hardware class H4. Static transfer: f itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from isospike.graph.analogue import FUNCTIONS
from isospike.units.kernel import wide
from isospike.units.no_neuron import NoNeuron
from isospike.units.radix import RadixCode


@dataclass(frozen=True)
class SoFar:
    """steps so far, their summed drive [B, ...], and what has been sent, t f(m(t)) [B, ...]."""

    steps: int
    drive: Tensor
    sent: Tensor


@dataclass(frozen=True)
class Analogue(NoNeuron):
    """op: a name in `graph.analogue.FUNCTIONS`; attrs: its settings; code: of the phases, None
    without."""

    op: str
    attrs: Mapping[str, Any] = field(default_factory=dict)
    code: RadixCode | None = None

    def scan(
        self, x: Tensor, state: SoFar | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Any]:
        """x [T, B, ...] -> values [T, B, ...] and the state after them."""
        done = 0 if state is None else state.steps
        drive = x.cumsum(0, dtype=wide(x.dtype))
        if state is not None:
            drive += state.drive
        count = torch.arange(done + 1, done + len(x) + 1, dtype=drive.dtype, device=x.device)
        folded = (drive / count.reshape(-1, *[1] * (x.dim() - 1))).flatten(0, 1)
        value = FUNCTIONS[self.op](folded, self.attrs)
        value = value.reshape(*x.shape[:2], *value.shape[1:])
        total = value * count.reshape(-1, *[1] * (value.dim() - 1))
        before = torch.zeros_like(total[:1]) if state is None else state.sent[None]
        return total - torch.cat([before, total[:-1]]), SoFar(done + len(x), drive[-1], total[-1])

    def dual(self, z: Tensor, steps: int) -> Tensor:
        return FUNCTIONS[self.op](z, self.attrs)

    def send(self, z: Tensor, gain: float, steps: int) -> tuple[Tensor, Tensor]:
        """Accumulated drive z [B, ...] -> value, `gain` times, and no spikes."""
        value = self.dual(z / gain, steps) * gain
        return value, torch.zeros_like(value[0])

    def charge(self, z: Tensor, constants: float, steps: int) -> Tensor:
        return z.double()

    def primed(self, potential: Tensor, steps: int) -> Tensor:
        assert self.code is not None
        return self.code.mean(potential, steps)

    def fire(self, v: Tensor, t: int, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """No spikes; in step 0 the value, which the receivers multiply in every later step."""
        assert self.code is not None
        value = self.dual(v, steps)
        first = self.code.gain(steps) / self.code.base(steps) ** (self.code.digits(steps) - 1)
        return torch.zeros_like(value), value * (0.0 if t else first), v

    def select(self, state: SoFar, rows: Tensor) -> SoFar:
        return SoFar(state.steps, state.drive[rows], state.sent[rows])

    def membrane(self, state: SoFar) -> Tensor:
        return state.drive

    def events(self, spikes: Tensor, mark: Tensor | None = None, start: int = 0) -> Tensor:
        return torch.zeros_like(spikes)
