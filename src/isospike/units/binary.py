"""The integrate-and-fire neuron: one threshold, spikes of one sign.

    v(t) = k v(t-1) + d(t),   s(t) = clip(floor(v(t)), 0, cap),   v(t) <- v(t) - s(t)
    static transfer (soft reset, k = 1):  a = theta * clip(floor(z T / theta + v0), 0, cap T) / T

cap = 1: binary spikes. cap > 1: bursts, several spikes of one step (Li & Zeng 2022); with
theta / m and cap = m the m members of a group neuron (Lv et al. 2024). k < 1: leaky.

Source: Rueckauer et al. 2017 (reset by subtraction), Bu et al. 2022 eq. 3 to 9.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.units.kernel import scan
from isospike.units.neuron import Neuron

LARGEST_CAP = 127  # spikes of a step fit into a byte


@dataclass(frozen=True, kw_only=True)
class IF(Neuron):
    """reset: "soft" subtracts the spikes, "hard" sets the potential to zero.

    cap: spikes of one step at most; leak: k, what a step keeps of the potential.
    """

    reset: str = "soft"
    cap: int = 1
    leak: float = 1.0

    def __post_init__(self) -> None:
        if self.reset not in ("soft", "hard"):
            raise ValueError(f"unknown reset {self.reset!r}")
        if not 1 <= self.cap <= (LARGEST_CAP if self.reset == "soft" else 1):
            raise ValueError(f"cap={self.cap} with reset {self.reset!r}")
        if not 0 < self.leak <= 1:
            raise ValueError(f"leak={self.leak}: above 0 and at most 1")

    @property
    def plain(self) -> bool:
        """One spike a step, no leak, no drift: the neuron that the native kernels know."""
        return type(self) is IF and self.cap == 1 and self.leak == 1.0 and self.drift is None

    @property
    def lossless(self) -> bool:
        return self.reset == "soft" and self.leak == 1.0

    @property
    def top(self) -> Tensor:
        return self.theta * self.cap

    def scan(
        self, z: Tensor, state: Tensor | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Tensor]:
        drive, v = self.begin(z, state, start, scratch)
        return scan(drive, v, self.leak, self.reset == "hard", self.cap)

    def dual(self, z: Tensor, steps: int) -> Tensor:
        """The rate under constant drive, times theta."""
        if self.leak != 1.0:
            return super().dual(z, steps)
        u = self.held(steps).charge(z).clamp_(-1.0, self.cap + 1.0)
        if self.reset == "soft":
            counts = torch.floor(u * steps + self.v0).clamp_(0, self.cap * steps)
        else:
            counts = self.from_rest(u, steps)
        return self.theta * (counts / steps)

    def from_rest(self, u: Tensor, steps: int) -> Tensor:
        """Counts under hard reset: one spike each ceil(1 / u) steps."""
        first = torch.ceil((1 - self.v0) / u).clamp_(min=1)
        again = torch.ceil(1 / u)
        counts = (1 + torch.floor((steps - first) / again)).clamp_(0, steps)
        # Without drive only a neuron that starts at its threshold fires, once.
        return torch.where(u > 0, counts, (u + self.v0 >= 1).to(counts.dtype))

    def events(self, spikes: Tensor, mark: Tensor | None = None, start: int = 0) -> Tensor:
        return spikes
