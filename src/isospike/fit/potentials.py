"""Where the initial membrane potential comes from: the neuron begins with `initial(node)`,
and `refine(site)` changes it with the threshold known and the drive at hand. v(0) is in units of
theta.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from isospike.errors import UsageError
from isospike.fit.site import Site
from isospike.graph.graph import Node

GRID = 101  # candidates for v(0) in [0, 1]


class Beginning:
    """What is refined begins at the same value everywhere."""

    start: float = 0.5

    def initial(self, node: Node) -> float:
        """v(0) of the neuron at `node` before it is refined, which searches of a threshold take."""
        return self.start


@dataclass(frozen=True)
class Constant:
    """The same for all: 0 (Rueckauer), 1/2 (Bu et al. 2022, OPI: least expected squared error)."""

    value: float = 0.5
    depends_on_steps = False
    needs_drive = False
    needs_images = False
    hardware_class = "H0"

    def initial(self, node: Node) -> float:
        return self.value

    def refine(self, site: Site) -> None:
        """Nothing to do."""


@dataclass(frozen=True)
class FromShift:
    """The shift before the floor of the source's activation, 0 where it has no levels: over T = L
    steps of a constant drive the neuron then counts as the activation does (Bu et al. 2022)."""

    depends_on_steps = False
    needs_drive = False
    needs_images = False
    hardware_class = "H0"

    def initial(self, node: Node) -> float:
        return float(node.attrs["shift"]) if node.attrs.get("levels") else 0.0

    def refine(self, site: Site) -> None:
        """Nothing to do."""


@dataclass(frozen=True)
class FromANN(Beginning):
    """From the trained network alone, one value a layer (IC-SNN Algorithm 1, reconstructed).

    reading "half": theta / 2, which is optimal for uniform z
    reading "mse":  argmin over v in [0, theta] of E (transfer(z; v) - clip(z, 0, theta))^2, by the
                    neuron's own transfer
    reading "mean": E[(T z) mod theta | 0 < z < theta]
    """

    reading: str = "mse"
    depends_on_steps = True
    needs_drive = False
    hardware_class = "H0"

    def refine(self, site: Site) -> None:
        if self.reading == "half":
            return site.set_unit(v0=torch.tensor(0.5))
        if self.reading not in ("mse", "mean"):
            raise UsageError(f"potential.reading: half, mse or mean, got {self.reading!r}")
        theta = site.unit.theta.reshape(-1, 1)  # type: ignore[union-attr]
        u = (site.stats.centres / theta).double()
        top = site.unit.top.reshape(-1, 1)  # type: ignore[union-attr]
        weights = site.stats.counts.double() * (site.stats.centres < top)
        if not bool(weights.any()):
            return site.set_unit(v0=torch.tensor(0.5))
        share = weights / weights.sum()
        if self.reading == "mean":
            v0 = ((u * site.steps).frac() * share).sum()
        else:
            trials = torch.linspace(0, 1, GRID, dtype=torch.float64)
            unit = replace(site.unit, theta=torch.ones_like(theta, dtype=u.dtype))  # type: ignore[type-var]
            v0 = min(trials, key=lambda v: float(self.loss(unit, u, v, site.steps, share)))
        site.set_unit(v0=v0.float())

    def loss(self, unit: Any, u: Tensor, v: Tensor, steps: int, share: Tensor) -> Tensor:
        """unit: the neuron with theta 1; u: activations in units of theta."""
        rate = replace(unit, v0=v).dual(u, steps)
        return ((rate - u).square() * share).sum()


@dataclass(frozen=True)
class FromTrainingSet(Beginning):
    """From simulating the training images, layer by layer (IC-SNN Algorithm 2, reconstructed).

    mode "active": running mean over batches of v(T), over neurons with 0 < spikes < T only (the
                   mean over all is far below zero: silent neurons integrate negative drive)
    mode "gap":    v(0) + T * mean(a - phi) / theta, per layer
    start: value to begin from, in units of theta; rounds: passes over the images; batch: their
    size.
    """

    mode: str = "active"
    start: float = 0.5
    rounds: int = 2
    batch: int = 128
    depends_on_steps = True
    needs_drive = True
    hardware_class = "H0"

    def refine(self, site: Site) -> None:
        if self.mode not in ("active", "gap"):
            raise UsageError(f"potential.mode: active or gap, got {self.mode!r}")
        if self.mode == "gap":
            gap = (site.activation - site.rate(site.unit)) / site.unit.theta  # type: ignore[union-attr]
            v0 = site.unit.v0 + site.steps * gap.mean()  # type: ignore[union-attr]
            return site.set_unit(v0=v0.clamp(0.0, 1.0))
        mean, seen = site.unit.v0.clone(), 0  # type: ignore[union-attr]
        for _ in range(self.rounds):
            for drive in site.drive.split(self.batch, 1):
                residual = self.residual(site, drive)
                if residual is not None:
                    seen += 1
                    mean = mean + (residual.clamp(0.0, 1.0) - mean) / seen
                    site.set_unit(v0=mean)

    def residual(self, site: Site, drive: Tensor) -> Tensor | None:
        """Mean of v(T) over the active neurons of a batch, None where none is."""
        drive = drive.expand(site.steps, *drive.shape[1:])
        spikes, state = site.unit.scan(drive, None)  # type: ignore[union-attr]
        v = site.unit.membrane(state)  # type: ignore[union-attr]
        counts = spikes.sum(0)
        active = (counts > 0) & (counts < site.steps)
        return v[active].mean() if bool(active.any()) else None


@dataclass(frozen=True)
class Both(Beginning):
    """FromANN, then FromTrainingSet beginning there: IC-SNN's Algorithms 1 and 2 together."""

    reading: str = "mse"
    mode: str = "active"
    rounds: int = 2
    depends_on_steps = True
    needs_drive = True
    hardware_class = "H0"

    def refine(self, site: Site) -> None:
        FromANN(self.reading).refine(site)
        FromTrainingSet(self.mode, rounds=self.rounds).refine(site)


Potential = Constant | FromShift | FromANN | FromTrainingSet | Both
