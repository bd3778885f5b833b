"""The signed neuron: it takes a spike back when later drive shows that it was one too many.

    v(t) = v(t-1) + d(t)
    s(t) = +1 where v >= 1 and S < most,   -1 where v < -low and S > least,   else 0
    v(t) <- v(t) - s(t)  (s > 0),   v(t) + back  (s < 0);   S(t) = S(t-1) + s(t)
    cap > 1: as many at once as bring v into [-low, 1), within cap and the bounds of S
    static transfer:  that of the integrate-and-fire neuron (constant drive takes nothing back)

One neuron with several names: low 0 and least 0 is ST-BIF (You et al. 2024), Ca-LIF (Gao et al.
2023, whose calcium is S) and, with low 1e-3, that of Fast-SNN (Hu et al. 2023); low 1 is SNM (Wang
et al. 2022: a spike of -1 at v <= -theta). Once the drive ends, settling steps bring the count to
the quantised activation of the whole drive: exactly with low 0, else but for a spike too many where
the drive falls short of it by less than low theta.

Without a guard (least None) and with low = back = 1 / alpha its rate is a leaky ReLU of slope
alpha (Kim et al. 2020, imbalanced threshold).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.units.binary import LARGEST_CAP
from isospike.units.neuron import Paired


@dataclass(frozen=True, kw_only=True)
class Signed(Paired):
    """low, back: in units of theta; least, most: bounds of the running sum S, None for no bound;
    cap: spikes of one step at most. State: the membrane and the running sum."""

    low: float = 0.0
    back: float = 1.0
    least: float | None = 0.0
    most: float | None = None
    cap: int = 1

    def __post_init__(self) -> None:
        burst = self.cap > 1 and (self.back != 1.0 or self.least is None)
        if not (self.low >= 0 and self.back > 0 and 1 <= self.cap <= LARGEST_CAP) or burst:
            raise ValueError(f"low={self.low}, back={self.back}, cap={self.cap}")

    @property
    def lossless(self) -> bool:
        return self.back == 1.0

    @property
    def top(self) -> Tensor:
        return self.theta * self.cap

    def scan(
        self, z: Tensor, state: Tensor | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Tensor]:
        drive, state = self.begin(z, state, start, scratch)
        v, total = state
        for step in drive:
            v.add_(step)
            self.fire(v, total, out=step)
            v.sub_(step if self.back == 1.0 else torch.where(step < 0, -self.back, step))
            total.add_(step)
        return drive, state

    def fire(self, v: Tensor, total: Tensor, out: Tensor) -> None:
        """Spikes of one step."""
        up = torch.floor(v).clamp_(0, self.cap)
        if self.most is not None:
            up = torch.minimum(up, self.most - total)
        down = torch.ceil(-self.low - v).clamp_(0, self.cap)
        if self.least is not None:
            down = torch.minimum(down, total - self.least)
        torch.sub(up, down, out=out)

    def dual(self, z: Tensor, steps: int) -> Tensor:
        """The rate under constant drive, times theta."""
        if self.least is None:
            return super().dual(z, steps)
        most = self.cap * steps
        most = most if self.most is None else min(self.most, most)
        u = self.held(steps).charge(z).clamp_(-1.0, self.cap + 1.0)
        return self.theta * (torch.floor(u * steps + self.v0).clamp_(0, most) / steps)
