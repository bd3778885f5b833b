"""The residual of every site: its histogram, its Gaussian fit, and how far it is from Gaussian.

    r = (a - phi(T)) / theta

a: clean activation of the quantised network, phi: mean output of the spiking one (passes.py).
Everything is a sum over values, in units of theta, so parts of the images add up: counts exactly,
moments within rounding. Source: Huang et al. 2024, the histograms that justify Gaussian noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isospike.program import Program
from isospike.train.passes import Passage, added, passages

FINEST = 64  # bins per theta at most
CONTINUOUS = 32  # bins per theta where the activation is not quantised


@dataclass(frozen=True)
class Gap:
    """The residual r of one site; `a + b` is that of both parts of the images.

    theta       one number, in the units of a
    counts      [2 grid + 1] int64: values of r in bins of 1/grid around k/grid, k = -grid .. grid;
                grid is lcm(L, T), on which all r lie, unless that is too fine
    powers      [4] float64: sums of r, r^2, r^3, r^4
    variances   sum over batches of the variance of r in the batch
    """

    theta: float
    counts: Tensor
    powers: Tensor
    variances: float
    batches: int = 1

    @property
    def grid(self) -> int:
        return len(self.counts) // 2

    @property
    def bins(self) -> Tensor:
        """Centres of the bins, in units of theta."""
        return torch.arange(-self.grid, self.grid + 1, dtype=torch.float64) / self.grid

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Of r, in units of theta."""
        return float(self.powers[0]) / self.n

    @property
    def std(self) -> float:
        """Of r over all values, in units of theta."""
        return math.sqrt(max(float(self.powers[1]) / self.n - self.mean**2, 0.0))

    @property
    def sigma(self) -> float:
        """NQ's noise, sqrt(mean over batches of Var(a - phi)), in the units of a. The Gaussian fit
        is N(mean, sigma / theta)."""
        return self.theta * math.sqrt(self.variances / self.batches)

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis, 0 of a Gaussian; nan where r does not vary."""
        one, two, three, four = (self.powers / self.n).tolist()
        variance = two - one**2
        if variance < 1e-12:
            return math.nan
        return (four - 4 * one * three + 6 * one**2 * two - 3 * one**4) / variance**2 - 3

    def fit(self, x: Tensor) -> Tensor:
        """Share of values that N(mean, sigma / theta) puts into a bin around x, units of theta."""
        scale = math.sqrt(2) * max(self.sigma / self.theta, 1e-9)
        half = 0.5 / self.grid
        upper, lower = ((x + side - self.mean) / scale for side in (half, -half))
        return (torch.erf(upper) - torch.erf(lower)) / 2

    def __add__(self, other: Gap) -> Gap:
        return Gap(
            self.theta, self.counts + other.counts, self.powers + other.powers,
            self.variances + other.variances, self.batches + other.batches,
        )  # fmt: skip


@torch.no_grad()
def gaps(
    model: nn.Module,
    images: Tensor,
    steps: int,
    batch: int = 100,
    program: Program | None = None,
) -> dict[str, Gap]:
    """Site path -> residual after `steps`, on images [N, C, H, W]; `sigma` as in nq.py.

    `program`: the model's, where it is known (validate.py). UsageError for a model without clips,
    or steps or a batch that are none; DataError for no images.
    """
    sites = passages(model, images, steps, batch, program)
    return added(sites, lambda site: residual(site, grid_of(site, steps)))


def residual(site: Passage, grid: int) -> Gap:
    r = (site.a / site.unit.theta - site.rate).double().flatten()
    bins = (r * grid).round().long().clamp(-grid, grid) + grid
    powers = torch.stack([r.pow(k).sum() for k in (1, 2, 3, 4)])
    counts = bins.bincount(minlength=2 * grid + 1)
    return Gap(site.theta, counts.cpu(), powers.cpu(), float(r.var()))


def grid_of(site: Passage, steps: int) -> int:
    """Bins per theta: the grid that a (multiples of 1/L) and phi (of 1/T) share, where it is coarse
    enough to be seen."""
    levels = int(site.node.attrs.get("levels") or 0)
    if not levels or site.node.attrs.get("slip"):
        return CONTINUOUS
    return min(math.lcm(levels, steps), FINEST)
