"""The threshold that is the best scale of a uniform quantiser of Gaussian drive, by iteration.

    z ~ N(mu, sigma^2) in a channel;   q(z) = theta / n #{i: z > c_i},   c_i = (2 i - 1) theta / 2 n
    theta <- k theta,   k = E[z q] / E[q^2],   which is
    k = (mu mean(1 - erf_i) + sigma sqrt(2 / pi) mean(e_i))
        / (theta (1 - sum((2 i - 1) erf_i) / n^2)),   i = 1 .. n
    erf_i = erf((c_i - mu) / (sqrt(2) sigma)),   e_i = exp(-(c_i - mu)^2 / (2 sigma^2))

theta begins at 1. The steps are small ones, and after 100 of them the begin still shows where sigma
is far from 1; with more `rounds` it does not. A channel that no positive theta suits takes the
largest activation (ours; the code goes back to 1).

Source: Huang et al., ICML 2025 (threshold iteration); begin, n = 64 and 100 rounds: authors' code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.fit.observe import channels_first
from isospike.fit.site import Site

SMALLEST = 1e-6


@dataclass(frozen=True)
class GaussLloyd:
    """parts: n. mu and sigma are those of the source's pre-activations on the images that the fit
    simulates; one threshold a channel."""

    parts: int = 64
    rounds: int = 100
    depends_on_steps = False
    needs_drive = True

    def estimate(self, site: Site) -> Tensor:
        assert site.target is not None
        variance, mean = torch.var_mean(channels_first(site.target).double(), 1, correction=0)
        theta = torch.ones_like(mean)
        for _ in range(self.rounds):
            theta = theta * ratio(theta, mean, variance.sqrt(), self.parts)
        seen = site.stats.maxima
        sound = theta.isfinite() & (theta > SMALLEST)
        return site.stats.shaped(torch.where(sound, theta.to(seen), seen))


def ratio(theta: Tensor, mean: Tensor, sigma: Tensor, parts: int) -> Tensor:
    """k [C]; NaN where no z reaches a level."""
    odd = 2.0 * torch.arange(1, parts + 1, device=theta.device) - 1
    away = (odd * theta[:, None] / (2 * parts) - mean[:, None]) / (math.sqrt(2) * sigma[:, None])
    above = torch.erfc(away)  # [C, n]; 1 - erf would be rounding alone far above the mean
    peaks = sigma * math.sqrt(2 / math.pi) * torch.exp(-away.square()).mean(1)
    return (mean * above.mean(1) + peaks) / (theta * (above * odd).sum(1) / parts**2)
