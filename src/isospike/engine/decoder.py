"""The read-out by spikes: at each step one class fires.

    V(t) = y(1) + .. + y(t),   class(t) ~ softmax(V(t)),   reading at T: shares of spikes

The clock that draws is outside of the network: one number u(t) a step, the same for all images, so
that an image's answer does not depend on its neighbours; the class is the first whose share of
probability, summed up, is above u(t).

Source: Rueckauer et al. 2017. The authors' toolbox draws for each class by itself, so that several
or none may fire, and resets those that do; here one fires and V goes on. The readings are shares,
so a row's output error, which compares them with logits, says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def softmax_spikes(
    means: Mapping[int, Tensor], steps: Sequence[int], seed: int
) -> dict[int, Tensor]:
    """means: t -> mean of the logits of steps 1 .. t, [B, classes, ...], for every t up to the last
    of `steps`. Returns the readings at `steps`."""
    draws = torch.rand(max(steps), generator=torch.Generator().manual_seed(seed)).tolist()
    spikes, readings = torch.zeros_like(means[1]), {}
    for t, u in enumerate(draws, 1):
        below = (means[t] * t).softmax(1).cumsum(1) <= u
        fired = below.sum(1, keepdim=True).clamp(max=spikes.shape[1] - 1)
        spikes = spikes.scatter_add(1, fired, torch.ones_like(fired, dtype=spikes.dtype))
        if t in steps:
            readings[t] = spikes / t
    return readings
