"""What every neuron of a synchronous network shares: its numbers, and its charge in units of theta.

    d(t) = (z(t) + b + b_t) / theta

A neuron is `scan(z, state, start) -> (spikes, state)` and `dual(z, steps)`, its static transfer.
Spikes are in units of `amplitude`: what is sent at a step is spikes * amplitude, and `events` says
how many events that takes. The membrane is kept in units of theta, always float32 or wider.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.units.kernel import wide


@dataclass(frozen=True)
class Neuron:
    """theta, bias: activation units of the ANN; v0: units of theta. Scalars, one a channel
    ([C, 1, 1], [C]) or one a neuron ([C, H, W]).

    drift: bias of each step [S, C, 1, 1], the last one for all steps after it.
    """

    theta: Tensor
    v0: Tensor
    bias: Tensor | None = None
    drift: Tensor | None = None

    @property
    def amplitude(self) -> Tensor:
        return self.theta

    def charge(self, z: Tensor, start: int = 0, scratch: bool = False) -> Tensor:
        """Drive of steps start+1, start+2, ... in units of theta: a new tensor, or z as scratch."""
        same = z.to(wide(z.dtype))
        if self.bias is None and self.drift is None:
            return same.div_(self.theta) if scratch else same / self.theta
        if self.bias is not None:
            same = same + self.bias
        if self.drift is not None:
            same = same + self.steps_of_drift(start, len(z)).unsqueeze(1)
        return same.div_(self.theta)

    def steps_of_drift(self, start: int, count: int) -> Tensor:
        """[count, ...]: the bias of steps start+1 .. start+count."""
        assert self.drift is not None
        step = torch.arange(start, start + count, device=self.drift.device)
        return self.drift[step.clamp_(max=len(self.drift) - 1)]

    def start(self, z: Tensor) -> Tensor:
        """The membrane before the first step, for a drive like z [B, ...]."""
        # empty_like keeps the memory order of z: mixed orders make every step several times slower.
        return torch.empty_like(z, dtype=wide(z.dtype)).copy_(self.v0)

    def scan(
        self, z: Tensor, state: Tensor | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Tensor]:
        """z [T, B, ...] of steps start+1 .. start+T -> spikes [T, B, ...] and the state to go on
        from; None begins at v(0). With `scratch` the spikes may be written over z. `state` is
        written over."""
        raise NotImplementedError

    def begin(
        self, z: Tensor, state: Tensor | None, start: int, scratch: bool
    ) -> tuple[Tensor, Tensor]:
        """What every scan begins with: the charge of its steps, and the state to go on from."""
        state = self.start(z[0]) if state is None else state
        return self.charge(z, start, scratch), state

    def membrane(self, state: Tensor) -> Tensor:
        """v [B, ...] of a state."""
        return state

    def select(self, state: Tensor, rows: Tensor) -> Tensor:
        """The state of the samples `rows` (bool [B]) alone."""
        return state[rows]

    @property
    def lossless(self) -> bool:
        """Is all drive either sent or still in the membrane?"""
        return True

    @property
    def whole(self) -> bool:
        """Are spikes whole numbers, small enough for a byte?"""
        return True

    @property
    def top(self) -> Tensor:
        """The largest mean output."""
        return self.theta

    def within(self, clip: float) -> Neuron:
        """The neuron for a source whose activation ends at `clip`: no larger mean output."""
        share = clip / self.top
        if bool((share > 1 - 1e-6).all()):
            return self
        return replace(self, theta=self.theta * share.clamp(max=1.0))

    def constant(self, steps: int) -> Tensor:
        """What bias and drift bring in `steps` steps, activation units."""
        total = torch.zeros_like(self.theta) if self.bias is None else self.bias * steps
        return total if self.drift is None else total + self.steps_of_drift(0, steps).sum(0)

    def held(self, steps: int) -> Neuron:
        """The same neuron with the mean of its drift as bias: what constant drive meets."""
        if self.drift is None:
            return self
        mean = self.steps_of_drift(0, steps).mean(0)
        return replace(self, drift=None, bias=mean if self.bias is None else self.bias + mean)

    def dual(self, z: Tensor, steps: int) -> Tensor:
        """The mean output under constant drive z [B, ...]: here by running the neuron."""
        spikes, _ = self.held(steps).scan(z.expand(steps, *z.shape), None)
        return self.amplitude * (spikes.sum(0) / steps)

    def mark(self, state: Tensor | None) -> Tensor | None:
        """What `events` must know of the state before a scan."""
        return None

    def events(self, spikes: Tensor, mark: Tensor | None = None, start: int = 0) -> Tensor:
        """Events that spikes take, each one a synaptic operation per target."""
        return spikes.abs()


class Paired(Neuron):
    """A neuron with a second number: its state is [2, B, ...], the membrane and that. `others`: how
    many more numbers, where it is not one."""

    others = 1

    def start(self, z: Tensor) -> Tensor:
        v = super().start(z)
        return torch.stack([v, *[torch.zeros_like(v)] * self.others])

    def select(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[:, rows]

    def membrane(self, state: Tensor) -> Tensor:
        return state[0]

    def mark(self, state: Tensor | None) -> Tensor | None:
        """The second number as it was."""
        return None if state is None else state[1].clone()
