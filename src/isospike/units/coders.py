"""Input coders: how an image x in [0, 1] becomes T frames.

Constant    x at every step (direct coding): the first affine segment runs once
Bernoulli   s(t) = H(x - u(t)), u uniform: rate coding, standard deviation sqrt(x (1 - x) / T)
IFCoder     v <- v + x, s = H(v - 1), v <- v - s: deterministic, error at most one spike

With `compensate`, the remainder E = T x - sum_t s(t) joins the first frame. The first layer is
linear, so this is V_1(0) <- V_1(0) + W_1 E: coding compensation, Li et al. 2023 Algorithm 3, in
the one-shot reading (reconstructed: the paper's text is not public).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.errors import DataError
from isospike.units.kernel import scan


@dataclass(frozen=True)
class Constant:
    """Direct coding: the same frame at every step."""

    name = "direct"

    def frames(self, x: Tensor, steps: int) -> None:
        return None


@dataclass(frozen=True)
class Bernoulli:
    """One draw of u [T, C, H, W] from `seed` serves every image, so that an image's answer does
    not depend on its neighbours; the global generator is not touched."""

    seed: int = 0
    compensate: bool = False
    name = "bernoulli"

    def frames(self, x: Tensor, steps: int) -> Tensor:
        """x [B, ...] in [0, 1] -> [T, B, ...]; DataError outside that range."""
        check_unit_range(x)
        generator = torch.Generator().manual_seed(self.seed)
        u = torch.rand(steps, 1, *x.shape[1:], generator=generator).to(x.device, x.dtype)
        return compensated((u < x).to(x.dtype), x) if self.compensate else (u < x).to(x.dtype)


@dataclass(frozen=True)
class IFCoder:
    """v0 in units of the threshold 1."""

    v0: float = 0.5
    compensate: bool = False
    name = "if"

    def frames(self, x: Tensor, steps: int) -> Tensor:
        """x [B, ...] in [0, 1] -> [T, B, ...]; DataError outside that range."""
        check_unit_range(x)
        drive = x.unsqueeze(0).repeat(steps, *[1] * x.dim())
        spikes, _ = scan(drive, torch.full_like(x, self.v0))
        return compensated(spikes, x) if self.compensate else spikes


Coder = Constant | Bernoulli | IFCoder


def compensated(spikes: Tensor, x: Tensor) -> Tensor:
    """The train with its remainder added to the first frame."""
    spikes[0] += len(spikes) * x - spikes.sum(0)
    return spikes


def check_unit_range(x: Tensor) -> None:
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 1:
        raise DataError(
            f"a spike coder needs pixels in [0, 1], got [{low:.3g}, {high:.3g}]: put the "
            "normalisation into the network, or use direct coding (coder=direct)"
        )
