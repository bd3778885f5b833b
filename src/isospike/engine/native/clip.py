"""The activation of training in one pass over memory, in C++ (clip_quant.hpp, noise.hpp): the CPU
kernels of its operator, of the gradient and of its noise, and the neurons of training under the
residual.

Float32 has the roundings of plain torch, but for slip, whose sum is not fused, and the sum over all
values in the gradient of theta. bfloat16 is rounded once, at the end.
Noise is drawn by a generator of its own, whose seed torch's draws.
"""

from __future__ import annotations

import torch
from torch import Tensor

from isospike import clip_quant as plain
from isospike.engine import native


def serves(theta: Tensor, *values: Tensor) -> bool:
    """Is there a kernel for these (float32 or bfloat16, on a CPU, one clip, one memory order)?"""
    return theta.dim() == 0 and theta.device.type == "cpu" and _dense(*values)


def _dense(*values: Tensor) -> bool:
    first = values[0]
    return (
        native.ENABLED
        and first.device.type == "cpu"
        and first.dtype in (torch.float32, torch.bfloat16)
        and all(x.dtype == first.dtype and x.stride() == first.stride() for x in values)
        and torch.ops.aten.is_non_overlapping_and_dense(first)
    )


def forward(z: Tensor, theta: Tensor, levels: int, shift: float, slip: float = 0.0) -> Tensor:
    if not serves(theta, z):
        return plain.clip_quant(z, theta, levels, shift, slip)
    out = torch.empty_like(z)
    threads = torch.get_num_threads()
    native.kernels.clip_quant(_flat(z), float(theta), levels, shift, slip, _flat(out), threads)
    return out


def backward(grad: Tensor, z: Tensor, theta: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    grad = plain.like(grad, z)
    if not serves(theta, z, grad, out):
        return plain.gradient(grad, z, theta, out)
    grad_z, clip = torch.empty_like(z), float(theta)
    total = native.kernels.clip_quant_back(
        _flat(grad), _flat(z), _flat(out), clip, _flat(grad_z), torch.get_num_threads()
    )
    return grad_z, torch.tensor(total, dtype=torch.float64).div(clip).to(theta.dtype)


def spikes(z: Tensor, theta: Tensor, v0: float) -> tuple[Tensor, Tensor]:
    """Trains s(t) theta [T, B, ...] of drives z [T, B, ...] and their mean [B, ...]: integrate and
    fire with soft reset from v(0) = v0 theta. In memory the steps lie one after the other."""
    out, rate = torch.empty_like(z), torch.empty_like(z[0])
    native.kernels.clip_spikes(
        _flat(z), len(z), float(theta), v0, _flat(out), _flat(rate), torch.get_num_threads()
    )
    return out, rate


def noise(a: Tensor) -> Tensor:
    if not _dense(a):
        return plain.drawn_like(a, Tensor.normal_)
    out, seed = torch.empty_like(a), int(torch.randint(2**62, ()))
    native.kernels.normal(seed, _flat(out), torch.get_num_threads())
    return out


def _flat(x: Tensor) -> Tensor:
    """[n] in memory order; bfloat16 as the kernels take it."""
    flat = x.detach().as_strided((x.numel(),), (1,))
    return flat.view(torch.int16) if x.dtype == torch.bfloat16 else flat


plain.clip_quant_operator.register_kernel("cpu")(forward)
plain.gradient_operator.register_kernel("cpu")(backward)
plain.normal_like.register_kernel("cpu")(noise)
