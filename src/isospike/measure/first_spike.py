"""First-spike time per site: how long a layer waits for the layers before it (IC-SNN's "fire time",
and Bu et al. 2022, OPI, Fig. 1)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class FirstSpike:
    """An observer. times[site]: [B, ...] step of the first spike, 0 where none has come yet."""

    times: dict[str, Tensor] = field(default_factory=dict)

    def spikes(self, site: str, start: int, drive: Tensor, spikes: Tensor, state: Tensor) -> None:
        fired = spikes != 0
        first = torch.where(fired.any(0), fired.to(torch.uint8).argmax(0) + start + 1, 0)
        if start == 0:  # a new batch begins
            self.times[site] = first
        else:
            known = self.times[site]
            self.times[site] = torch.where(known > 0, known, first)

    def mean(self, site: str) -> float:
        """Mean over the neurons that fired; NaN where none did."""
        times = self.times[site]
        return float(times[times > 0].double().mean())

    def fired(self, site: str) -> float:
        """Share of the neurons that fired at all."""
        return float((self.times[site] > 0).double().mean())
