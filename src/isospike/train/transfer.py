"""phi(T) against a(z): what a site sends for the drive that it really gets.

Source: Huang et al. 2024, the figure of the transfer of a layer beside its activation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isospike.graph.graph import apply
from isospike.program import Program
from isospike.train.passes import Passage, added, passages

LOW, HIGH, WIDTH = -0.5, 1.5, 1 / 32  # bins of z in units of theta; the two end bins are open
BINS = round((HIGH - LOW) / WIDTH)


@dataclass(frozen=True)
class Transfer:
    """phi(T) against the mean drive z that a site gets, in bins of z; all in units of theta.

    counts   int64 [bins];   phi, square, a   float64 [bins]: sums of phi, phi^2 and of the clean
    activation a(z) of that same drive
    """

    theta: float
    counts: Tensor
    phi: Tensor
    square: Tensor
    a: Tensor

    @property
    def z(self) -> Tensor:
        """Centres of the bins."""
        return LOW + WIDTH * (torch.arange(len(self.counts), dtype=torch.float64) + 0.5)

    @property
    def mean(self) -> Tensor:
        """Of phi; nan in an empty bin."""
        return self.phi / self.counts

    @property
    def std(self) -> Tensor:
        """Of phi; nan in an empty bin."""
        return (self.square / self.counts - self.mean.square()).clamp(min=0.0).sqrt()

    @property
    def clean(self) -> Tensor:
        """a(z); nan in an empty bin."""
        return self.a / self.counts

    def __add__(self, other: Transfer) -> Transfer:
        return Transfer(
            self.theta, self.counts + other.counts, self.phi + other.phi,
            self.square + other.square, self.a + other.a,
        )  # fmt: skip


@torch.no_grad()
def transfer(
    model: nn.Module,
    images: Tensor,
    steps: int,
    batch: int = 100,
    program: Program | None = None,
) -> dict[str, Transfer]:
    """Site path -> phi(T) against z after `steps`, on images [N, C, H, W].

    `program`: the model's, where it is known (validate.py). UsageError for a model without clips,
    or steps or a batch that are none; DataError for no images.
    """
    return added(passages(model, images, steps, batch, program), binned)


def binned(site: Passage) -> Transfer:
    theta = site.unit.theta
    a = (apply(site.graph, site.node, [site.z]) / theta).double().flatten()
    phi = site.rate.double().flatten()
    # Clamped before it becomes whole: a drive beyond 64 bits has no whole number.
    bins = ((site.z / theta - LOW) / WIDTH).floor().clamp(0, BINS - 1).long().flatten()
    sums = (bins.bincount(values, BINS).cpu() for values in (phi, phi.square(), a))
    return Transfer(site.theta, bins.bincount(minlength=BINS).cpu(), *sums)
