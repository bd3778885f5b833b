"""The neurons in one pass over memory, in C++ (neurons.hpp): the same roundings as plain torch,
so the same spikes, bit for bit.

Built when the package is installed. Without a compiler nothing here runs and plain torch serves;
the environment variable ISOSPIKE_NATIVE=0 does the same.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from isospike.program import Unit
from isospike.units.binary import IF
from isospike.units.radix import Radix

try:
    kernels: Any = importlib.import_module("isospike.engine.native._kernels")
except ImportError:  # installed without a compiler
    kernels = None

ENABLED = kernels is not None and os.environ.get("ISOSPIKE_NATIVE", "1") != "0"


def serves(unit: Unit, z: Tensor) -> bool:
    """Is there a kernel for this unit on this drive (float32, in memory order, on a CPU)?"""
    if not ENABLED or not isinstance(unit, IF | Radix):
        return False
    if isinstance(unit, Radix) and not unit.code.closed:
        return False
    if isinstance(unit, IF) and not unit.plain:
        return False
    numbers = [t for t in (unit.theta, unit.v0, unit.bias) if t is not None]
    return z.is_contiguous() and all(
        t.dtype == torch.float32 and t.device.type == "cpu" for t in (z, *numbers)
    )


def scan(
    unit: IF, z: Tensor, v: Tensor, readings: Sequence[int], scratch: bool = False
) -> tuple[Tensor, Tensor]:
    """Weighted spikes [T, B, ...], and spike counts [readings, ...] over the batch, of the steps
    between one reading and the next.

    z: drive [T, B, ...], or [1, B, ...] held for all steps, written over with `scratch`;
    v: membrane [B, ...] in units of theta, written over; readings: ascending, the last is T.
    """
    out = z if scratch and len(z) == readings[-1] else z.new_empty(readings[-1], *z.shape[1:])
    counts = torch.zeros(len(readings), *z.shape[2:], dtype=torch.int64)
    kernels.integrate_and_fire(
        z.flatten(2), out.flatten(2), v.flatten(1), *_parameters(unit, z.shape[2:]),
        unit.reset == "hard", list(readings), counts.flatten(1), torch.get_num_threads(),
    )  # fmt: skip
    return out, counts


def count(unit: IF, z: Tensor, steps: int) -> Tensor:
    """sum over t of s(t)   [B, ...], t = 1 .. T = `steps`, from v(0), under drive z [T, B, ...], or
    [1, B, ...] held."""
    out = torch.empty_like(z[0])
    theta, bias, _ = _parameters(unit, z.shape[2:])
    kernels.count_spikes(
        z.flatten(2), out.flatten(1), theta, bias, _numbers(unit.v0, z.shape[2:]),
        unit.reset == "hard", steps, torch.get_num_threads(),
    )  # fmt: skip
    return out


def encode(
    unit: Radix, z: Tensor, gain: float, steps: int, scratch: bool = False, tally: bool = True
) -> tuple[Tensor, Tensor | None]:
    """Code times amplitude [B, ...] of the accumulated drive z [B, ...], written over with
    `scratch`, and with `tally` the spikes of each neuron's train over the batch [...]."""
    out = z if scratch else torch.empty_like(z)
    counts = torch.zeros(z.shape[1:], dtype=torch.int64) if tally else None
    kernels.radix_encode(
        z.flatten(1), out.flatten(1), *_parameters(unit, z.shape[1:]),
        _numbers(unit.v0, z.shape[1:]), gain, int(unit.code.k), unit.code.digits(steps),
        None if counts is None else counts.flatten(), torch.get_num_threads(),
    )  # fmt: skip
    return out, counts


def _parameters(unit: IF | Radix, shape: torch.Size) -> list[Tensor | None]:
    """theta, bias and amplitude, none where it is 0 or theta."""
    amplitude = None if unit.amplitude is unit.theta else unit.amplitude
    return [
        None if value is None else _numbers(value, shape)
        for value in (unit.theta, unit.bias, amplitude)
    ]


def _numbers(value: Tensor, shape: torch.Size) -> Tensor:
    """One number, one for each channel, or one for each neuron in memory order."""
    if value.numel() > 1 and value.shape != (shape[0], *[1] * (len(shape) - 1)):
        value = value.expand(shape)
    return value.flatten().contiguous()
