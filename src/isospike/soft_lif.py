"""The rate of a leaky integrate-and-fire neuron, its corner smoothed: an activation to train with.

    j = z tau_rc / (theta tau_ref) - 1              current above the neuron's threshold
    rho = gamma log(1 + exp(j / gamma))             smoothed; gamma -> 0 is the neuron itself
    a = theta tau_ref / (tau_ref + tau_rc log(1 + 1 / rho))

theta is where the activation saturates: a spike every tau_ref steps. Where a is small against it,
the slope is near 1. Below threshold a falls as gamma / |j|, never to 0.

    da/dz = tau_rc^2 r^2 sigmoid(j / gamma) / (rho (1 + rho)),   r = a / (theta tau_ref)
    da/dtheta = (a - z da/dz) / theta

Source: Hunsberger and Eliasmith 2016; tau_rc = 20 ms, tau_ref = 4 ms, a step is 1 ms.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

TAU_RC = 20.0  # steps: time constant of the membrane
TAU_REF = 4.0  # steps after a spike in which the membrane rests
GAMMA = 0.02
FAR = -15.0  # log(1 + e^x) is e^x to float32 below it


def soft_lif(z: Tensor, theta: Tensor, gamma: float = GAMMA) -> Tensor:
    """The activation as a plain function."""
    log_rho = _log_rho(_current(z, theta, gamma), gamma)
    return theta * TAU_REF / (TAU_REF + TAU_RC * F.softplus(-log_rho))


def _current(z: Tensor, theta: Tensor, gamma: float) -> Tensor:
    """j / gamma."""
    return (z * (TAU_RC / TAU_REF) / theta - 1.0) / gamma


def _log_rho(x: Tensor, gamma: float) -> Tensor:
    return torch.where(x < FAR, x, F.softplus(x.clamp(min=FAR)).log()) + math.log(gamma)


# A custom operator, so that capture sees the activation as one node.
@torch.library.custom_op("isospike::soft_lif", mutates_args=())
def _soft_lif_op(z: Tensor, theta: Tensor, gamma: float) -> Tensor:
    return soft_lif(z, theta, gamma)


@_soft_lif_op.register_fake
def _(z: Tensor, theta: Tensor, gamma: float) -> Tensor:
    return torch.empty_like(z)


def _setup_context(ctx, inputs, output) -> None:
    z, theta, ctx.gamma = inputs
    ctx.save_for_backward(z, theta, output)


def _backward(ctx, grad: Tensor):
    z, theta, out = ctx.saved_tensors
    x = _current(z, theta, ctx.gamma)
    rho = _log_rho(x, ctx.gamma).exp()
    # sigmoid(x) / rho, which is 1 / gamma far below threshold.
    steep = torch.where(x < FAR, 1 / ctx.gamma, x.sigmoid() / rho.clamp(min=1e-30))
    grad_z = grad * (out / theta * (TAU_RC / TAU_REF)).square() * steep / (1 + rho)
    slope = (grad * out).sum_to_size(theta.shape) - (grad_z * z).sum_to_size(theta.shape)
    return grad_z, slope / theta, None


_soft_lif_op.register_autograd(_backward, setup_context=_setup_context)
