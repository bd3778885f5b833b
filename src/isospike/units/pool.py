"""Max-pooling of spikes. Gated: a window passes the spike of the input with the most so far.

    n(t) = n(t-1) + x(t),   i*(t) = argmax over the window of n_i(t),   y(t) = x_{i*(t)}(t)

By lateral inhibition: a window passes what its largest sum has grown by, which is never too much.

    y(t) = max over the window of n_i(t)  -  max over the window of n_i(t-1)

The rates compared are of one channel, which has one threshold. Static transfer: max-pooling.
Source: Rueckauer et al. 2017, section 2.2.6 ("spiking max-pooling", fir_max); Li & Zeng 2022
(LIPooling).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from isospike.graph.ops import max_pool, max_pool_indices
from isospike.units.kernel import wide
from isospike.units.no_neuron import NoNeuron


@dataclass(frozen=True)
class GatedMaxPool(NoNeuron):
    """attrs: kernel, stride, padding, dilation, ceil_mode of the pooling it stands for.

    spike: what one spike of its input is worth, activation units; None where that has no one value.
    """

    attrs: Mapping[str, Any] = field(default_factory=dict)
    spike: Tensor | None = None

    def scan(
        self, x: Tensor, state: Tensor | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Tensor]:
        """x [T, B, C, ...] weighted spikes -> the passed ones and the sums so far [B, C, ...]."""
        sums = x.cumsum(0, dtype=wide(x.dtype))
        if state is not None:
            sums += state
        folded = sums.flatten(0, 1)
        pooled, index = max_pool_indices(folded, self.attrs)
        spikes = x.flatten(0, 1).flatten(2).gather(2, index.flatten(2)).reshape(pooled.shape)
        return spikes.reshape(*x.shape[:2], *pooled.shape[1:]), sums[-1]

    def dual(self, z: Tensor, steps: int) -> Tensor:
        return max_pool(z, self.attrs)

    def events(self, spikes: Tensor, mark: Tensor | None = None, start: int = 0) -> Tensor:
        """Spikes passed; without a `spike`, values that are not zero."""
        if self.spike is None:
            return (spikes != 0).to(spikes.dtype)
        return (spikes / self.spike).abs().round()


@dataclass(frozen=True)
class LateralMaxPool(GatedMaxPool):
    """Max-pooling by lateral inhibition: the members of a window hold each other back."""

    def scan(
        self, x: Tensor, state: Tensor | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Tensor]:
        """x [T, B, C, ...] weighted spikes -> the growth of the maximum, and the sums so far."""
        before = torch.zeros_like(x[0], dtype=wide(x.dtype)) if state is None else state
        sums = torch.cat([before[None], x.cumsum(0, dtype=wide(x.dtype)) + before])
        pooled = max_pool(sums.flatten(0, 1), self.attrs).unflatten(0, sums.shape[:2])
        return pooled.diff(dim=0).to(x.dtype), sums[-1]


POOLS = {"gated": GatedMaxPool, "lateral": LateralMaxPool}
