"""The IF neuron on a GPU as one Triton kernel: drive in, weighted spikes and counts out, one pass
over memory for all steps. Same roundings as plain torch, same spikes; the membrane is float32
whatever the drive's type is. Without Triton plain torch serves.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from isospike.program import Unit
from isospike.units.binary import IF

BLOCK = 512  # neurons of one program
DRIVES = (torch.float32, torch.float16, torch.bfloat16)


@cache
def enabled() -> bool:
    return importlib.util.find_spec("triton") is not None


def serves(unit: Unit, z: Tensor) -> bool:
    """Is there a kernel for this unit on this drive [.., C, H, W], on a GPU, channels first or
    last?"""
    return z.is_cuda and enabled() and known(unit, z)


def known(unit: Unit, z: Tensor) -> bool:
    """Is it a neuron that the kernel knows, its numbers float32 or narrower?"""
    if type(unit) is not IF or unit.drift is not None:
        return False
    numbers = [t for t in (unit.theta, unit.v0, unit.bias) if t is not None]
    types = all(t.dtype in DRIVES and t.device == z.device for t in (z, *numbers))
    return types and (z.is_contiguous() or _channels_last(z))


def _channels_last(z: Tensor) -> bool:
    """[.., C, H, W] that lies as [.., H, W, C]."""
    return z.dim() >= 4 and z.movedim(-3, -1).is_contiguous()


def scan(
    unit: IF, z: Tensor, v: Tensor, readings: Sequence[int], scratch: bool = False
) -> tuple[Tensor, Tensor]:
    """As `engine.native.scan`: weighted spikes [T, B, ...], and counts [readings, ...].

    z: drive [T, B, ...], or [1, B, ...] held for all steps; v: membrane [B, ...], written over.
    """
    kernel: Any = importlib.import_module("isospike.engine.cuda.kernel")
    last, steps = _channels_last(z) and not z.is_contiguous(), readings[-1]
    flat = z.movedim(-3, -1) if last else z
    out = flat if scratch and len(z) == steps else flat.new_empty(steps, *flat.shape[1:])
    shape = z.shape[2:]

    def each(value: Tensor) -> Tensor:
        """One number per neuron, in the order in which z lies."""
        value = value.expand(shape)
        return (value.movedim(-3, -1) if last else value).reshape(-1).float().contiguous()

    counts = torch.zeros(len(readings), *flat.shape[2:], dtype=torch.int64, device=z.device)
    ends = torch.tensor([0, *readings], dtype=torch.int32, device=z.device)
    inside = (v.movedim(-3, -1) if last else v).contiguous()
    size = inside.numel()
    kernel.integrate_and_fire[(-(-size // BLOCK),)](
        flat, out, inside, each(unit.theta), each(unit.theta if unit.bias is None else unit.bias),
        ends, counts, size, flat[0, 0].numel(), len(readings),
        HELD=len(z) == 1, BIASED=unit.bias is not None, HARD=unit.reset == "hard",
        LEAK=unit.leak, CAP=unit.cap, BLOCK=BLOCK, enable_fp_fusion=False,
    )  # fmt: skip
    v.copy_(inside.movedim(-1, -3) if last else inside)  # where v lay otherwise
    back = (lambda t: t.movedim(-1, -3)) if last else (lambda t: t)
    return back(out), back(counts)


@contextlib.contextmanager
def full_precision(x: Tensor) -> Iterator[None]:
    """Convolutions and products on a GPU without TF32, whose ten bits move spikes; nothing on a
    CPU. The setting is the process's: other threads on a GPU see it too."""
    backends: list[Any] = [torch.backends.cudnn, torch.backends.cuda.matmul] if x.is_cuda else []
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = False
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed
