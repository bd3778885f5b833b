"""Calibrators of the bias: a constant added to a site's drive at every step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from isospike.fit.observe import channels_first
from isospike.fit.site import Site


@dataclass(frozen=True)
class BiasMatch:
    """b_c += mean over images and positions of (a - phi), on the spiking prefix.

    passes: once as in the paper (Li et al. 2021, "light" pipeline), or repeated until it settles.
    """

    passes: int = 3
    key = "bias"
    stage = "unit"
    depends_on_steps = True
    needs_drive = True

    def fit(self, site: Site) -> None:
        for _ in range(self.passes):
            gap = channel_mean(site.activation - site.rate(site.unit))  # type: ignore[arg-type]
            bias = site.unit.bias  # type: ignore[union-attr]
            site.set_unit(bias=gap if bias is None else bias + gap)


@dataclass(frozen=True)
class HalfShift:
    """b = theta / (2 T): the shift of Deng & Gu 2021, equal to v(0) = theta / 2 at step T."""

    key = "shift"
    stage = "unit"
    depends_on_steps = True
    needs_drive = False

    def fit(self, site: Site) -> None:
        shift, bias = site.unit.theta / (2 * site.steps), site.unit.bias  # type: ignore[union-attr]
        site.set_unit(bias=shift if bias is None else bias + shift)


def channel_mean(value: Tensor) -> Tensor:
    """[N, C, ...] -> [C, 1, ...]"""
    return channels_first(value).mean(1).reshape(-1, *[1] * (value.dim() - 2))
