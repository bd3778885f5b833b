"""The inverse-leaky neuron of temporal separation, and the code its spikes carry.

Accumulation: V <- k V + z(t) / theta over P steps, no firing; every constant flows in the first T.
Generation:   U = (V + v0) / k^(P-1);  Y(t) = H(U - 1);  U <- k (U - Y(t)),   P = T + extra steps

    code   c = sum_t Y(t) k^(P-t),         value   a = theta c / gain
    gain   = k^extra (k^T - 1) / (k - 1)   (T for k = 1): what a value of theta accumulates to

k = 1 is QCFS with L = T, k = 2 rounds to 2^T - 1 levels, 1 < k < 2 is a greedy beta-expansion.
Source: Liu et al. 2022 (SpikeConverter), identity printed on the authors' poster; the base k, the
rounding v0 and the extra steps are reconstructed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.units.bits import bit_sums
from isospike.units.kernel import wide

MANTISSA = 52  # bits of a float64 that a code may fill


@dataclass(frozen=True)
class RadixCode:
    """k: base, 1 <= k <= 2; extra: generation steps beyond T that refine the remainder."""

    k: float = 2.0
    extra: int = 0
    once = False  # may a neuron spike once a phase only?

    def __post_init__(self) -> None:
        if not 1.0 <= self.k <= 2.0 or self.extra < 0:
            raise ValueError(f"k in [1, 2] and extra >= 0, got k={self.k}, extra={self.extra}")
        if self.capped(1) < 1:
            raise ValueError(f"extra={self.extra} leaves no step of the 52 bits to a phase")

    def capped(self, steps: int) -> int:
        """The steps the float64 grid can tell apart; later ones stay silent."""
        if self.k == 1.0:
            return steps
        return min(steps, int(MANTISSA / math.log2(self.k)) - self.extra)

    def digits(self, steps: int) -> int:
        """P, the steps of generation in which a train may spike."""
        return self.capped(steps) + self.extra

    @property
    def closed(self) -> bool:
        """Is the code of a total a rounding of it, so that no train has to be made?"""
        return self.k in (1.0, 2.0)

    def base(self, steps: int) -> float:
        """What a potential is multiplied by at each step."""
        return self.k

    def constant_steps(self, steps: int) -> int:
        """Steps of accumulation in which constants flow, so that they sum to the gain."""
        return self.capped(steps)

    def fire(self, u: Tensor, steps: int) -> Tensor:
        """Spikes of one step of generation."""
        return (u >= 1.0).to(u.dtype)

    def after(self, u: Tensor, spikes: Tensor, steps: int) -> Tensor:
        """The potential for the next step."""
        return (u - spikes) * self.k

    def span(self, length: int) -> float:
        """1 + k + ... + k^(length - 1)"""
        return float(length) if self.k == 1.0 else (self.k**length - 1) / (self.k - 1)

    def gain(self, steps: int) -> float:
        return self.k**self.extra * self.span(self.capped(steps))

    def mean(self, total: Tensor, steps: int) -> Tensor:
        """The mean drive of a phase that accumulated `total`."""
        return total / self.gain(steps)

    def dtype(self, steps: int) -> torch.dtype:
        """float32 while every code is exact in it, else float64."""
        exact = self.closed and self.span(self.digits(steps)) < 2**24
        return torch.float32 if exact else torch.float64

    def exact(self, total: Tensor, steps: int) -> Tensor:
        """The total in a type that holds its code; never in a narrower one than it has."""
        return total.to(torch.promote_types(total.dtype, self.dtype(steps)))

    def generate(self, total: Tensor, v0: Tensor, steps: int) -> Tensor:
        """The train [P, B, ...] of an accumulated total [B, ...] in units of theta."""
        digits = self.digits(steps)
        u = self.exact(total + v0, steps) / self.base(steps) ** (digits - 1)
        train = torch.empty(digits, *u.shape, dtype=u.dtype, device=u.device)
        for step in train:
            step.copy_(self.fire(u, steps))
            u = self.after(u, step, steps)
        return train

    def encode(self, total: Tensor, v0: Tensor, steps: int) -> Tensor:
        """Code c of the train [B, ...] of a total, without the train where k is 1 or 2."""
        if not self.closed:
            return self.decode(self.generate(total, v0, steps), steps)
        return (total + v0).floor_().clamp_(0, self.span(self.digits(steps)))

    def tally(self, total: Tensor, v0: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Code [B, ...], and the spikes of each neuron's train [...] summed over the batch."""
        if not self.closed:
            train = self.generate(total, v0, steps)
            return self.decode(train, steps), train.sum((0, 1))
        code = self.encode(total, v0, steps)
        return code, code.sum(0) if self.k == 1.0 else bit_sums(code, self.digits(steps))

    def decode(self, train: Tensor, steps: int) -> Tensor:
        """sum_t Y(t) k^(P-t) of a train [P, B, ...]."""
        code = torch.zeros_like(train[0])
        for step in train:
            code = code * self.base(steps) + step
        return code


@dataclass(frozen=True)
class Radix:
    """theta, bias: activation units of the ANN; v0: in units of the last step's spike.

    Scalars or [C, 1, 1], [C].
    """

    theta: Tensor
    v0: Tensor
    code: RadixCode
    bias: Tensor | None = None

    @property
    def amplitude(self) -> Tensor:
        return self.theta

    @property
    def top(self) -> Tensor:
        """The largest mean output."""
        return self.theta

    def within(self, clip: float) -> Radix:
        """The neuron for a source whose activation ends at `clip`: no larger mean output."""
        return replace(self, theta=self.theta.clamp(max=clip))

    def total(self, z: Tensor, gain: float) -> Tensor:
        """Accumulated drive in units of theta; z carries its constants `gain` times."""
        z = z.to(wide(z.dtype))
        return (z if self.bias is None else z + self.bias * gain) / self.theta

    def dual(self, z: Tensor, steps: int) -> Tensor:
        """The value of the train under constant drive z: on one drive it is the whole truth."""
        gain = self.code.gain(steps)
        total = self.total(z, 1.0).clamp(-1.0, 2.0 + self.code.extra)
        total = self.code.exact(total, steps) * gain
        code = self.code.encode(total, self.v0, steps)
        return self.theta * (code / gain).to(wide(z.dtype))

    def send(self, z: Tensor, gain: float, steps: int) -> tuple[Tensor, Tensor]:
        """Accumulated drive z [B, ...] -> value, `gain` times, and spikes summed over the batch."""
        codes, spikes = self.code.tally(self.total(z, gain), self.v0, steps)
        return codes.mul_(self.amplitude).to(z.dtype), spikes

    def charge(self, z: Tensor, constants: float, steps: int) -> Tensor:
        """What one step of accumulation adds to the potential."""
        return self.code.exact(self.total(z, constants), steps)

    def primed(self, potential: Tensor, steps: int) -> Tensor:
        """The potential that generation begins with."""
        return (potential + self.v0) / self.code.base(steps) ** (self.code.digits(steps) - 1)

    def fire(self, u: Tensor, t: int, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """Step t of a phase: spikes, what they send, the potential after them."""
        late = t >= self.code.digits(steps)
        spikes = torch.zeros_like(u) if late else self.code.fire(u, steps)
        return spikes, spikes * self.amplitude, self.code.after(u, spikes, steps)
