"""Activations of the source network: one class, `ClipQuant`, whose settings are the published ones.

    u = clip(z / theta, 0, 1)
    a = theta * u                                         levels=None   (TCL, threshold ReLU)
    a = theta * floor(u * L + shift) / L                  levels=L     (CQ: shift 0, QCFS: 1/2)
    a = a - sigma * eps,   eps ~ N(0, 1), training only                 (NQ)

The floor has a straight-through gradient: da/dz = 1 where 0 < z < theta and 0 elsewhere;
da/dtheta = a/theta - z/theta inside and 1 above.
Sources: Ho & Chang 2021 (TCL), Deng & Gu 2021 (threshold ReLU), Bu et al. 2022 eq. 16 (QCFS),
Huang et al. 2024 (NQ). NQ clips before the floor and QCFS after it: the values are the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def clip_quant(z: Tensor, theta: Tensor, levels: int, shift: float) -> Tensor:
    """The activation as a plain function; `levels=0` means no quantisation."""
    u = (z / theta).clamp_(0.0, 1.0)
    if levels:
        u.mul_(levels).add_(shift).floor_().div_(levels)
    return u.mul_(theta)


# A custom operator, so that capture sees the activation as one node and never as floor and divide.
@torch.library.custom_op("isospike::clip_quant", mutates_args=())
def _clip_quant_op(z: Tensor, theta: Tensor, levels: int, shift: float) -> Tensor:
    return clip_quant(z, theta, levels, shift)


@_clip_quant_op.register_fake
def _(z: Tensor, theta: Tensor, levels: int, shift: float) -> Tensor:
    return torch.empty_like(z)


def _setup_context(ctx, inputs, output) -> None:
    z, theta, _levels, _shift = inputs
    ctx.save_for_backward(z, theta, output)


def _backward(ctx, grad: Tensor):
    z, theta, out = ctx.saved_tensors
    # The gradient of a clip, in one pass over memory where theta is a scalar.
    if theta.numel() == 1:
        grad_z = torch.ops.aten.hardtanh_backward(grad, z, 0.0, float(theta))
    else:
        grad_z = grad * ((z > 0) & (z < theta))
    slope = (grad * out).sum_to_size(theta.shape) - (grad_z * z).sum_to_size(theta.shape)
    return grad_z, slope / theta, None, None


_clip_quant_op.register_autograd(_backward, setup_context=_setup_context)


def _gaussian_like(a: Tensor) -> Tensor:
    """N(0, 1) in the memory order of `a`: ten times faster than randn_like on channels-last."""
    noise = torch.empty_like(a)
    noise.as_strided((noise.numel(),), (1,)).normal_()
    return noise


class ClipQuant(nn.Module):
    """`z [B, ...] -> a [B, ...]`, in the units of z.

    theta   clip, a scalar; learned with the weights unless `learned=False`
    levels  L, the number of quantisation steps, or None for a plain clip
    shift   added before the floor; 1/2 rounds to the nearest level
    sigma   standard deviation of the training noise, in the units of a (0: none). A buffer:
            NQ sets it from the measured gap between network and spiking network after each epoch.
    """

    theta: Tensor
    sigma: Tensor

    def __init__(
        self,
        theta: float = 8.0,
        levels: int | None = None,
        shift: float = 0.5,
        learned: bool = True,
        sigma: float = 0.0,
    ) -> None:
        super().__init__()
        if not theta > 0:
            raise ValueError(f"theta must be positive, got {theta}")
        if levels is not None and levels < 1:
            raise ValueError(f"levels must be at least 1 or None, got {levels}")
        self.theta = nn.Parameter(torch.tensor(float(theta)), requires_grad=learned)
        self.register_buffer("sigma", torch.tensor(float(sigma)))
        self.levels, self.shift = levels, shift

    def forward(self, z: Tensor) -> Tensor:
        theta = self.theta.to(z.dtype)
        a = torch.ops.isospike.clip_quant(z, theta, self.levels or 0, self.shift)
        if self.training and self.sigma > 0:
            a = a - _gaussian_like(a).mul_(self.sigma.to(a.dtype))
        return a

    def extra_repr(self) -> str:
        return f"theta={self.theta.item():.4g}, levels={self.levels}, shift={self.shift}"
