"""Where the threshold of a site comes from. Each part answers `estimate(site) -> theta`.

grain: "layer" gives one threshold, "channel" one a channel ([C, 1, 1] or [C]).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.errors import UsageError
from isospike.fit.gauss_lloyd import GaussLloyd
from isospike.fit.observe import SiteStats
from isospike.fit.site import Site
from isospike.fit.weight_bounds import largest_drive, largest_weight

SMALLEST = 1e-6
USUAL, OUTLIER = 99.9, 100.0  # a maximum so many times that percentile is an outlier


@dataclass(frozen=True)
class Max:
    """The largest activation seen (Diehl et al. 2015)."""

    grain: str = "layer"
    depends_on_steps = False

    def estimate(self, site: Site) -> Tensor:
        return Percentile(100.0, grain=self.grain).estimate(site)


@dataclass(frozen=True)
class Percentile:
    """The p-th percentile of the activations (Rueckauer et al. 2017, p = 99.9).

    nonzero: of the positive ones only, as the authors' toolbox does; else of all.
    Exact to one bin of the histogram, max / 2048, rounded up; p = 100 is the maximum.
    """

    p: float = 99.9
    nonzero: bool = True
    grain: str = "layer"
    depends_on_steps = False

    def estimate(self, site: Site) -> Tensor:
        if not 0 < self.p <= 100:
            raise UsageError(f"threshold.p must lie in (0, 100], got {self.p}")
        theta = self.value(site.stats, self.p)
        if self.p == 100:
            _tell_outliers(site, theta, self.value(site.stats, USUAL))
        return theta

    def value(self, stats: SiteStats, p: float) -> Tensor:
        """The p-th percentile, without a check of p."""
        edges, counts = stats.edges, stats.counts.double()
        if self.grain == "layer":
            edges, order = edges.flatten().sort()
            edges, counts = edges[None], counts.flatten()[order][None]
        total = counts.sum(1, keepdim=True)
        seen = stats.values * len(stats.maxima) / len(counts)
        silent = 0.0 if self.nonzero else seen - total
        reached = counts.cumsum(1) + silent >= (total + silent) * p / 100
        at = reached.to(torch.uint8).argmax(1, keepdim=True)
        theta = edges.gather(1, at).squeeze(1)
        theta = torch.where(total.squeeze(1) > 0, theta, edges[:, -1])
        return theta[0] if self.grain == "layer" else stats.shaped(theta)


def _tell_outliers(site: Site, top: Tensor, usual: Tensor) -> None:
    ratio = float((top / usual.clamp(min=SMALLEST)).max())
    if ratio >= OUTLIER:
        warnings.warn(
            f"{site.node.path}: the largest activation is {ratio:.0f} times the {USUAL}th "
            "percentile: so high a threshold leaves few levels to the rest (threshold=percentile)",
            stacklevel=2,
        )


@dataclass(frozen=True)
class MMSE:
    """argmin over theta of the mean of (transfer(a; theta) - a)^2, through the neuron's own static
    transfer, so that it knows T, v(0) and the levels (Li et al. 2021, whose search floors although
    the network rounds). Candidates: `lowest`, lowest + `step`, ... 1 times the maximum; ties go to
    the larger one.
    """

    grain: str = "channel"
    lowest: float = 0.1
    step: float = 0.03
    depends_on_steps = True

    def estimate(self, site: Site) -> Tensor:
        stats = site.stats
        values, weights = stats.centres, stats.counts.double()
        top = stats.maxima
        if self.grain == "layer":
            values, weights, top = values.reshape(1, -1), weights.reshape(1, -1), top.max()[None]
        best = torch.full_like(top, torch.inf, dtype=torch.float64)
        theta = top.clone()
        count = round((1 - self.lowest) / self.step)
        for index in range(count, -1, -1):
            trial = top * (self.lowest + index * self.step)
            unit = site.make_unit(trial[:, None])
            error = unit.dual(values, site.steps) - values
            loss = (error.double().square() * weights).sum(1)
            theta = torch.where(loss < best, trial, theta)
            best = torch.minimum(loss, best)
        theta = theta.clamp(min=SMALLEST)
        return theta[0] if self.grain == "layer" else stats.shaped(theta)


@dataclass(frozen=True)
class FromActivation:
    """The clip of the source activation: learned (TCL, QCFS, NQ) or fixed (ReLU6).

    grain is the activation's own. UsageError where the source has no clip; a note where it rounds
    at another point than the neuron does, which was then made for another source.
    """

    depends_on_steps = False
    needs_images = False

    def estimate(self, site: Site) -> Tensor:
        node = site.node
        if "theta" in node.tensors:
            return site.graph.tensors[node.tensors["theta"]]
        if node.op == "clip":
            return torch.tensor(float(node.attrs["high"]))  # type: ignore[arg-type]
        raise UsageError(
            f"{node.path}: this recipe takes thresholds from the source activation, and a plain "
            "ReLU has none: train with ClipQuant, or set threshold to percentile or mmse"
        )

    def check(self, site: Site) -> None:
        """A note where the fitted neuron rounds at another point than its source."""
        attrs, v0 = site.node.attrs, site.unit.v0  # type: ignore[union-attr]
        if attrs.get("levels") and v0.numel() == 1 and float(v0) != attrs["shift"]:
            site.notes.append(
                f"the source rounds with shift {attrs['shift']:g}, the neuron with v(0) = "
                f"{float(v0):g} theta: made for a source with that shift, or one that does not "
                "round"
            )


@dataclass(frozen=True)
class FromSoftLIF(FromActivation):
    """What the source's soft LIF saturates at (soft_lif.py). UsageError for any other activation,
    whose values no leaky neuron's rate follows."""

    def estimate(self, site: Site) -> Tensor:
        if site.node.op != "soft_lif":
            raise UsageError(
                f"{site.node.path}: leaky neurons follow the soft LIF rate, the source has "
                f"{site.node.op}: train with activation soft-lif"
            )
        return super().estimate(site)


