"""The integrate-and-fire neuron with binary spikes.

    v(t) = v(t-1) + (z(t) + b) / theta,   s(t) = H(v(t) - 1),   v(t) <- v(t) - s(t)
    static transfer (soft reset):  a = theta * clip(floor(z T / theta + v0), 0, T) / T

Source: Rueckauer et al. 2017 (reset by subtraction), Bu et al. 2022 eq. 3 to 9.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.units.kernel import scan, wide


@dataclass(frozen=True)
class IF:
    """theta, bias: activation units of the ANN; v0: units of theta. Scalars or [C, 1, 1], [C].

    reset: "soft" subtracts the threshold, "hard" sets the potential to zero.
    """

    theta: Tensor
    v0: Tensor
    bias: Tensor | None = None
    reset: str = "soft"

    @property
    def amplitude(self) -> Tensor:
        return self.theta

    def charge(self, z: Tensor, scratch: bool = False) -> Tensor:
        """Drive in units of theta, (z + bias) / theta: a new tensor, or z itself as scratch."""
        same = z.to(wide(z.dtype))
        if self.bias is not None:
            return (same + self.bias).div_(self.theta)
        return same.div_(self.theta) if scratch else same / self.theta

    def start(self, z: Tensor) -> Tensor:
        """The membrane before the first step, for a drive like z [B, ...]."""
        # empty_like keeps the memory order of z: mixed orders make every step several times slower.
        return torch.empty_like(z, dtype=wide(z.dtype)).copy_(self.v0)

    def scan(self, z: Tensor, state: Tensor | None, scratch: bool = False) -> tuple[Tensor, Tensor]:
        """z [T, B, ...] -> spikes [T, B, ...] (0 or 1) and the membrane [B, ...] to go on from.

        With `scratch` the spikes may be written over z. `state` is written over.
        """
        v = self.start(z[0]) if state is None else state
        return scan(self.charge(z, scratch), v, hard=self.reset == "hard")

    def dual(self, z: Tensor, steps: int) -> Tensor:
        """The rate under constant drive, times theta."""
        u = self.charge(z).clamp_(-1.0, 2.0)
        if self.reset == "soft":
            counts = torch.floor(u * steps + self.v0).clamp_(0, steps)
        else:  # from rest, one spike each ceil(1 / u) steps
            first = torch.ceil((1 - self.v0) / u).clamp_(min=1)
            again = torch.ceil(1 / u)
            counts = (1 + torch.floor((steps - first) / again)).clamp_(0, steps)
            # Without drive only a neuron that starts at its threshold fires, once.
            counts = torch.where(u > 0, counts, (u + self.v0 >= 1).to(counts.dtype))
        return self.theta * (counts / steps)

    def events(self, spikes: Tensor) -> Tensor:
        return spikes
