"""Which neurons the events kernels know, and how they are told of them (events.hpp, Neuron)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isospike.engine import native
from isospike.program import Unit
from isospike.units.binary import IF
from isospike.units.signed import Signed

ROW = 65536  # neurons in a row of a map that a list can tell apart
LARGEST_BURST = 8  # a list has an entry for each spike: of longer bursts the dense way is shorter


def serves(unit: Unit, shape: tuple[int, ...]) -> bool:
    """Is there a kernel for a site of `shape` [C], [C, L] or [C, H, W] with this unit: a neuron in
    float32, one threshold, bias and drift per channel or layer?"""
    if type(unit) not in (IF, Signed) or not 1 <= len(shape) <= 3 or unit.cap > LARGEST_BURST:  # type: ignore[union-attr]
        return False
    assert isinstance(unit, IF | Signed)
    numbers = [t for t in (unit.theta, unit.v0, unit.bias, unit.drift) if t is not None]
    drift = None if unit.drift is None else unit.drift[0]
    return (
        all(t.dtype == torch.float32 and t.device.type == "cpu" for t in numbers)
        and all(_per_channel(t, shape) for t in (unit.theta, unit.bias, drift) if t is not None)
        and shape[0] * (shape[-1] if len(shape) > 1 else 1) <= ROW
    )


def _per_channel(value: Tensor, shape: tuple[int, ...]) -> bool:
    return value.numel() == 1 or tuple(value.shape) == (shape[0], *[1] * (len(shape) - 1))


def packed(unit: IF | Signed) -> object:
    """The kernel's neuron."""
    if isinstance(unit, IF):
        return native.kernels.Neuron(hard=unit.reset == "hard", leak=unit.leak, cap=unit.cap)
    least = -math.inf if unit.least is None else unit.least
    most = math.inf if unit.most is None else unit.most
    return native.kernels.Neuron(
        paired=True, cap=unit.cap, low=unit.low, back=unit.back, least=least, most=most
    )
