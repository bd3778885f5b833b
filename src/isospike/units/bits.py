"""Ones in the binary form of whole numbers: the spikes that trains of base 2 hold."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

INTEGERS = ((8, torch.uint8), (30, torch.int32), (62, torch.int64))  # (bits held, dtype)
IMAGES = 31  # bytes of up to 8 ones that one byte can add up


def bit_sums(code: Tensor, digits: int) -> Tensor:
    """Ones of whole numbers below 2^digits [B, ...], summed over the batch: [...], int64.

    Floats too coarse for 2^digits - 1 say 2^digits in its place.
    """
    whole = code.contiguous().to(next(dtype for bits, dtype in INTEGERS if digits <= bits))
    if digits > -math.log2(torch.finfo(code.dtype).eps):
        whole.clamp_(max=2**digits - 1)
    octets = byte_ones(whole.reshape(len(code), -1).view(torch.uint8))
    sums = torch.stack([_columns(part) for part in octets.split(IMAGES)]).sum(0, dtype=torch.int64)
    return sums.view(code[0].numel(), -1).sum(1).view(code.shape[1:])


def byte_ones(octets: Tensor) -> Tensor:
    """Ones of every byte; on a CPU numpy counts them in one vectorised pass."""
    if octets.device.type != "cpu":
        return pairwise_ones(octets)
    return torch.from_numpy(np.bitwise_count(octets.numpy()))


def pairwise_ones(octets: Tensor) -> Tensor:
    """The same by adding neighbours: 2, 4, then 8 bits wide."""
    octets = octets - ((octets >> 1) & 0x55)
    octets = (octets & 0x33) + ((octets >> 2) & 0x33)
    return (octets + (octets >> 4)) & 0x0F


def _columns(octets: Tensor) -> Tensor:
    """Bytes [up to 31, N] of at most 8 each, summed over rows without overflow: eight at a time."""
    if octets.shape[1] % 8:
        return octets.sum(0, dtype=torch.uint8)
    return octets.view(torch.int64).sum(0).view(torch.uint8)
