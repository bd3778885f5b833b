"""Activations of the source network: one class, `ClipQuant`, whose settings are the published ones.

    u = clip(z / theta, 0, 1),   q = floor(u * L + shift) / L
    a = theta * u                                         levels=None   (TCL, threshold ReLU, RNL)
    a = theta * q                                         levels=L      (CQ: shift 0, QCFS: 1/2)
    a = theta * (c * u + (1 - c) * q)                     slip=c        (SlipReLU)
    theta = m * sigmoid(p),   m <- 0.9 m + 0.1 max(z)     running_max   (RNL; m moves in training)

In training only:

    q on a random share of the values, u on the rest      share         (dual-phase)
    q with shift ~ U[0, 1), so that E[q] = u              dither
    a = a - sigma * eps - mu,   eps ~ N(0, 1)             sigma, mu     (NQ, whose mu is 0)

The floor has a straight-through gradient: da/dz = 1 where 0 < z < theta and 0 elsewhere;
da/dtheta = a/theta - z/theta inside and 1 above.
Sources: Ho & Chang 2021 (TCL), Deng & Gu 2021 (threshold ReLU), Ding et al. 2021 (RNL), Yan et al.
2021 (CQ), Bu et al. 2022 eq. 16 (QCFS), Wang et al. 2022 (dual-phase), Jiang et al. 2023
(SlipReLU), Huang et al. 2024 (NQ). NQ clips before the floor and QCFS after it: the values are
the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from isospike.clip_quant import clip_quant as clip_quant
from isospike.clip_quant import drawn_like, normal_like
from isospike.errors import UsageError
from isospike.soft_lif import GAMMA

MOMENTUM = 0.1  # of the running maximum
SMALLEST = 1e-6  # theta of a layer that is never active


class ClipQuant(nn.Module):
    """`z [B, ...] -> a [B, ...]`, in the units of z.

    theta        clip, a scalar; learned with the weights unless `learned=False`
    levels       L, the number of quantisation steps, or None for a plain clip
    shift        added before the floor, in [0, 1); 1/2 rounds to the nearest level
    sigma        standard deviation of the training noise, in the units of a (0: none), one number
                 or one per channel [C]. A buffer.
    running_max  theta = m * sigmoid(p): m, a buffer that starts at `theta`, follows the largest z
                 of the training batches; p = 10 at the start is what is learned
    slip         share c of the plain clip in the sum
    share        of the values that training quantises
    dither       training draws the shift anew for each value
    measured     `train.run` sets sigma from the gap between network and spiking network, which it
                 measures after each epoch (NQ)
    ceiling      largest value of the activation that this one stands for (6 for ReLU6)

    ValueError lists every setting without a meaning.
    """

    theta: Tensor
    sigma: Tensor
    mu: Tensor

    def __init__(
        self,
        theta: float = 8.0,
        levels: int | None = None,
        shift: float = 0.5,
        learned: bool = True,
        sigma: float | Tensor = 0.0,
        *,
        running_max: bool = False,
        slip: float = 0.0,
        share: float = 1.0,
        dither: bool = False,
        measured: bool = False,
        ceiling: float = math.inf,
    ) -> None:
        super().__init__()
        sigma = torch.as_tensor(sigma, dtype=torch.get_default_dtype()).detach().clone()
        _check(theta, levels, shift, sigma, slip, share, dither)
        clip = torch.tensor(float(theta))
        if running_max:
            self.register_buffer("running_max", clip)
            self.p = nn.Parameter(torch.tensor(10.0), requires_grad=learned)
        else:
            self.theta = nn.Parameter(clip, requires_grad=learned)
        self.register_buffer("sigma", sigma)
        self.register_buffer("mu", torch.zeros_like(sigma))
        self.levels, self.shift, self.slip = levels, shift, slip
        self.share, self.dither, self.ceiling = share, dither, ceiling
        self.measured = measured

    def __getattr__(self, name: str) -> Any:
        if name == "theta" and "running_max" in self._buffers:
            return (self.running_max * self.p.sigmoid()).clamp(min=SMALLEST)
        return super().__getattr__(name)

    @torch.no_grad()
    def set_theta(self, theta: float) -> None:
        """Set the clip, whatever it is made of; ValueError unless it is positive."""
        _check(theta, None, self.shift, self.sigma, 0.0, 1.0, False)
        if "running_max" in self._buffers:
            self.running_max = self.running_max.new_tensor(theta) / self.p.sigmoid()
        else:
            self.theta.fill_(theta)

    def forward(self, z: Tensor) -> Tensor:
        if self.training and "running_max" in self._buffers:
            top = self.largest(z.detach()).clamp(min=0.0).to(self.running_max.dtype)
            self.running_max = self.running_max.lerp(top, MOMENTUM)
        theta = self.theta.to(z.dtype)
        if self.training and (self.share < 1 or self.dither):
            a = self._random(z, theta)
        else:
            slip = self.slip if self.levels else 0.0
            a = torch.ops.isospike.clip_quant(z, theta, self.levels or 0, self.shift, slip)
        if self.training and bool((self.sigma > 0).any()):
            a = a - normal_like(a.detach()).mul_(_along(self.sigma, a))
        if self.training and bool(self.mu.any()):
            a = a - _along(self.mu, a)
        return a

    def largest(self, z: Tensor) -> Tensor:
        """The largest value of the batch, which several processes may share (train/across.py)."""
        return z.amax()

    def _random(self, z: Tensor, theta: Tensor) -> Tensor:
        u, levels = (z / theta).clamp(0.0, 1.0), self.levels or 0
        shift = drawn_like(u.detach(), Tensor.uniform_) if self.dither else self.shift
        # Clamped: L + 0.9999999 is L + 1 in float32.
        q = (u.detach() * levels + shift).floor_().clamp_(max=levels).div_(levels)
        if self.share < 1:
            q = torch.where(drawn_like(q, Tensor.uniform_) < self.share, q, u.detach())
        return theta * (u + (q - u.detach()) * (1.0 - self.slip))

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs) -> None:
        # Noise by layer and by channel load into each other, and older weights have no mean.
        state_dict.setdefault(f"{prefix}mu", self.mu)
        for name in ("sigma", "mu"):
            found, own = state_dict.get(f"{prefix}{name}"), getattr(self, name)
            if isinstance(found, Tensor) and found.dim() < 2 and found.shape != own.shape:
                setattr(self, name, own.new_zeros(found.shape))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def extra_repr(self) -> str:
        text = f"theta={self.theta.item():.4g}, levels={self.levels}, shift={self.shift}"
        rest = {"slip": (self.slip, 0), "share": (self.share, 1), "dither": (self.dither, False)}
        return text + "".join(f", {k}={v}" for k, (v, usual) in rest.items() if v != usual)


class SoftLIF(ClipQuant):
    """`z [B, ...] -> a [B, ...]`, the smoothed rate of a leaky neuron (soft_lif.py).

    theta: what it saturates at; gamma: how smooth its corner is, in units of the threshold current;
    sigma: noise of training in units of theta (the paper's 10 spikes a second are 0.04).
    """

    def __init__(
        self,
        theta: float = 8.0,
        gamma: float = GAMMA,
        sigma: float = 0.04,
        *,
        learned: bool = True,
        ceiling: float = math.inf,
    ) -> None:
        super().__init__(theta, learned=learned, sigma=sigma, ceiling=ceiling)
        if not gamma > 0:
            raise ValueError(f"gamma must be positive, got {gamma}")
        self.gamma = gamma

    def forward(self, z: Tensor) -> Tensor:
        theta = self.theta.to(z.dtype)
        a = torch.ops.isospike.soft_lif(z, theta, self.gamma)
        if self.training:
            a = a + normal_like(a.detach()).mul_(self.sigma.to(z.dtype) * theta.detach())
        return a

    def extra_repr(self) -> str:
        return f"theta={self.theta.item():.4g}, gamma={self.gamma}"


def _along(noise: Tensor, a: Tensor) -> Tensor:
    """One number, or one per channel [C] against a [B, C, ...]."""
    noise = noise.to(a.dtype)
    return noise.reshape(-1, *[1] * (a.dim() - 2)) if noise.dim() else noise


def _check(theta, levels, shift, sigma: Tensor, slip, share, dither) -> None:
    whole = levels is None or (isinstance(levels, Integral) and int(levels) >= 1)
    wrong = [
        (not 0 < theta < math.inf, f"theta must be positive and finite, got {theta}"),
        (not whole, f"levels must be a whole number from 1, or None, got {levels}"),
        (not 0 <= shift < 1, f"shift must lie in [0, 1), got {shift}"),
        (sigma.dim() > 1 or not bool((sigma >= 0).all()),
         f"sigma must be >= 0, one number or one per channel, got {sigma.tolist()}"),
        (not 0 <= slip <= 1, f"slip must lie in [0, 1], got {slip}"),
        (not 0 <= share <= 1, f"share must lie in [0, 1], got {share}"),
        (levels is None and (slip > 0 or share < 1 or dither),
         "slip, share and dither change the quantisation: levels must be given"),
    ]  # fmt: skip
    if found := [text for bad, text in wrong if bad]:
        raise ValueError("; ".join(found))


# Name -> factory with the paper's settings. Each call makes one activation; keywords change it.
ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "tcl": partial(ClipQuant, theta=4.0),
    "rts": partial(ClipQuant, theta=1.0, learned=False),  # the threshold is the user's to choose
    "rnl": partial(ClipQuant, theta=1.0, running_max=True),
    "cq": partial(ClipQuant, theta=1.0, levels=4, shift=0.0, learned=False),
    "qcfs": partial(ClipQuant, theta=8.0, levels=4),
    "dual-phase": partial(ClipQuant, theta=5.0, levels=4, share=0.9),
    "slip-relu": partial(ClipQuant, theta=8.0, levels=16, slip=0.5),
    "soft-lif": partial(SoftLIF, theta=8.0),
    "nq": partial(ClipQuant, theta=8.0, levels=4, measured=True),
}
OWN = -1  # levels: those of the activation's paper, as they stand above


def factory(name: str) -> Callable[..., nn.Module]:
    """UsageError lists the known names."""
    if name not in ACTIVATIONS:
        raise UsageError(f"unknown activation {name!r}: one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def setting(name: str, key: str) -> Any:
    """What the activation of this name gives ClipQuant for `key`; None where it gives nothing."""
    return getattr(factory(name), "keywords", {}).get(key)


def without_noise(model: nn.Module) -> nn.Module:
    """The same model with every sigma and mu at 0: noise is for training."""
    for module in model.modules():
        if isinstance(module, ClipQuant):
            module.sigma = torch.zeros_like(module.sigma)
            module.mu = torch.zeros_like(module.mu)
    return model
