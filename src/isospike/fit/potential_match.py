"""Initial potentials that make the mean output right.

    v(0) += T * mean over images of (a - phi) / theta

for every neuron of a layer (mean over images alone) or every channel. At step T it does what a bias
of mean(a - phi) would, and leaves the drive of each step as it is.
Source: Li et al., ICML 2021 (the advanced pipeline); Wang et al. 2022 (dual-phase conversion).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from isospike.fit.bias import channel_mean
from isospike.fit.site import Site
from isospike.units.neuron import Neuron
from isospike.units.radix import Radix


@dataclass(frozen=True)
class PotentialMatch:
    """each: "neuron" (a number a neuron, hardware class H1) or "channel"."""

    each: str = "neuron"
    passes: int = 1
    key = "v0"
    stage = "unit"
    depends_on_steps = True
    needs_drive = True

    @property
    def hardware_class(self) -> str:
        return "H1" if self.each == "neuron" else "H0"

    def fit(self, site: Site) -> None:
        for _ in range(self.passes):
            unit = site.unit
            assert isinstance(unit, Neuron | Radix)
            gap = self.mean(site.activation - site.rate(unit)) / unit.theta
            site.set_unit(v0=unit.v0 + site.steps * gap)

    def mean(self, value: Tensor) -> Tensor:
        """[N, C, ...] -> [C, ...] or [C, 1, ...]"""
        return value.mean(0) if self.each == "neuron" else channel_mean(value)
