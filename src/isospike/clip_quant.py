"""The activation as one operator with its gradient, and the random draws of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def clip_quant(z: Tensor, theta: Tensor, levels: int, shift: float, slip: float = 0.0) -> Tensor:
    """The activation as a plain function; `levels=0` means no quantisation."""
    u = (z / theta).clamp_(0.0, 1.0)
    if levels:
        clip = u * slip if slip else None
        u.mul_(levels).add_(shift).floor_().div_(levels)
        u = u if clip is None else clip.add_(u, alpha=1.0 - slip)
    return u.mul_(theta)


# A custom operator, so that capture sees the activation as one node and never as floor and divide.
@torch.library.custom_op("isospike::clip_quant", mutates_args=())
def clip_quant_operator(
    z: Tensor, theta: Tensor, levels: int, shift: float, slip: float = 0.0
) -> Tensor:
    return clip_quant(z, theta, levels, shift, slip)


@clip_quant_operator.register_fake
def _(z: Tensor, theta: Tensor, levels: int, shift: float, slip: float = 0.0) -> Tensor:
    return torch.empty_like(z)


def gradient(grad: Tensor, z: Tensor, theta: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of z and theta as a plain function; `out` is the activation of z."""
    # That of a clip, in one pass over memory where theta is a scalar.
    if theta.numel() == 1:
        grad_z = torch.ops.aten.hardtanh_backward(grad, z, 0.0, float(theta.detach()))
    else:
        grad_z = grad * ((z > 0) & (z < theta))
    slope = (grad * out).sum_to_size(theta.shape) - (grad_z * z).sum_to_size(theta.shape)
    return grad_z, slope / theta


def like(grad: Tensor, z: Tensor) -> Tensor:
    """The gradient in the memory order of z."""
    return grad if grad.stride() == z.stride() else torch.empty_like(z).copy_(grad)


# An operator too, so that both may have a kernel of their own (engine/native/clip.py).
@torch.library.custom_op("isospike::clip_quant_backward", mutates_args=())
def gradient_operator(grad: Tensor, z: Tensor, theta: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    return gradient(like(grad, z), z, theta, out)


@gradient_operator.register_fake
def _(grad: Tensor, z: Tensor, theta: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(z), torch.empty_like(theta)


def _setup_context(ctx, inputs, output) -> None:
    z, theta = inputs[:2]
    ctx.save_for_backward(z, theta, output)


def _backward(ctx, grad: Tensor):
    z, theta, out = ctx.saved_tensors
    # Plain where the gradient itself is to be differentiated.
    found = (gradient if torch.is_grad_enabled() else gradient_operator)(grad, z, theta, out)
    return *found, None, None, None


clip_quant_operator.register_autograd(_backward, setup_context=_setup_context)


def drawn_like(a: Tensor, draw: Callable[[Tensor], Any]) -> Tensor:
    """Draws in the memory order of `a`: ten times faster than randn_like on channels-last."""
    noise = torch.empty_like(a)
    draw(noise.as_strided((noise.numel(),), (1,)))
    return noise


@torch.library.custom_op("isospike::normal_like", mutates_args=())
def normal_like(a: Tensor) -> Tensor:
    """Draws of the standard normal distribution, of the shape and memory order of `a`, by torch's
    seed."""
    return drawn_like(a, Tensor.normal_)


@normal_like.register_fake
def _(a: Tensor) -> Tensor:
    return torch.empty_like(a)
