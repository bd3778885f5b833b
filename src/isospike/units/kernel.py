"""The one neuron kernel: integrate, fire, reset, in units of the threshold.

    v <- k v + d(t)                        charge, d = drive / theta
    s = clip(floor(v), 0, cap)             fire when v >= 1; `cap` > 1 emits bursts
    v <- v - s     (soft)    or    v <- 0 where s > 0     (hard)

Threshold 1 and a drive divided once keep the counts equal to the quantised activation; with theta
kept apart, rounding loses 1 to 14 spikes per million.
"""

from __future__ import annotations

import torch
from torch import Tensor


def scan(drive: Tensor, v: Tensor, k: float = 1.0, hard: bool = False, cap: int = 1):
    """drive [T, B, ...] in units of theta, v [B, ...]; returns spikes [T, B, ...] and the last v.

    `v` is changed in place; `drive` is overwritten by the spikes.
    """
    for step in drive:
        if k != 1.0:
            v.mul_(k)
        v.add_(step)
        if cap == 1:
            torch.ge(v, 1.0, out=step)
        else:
            torch.floor(v, out=step).clamp_(0, cap)
        if hard:
            v.masked_fill_(step > 0, 0.0)
        else:
            v.sub_(step)
    return drive, v


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype of a membrane: float32 or wider (in bf16, 62% of the counts would be wrong)."""
    return dtype if dtype in (torch.float32, torch.float64) else torch.float32
