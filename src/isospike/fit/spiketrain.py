"""What a site, or the input, sends to the sites after it while a program is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class SpikeTrain:
    """What a boundary sends in S steps: spikes [S, N, ...] (bytes) times amplitude, or values."""

    spikes: Tensor
    amplitude: Tensor | None = None

    def values(self, images: slice) -> Tensor:
        part = self.spikes[:, images]
        return part if self.amplitude is None else part * self.amplitude

    def at(self, step: int, images: slice) -> Tensor:
        """The values of one step [N, ...]; a train of one step holds for ever."""
        part = self.spikes[min(step, len(self.spikes) - 1), images]
        return part if self.amplitude is None else part * self.amplitude

    def mean(self) -> Tensor:
        """[N, ...]"""
        if self.amplitude is None:
            return self.spikes.mean(0)
        return self.spikes.sum(0, dtype=torch.float32) / len(self.spikes) * self.amplitude