@dataclass(frozen=True)
class SpikeMax:
    """alpha times the largest drive of one step in the running spiking network, layer by layer
    with the layers below fixed (Sengupta et al. 2019; alpha < 1: Han et al. 2020).

    steps: simulation length of the search; the thresholds do not depend on T.
    """

    alpha: float = 0.8
    steps: int = 32
    depends_on_steps = False
    needs_drive = True

    def estimate(self, site: Site) -> Tensor:
        return (self.alpha * site.drive.amax()).clamp(min=SMALLEST)


@dataclass(frozen=True)
class WeightSum:
    """The largest drive of one step that the weights allow, of any pixels in [0, 1] and any spikes
    below (fit/weight_bounds.py): theta_l = max over units of (sum of positive weights * theta
    below), and what shifts and biases bring. No neuron ever has more than one spike to send, and no
    data is needed (Diehl et al. 2015, model-based, whose networks have no shift and no bias).
    """

    depends_on_steps = False
    needs_images = False

    def estimate(self, site: Site) -> Tensor:
        return largest_drive(site.graph, site.node).clamp(min=SMALLEST)


@dataclass(frozen=True)
class MaxOrWeight:
    """The larger of the largest activation and the largest weight of the layer (Diehl et al. 2015,
    data-based)."""

    depends_on_steps = False

    def estimate(self, site: Site) -> Tensor:
        seen = Max().estimate(site)
        return torch.maximum(seen, largest_weight(site.graph, site.node).to(seen))


@dataclass(frozen=True)
class LocalBalance:
    """theta_c += 2 * mean of max(a - theta, 0), `rounds` times from 0: a balance between clipping
    and threshold that each channel finds by itself (Bu et al. 2025). The paper's rounds are batches
    of a network clipped below; here they are over all source activations at once.
    """

    rounds: int = 200
    depends_on_steps = False

    def estimate(self, site: Site) -> Tensor:
        stats = site.stats
        values, weights = stats.centres.double(), stats.counts.double() / stats.values
        theta = torch.zeros(len(values), 1, dtype=torch.float64)
        for _ in range(self.rounds):
            theta = theta + 2 * ((values - theta).relu() * weights).sum(1, keepdim=True)
        return stats.shaped(theta.squeeze(1).to(stats.maxima).clamp(min=SMALLEST))


@dataclass(frozen=True)
class NeuronMax:
    """The largest activation of each neuron (Wang et al. 2022, NeuronNorm), [C, H, W]; a neuron
    that was silent takes the largest of its layer."""

    depends_on_steps = False
    hardware_class = "H1"

    def estimate(self, site: Site) -> Tensor:
        top = site.stats.peaks
        return torch.where(top > SMALLEST, top, site.stats.maxima.max().clamp(min=SMALLEST))


Threshold = (
    Max | Percentile | MMSE | FromActivation | SpikeMax | WeightSum | MaxOrWeight | LocalBalance
    | NeuronMax | FromSoftLIF | GaussLloyd
)  # fmt: skip
