"""Where the error is: each site's part of it, what each kind costs in accuracy, and a law to trust.

At a site, with z the mean drive, a the source activation, phi the average output:

    phi - a =   f(z) - a                inherited: what the layers before sent wrong
              + clip(z) - f(z)          clipping:      clip(z) = f(z), to theta and -theta
              + dual(z) - clip(z)       quantisation:  dual is the neuron under constant drive
              + phi - dual(z)           unevenness:    only because the drive is not constant

The four parts add up exactly. Network-wide, every neuron is replaced by its dual (no unevenness)
and by its clip (no quantisation either); the accuracies in between are what each kind costs.
The conservation law, sum of drive / theta = count + v(T) - v(0), is checked on the same images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from isospike.engine.early import run_early
from isospike.errors import DataError, UsageError
from isospike.graph.graph import Graph, Node, apply, execute
from isospike.measure.evaluate import Score
from isospike.network import SpikingNetwork
from isospike.program import Unit
from isospike.units.few_spike import FewSpike
from isospike.units.neuron import Neuron
from isospike.units.no_neuron import NoNeuron
from isospike.units.radix import Radix

PARTS = ("inherited", "clipping", "quantisation", "unevenness")
KNOBS = {
    "clipping": "a higher threshold: threshold.p, or threshold=mmse",
    "quantisation": "more steps, or more levels: recipe spikeconverter",
    "unevenness": "the weight refit (recipe iso), or a separated schedule (spikeconverter)",
    "weights and bias": "more calibration images, or weights.ridge",
}


@dataclass
class SiteAudit:
    """Root mean square of each part relative to that of a; rate in spikes per neuron and step;
    first_spike: mean step of the first spike (synchronous only)."""

    site: str
    inherited: float
    clipping: float
    quantisation: float
    unevenness: float
    total: float
    rate: float
    first_spike: float | None = None


@dataclass
class Audit:
    """accuracy: of the spiking network, of its duals, of its clips, of the source network."""

    recipe: str
    steps: int
    n: int
    sites: list[SiteAudit]
    accuracy: dict[str, float]
    conservation: float
    cost: dict[str, float] = field(default_factory=dict)

    @property
    def worst(self) -> str:
        return max(self.cost, key=lambda kind: self.cost[kind])

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "sites": [vars(s) for s in self.sites], "advice": self.advice}

    @property
    def advice(self) -> str:
        if self.cost[self.worst] <= 0:
            return "nothing is lost"
        return f"most is lost to {self.worst}: {KNOBS[self.worst]}"

    def __str__(self) -> str:
        head = (
            f"{'site':28}{'inherited':>10}{'clipping':>10}{'quantis.':>10}{'uneven':>10}{'rate':>8}"
        )
        rows = [
            f"{s.site[-27:]:28}{s.inherited:10.3f}{s.clipping:10.3f}{s.quantisation:10.3f}"
            f"{s.unevenness:10.3f}{s.rate:8.3f}"
            for s in self.sites
        ]
        names = ", ".join(f"{k} {v:.2%}" for k, v in self.accuracy.items())
        costs = ", ".join(f"{k} {100 * v:+.2f}" for k, v in self.cost.items())
        return "\n".join([
            f"{self.recipe}, T = {self.steps}, {self.n} images (parts relative to the activation)",
            head, *rows, f"accuracy: {names}", f"points lost to: {costs}", self.advice,
            f"conservation law: largest deviation {self.conservation:.1e} spikes",
        ])  # fmt: skip


class _Watch:
    """Observer: mean drive, mean output, first spikes and the conservation law of every site."""

    def __init__(self, units: Mapping[str, Unit], steps: int) -> None:
        self.units, self.steps = units, steps
        self.drive: dict[str, Tensor] = {}
        self.count: dict[str, Tensor] = {}
        self.first: dict[str, Tensor] = {}
        self.deviation = 0.0

    def spikes(self, site: str, start: int, drive: Tensor, spikes: Tensor, state: Tensor) -> None:
        unit = self.units[site]
        fresh = site not in self.drive
        total, count = drive.double().sum(0), spikes.double().sum(0)
        fired = torch.where((spikes != 0).any(0), (spikes != 0).int().argmax(0) + start + 1, 0)
        known = fired if fresh else self.first[site]
        self.first[site] = torch.where(known > 0, known, fired)
        self.drive[site] = total if fresh else self.drive[site] + total
        self.count[site] = count if fresh else self.count[site] + count
        if isinstance(unit, Neuron) and unit.lossless and start + len(spikes) == self.steps:
            constant = unit.constant(self.steps).double()
            charge = (self.drive[site] + constant) / unit.theta.double()
            off = (charge + unit.v0.double() - self.count[site] - state.double()).abs().max()
            self.deviation = max(self.deviation, float(off))


@torch.no_grad()
def audit(snn: SpikingNetwork, images: Tensor, labels: Tensor | None = None) -> Audit:
    """Audit on images [N, ...]; with labels the costs are in accuracy, else in agreement."""
    program = snn.program
    if program.source is None:
        raise UsageError("this network has no source network to be compared with")
    snn.check(images)
    if len(images) == 0 or (labels is not None and len(labels) != len(images)):
        told = "no" if labels is None else len(labels)
        raise DataError(f"{len(images)} images and {told} labels: at least one image, a label each")
    sums: dict[str, dict[str, float]] = {}
    scores = {name: Score() for name in ("spiking", "duals", "clips", "source")}
    deviation = 0.0
    for x, y in zip(images.split(64), _labels(labels, images), strict=True):
        source, logits = _values(program.source, x)
        scores["source"].add(logits, logits, y)
        scores["duals"].add(snn.unspike()(x), logits, y)
        scores["clips"].add(_clipped(snn, x), logits, y)
        drive, output, off, out, first = _spiking(snn, x)
        scores["spiking"].add(out, logits, y)
        deviation = max(deviation, off)
        for node in program.graph.sites:
            unit = program.units[node.name]
            if not isinstance(unit, NoNeuron):
                part = _parts(
                    program.graph, node, unit, source[node.name], drive, output, snn.steps
                )
                _add(sums.setdefault(node.name, {}), part, first.get(node.name))
    known = labels is not None
    accuracy = {n: (s.accuracy if known else s.agreement) or 0.0 for n, s in scores.items()}
    sites = [_site(program.graph[name], total, snn) for name, total in sums.items()]
    cost = {
        "unevenness": accuracy["duals"] - accuracy["spiking"],
        "quantisation": accuracy["clips"] - accuracy["duals"],
    }
    rest = "weights and bias" if "weights" in str(snn.provenance.get("settings")) else "clipping"
    cost[rest] = accuracy["source"] - accuracy["clips"]
    return Audit(snn.recipe, snn.steps, len(images), sites, accuracy, deviation, cost)


def _labels(labels: Tensor | None, images: Tensor) -> list:
    return [None] * len(images.split(64)) if labels is None else list(labels.split(64))


def _values(graph: Graph, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The source network's activation at every site, and its logits."""
    kept: dict[str, Tensor] = {}

    def watch(node: Node, value: Tensor) -> None:
        if node.is_site:
            kept[node.name] = value

    return kept, execute(graph, x, watch=watch)


def _clipped(snn: SpikingNetwork, x: Tensor) -> Tensor:
    return execute(snn.program.graph, x, lambda node, z: _clip(snn, node, z))


def _clip(snn: SpikingNetwork, node: Node, z: Tensor) -> Tensor:
    unit = snn.program.units[node.name]
    if isinstance(unit, NoNeuron | FewSpike):
        return apply(snn.program.graph, node, [z])
    slope = float(node.attrs.get("slope", 0.0))  # type: ignore[arg-type]
    return _limited(F.leaky_relu(_biased(unit, z, snn.steps), slope), unit)


def _limited(a: Tensor, unit: Neuron | Radix | FewSpike) -> Tensor:
    """Within what the unit can send, of either sign."""
    top = unit.top.to(a.dtype)
    return a.minimum(top).maximum(-top)


def _biased(unit: Neuron | Radix | FewSpike, z: Tensor, steps: int) -> Tensor:
    if isinstance(unit, Neuron):
        unit = unit.held(steps)
    return z if unit.bias is None else z + unit.bias


def _spiking(snn: SpikingNetwork, x: Tensor):
    """Mean drive and mean output per site, the law's deviation, logits, first spikes."""
    program, steps = snn.program, snn.steps
    drive: dict[str, Tensor] = {}
    output: dict[str, Tensor] = {}
    if program.schedule.anytime:
        watch = _Watch(program.units, steps)
        out = snn.run(x, steps, [watch]).outputs[steps]
        for name, unit in program.units.items():
            drive[name] = (watch.drive[name] / steps).to(x.dtype)
            output[name] = (watch.count[name] / steps * unit.amplitude).to(x.dtype)
        return drive, output, watch.deviation, out, watch.first

    def note(node: Node, z: Tensor, phi: Tensor) -> None:
        drive[node.name] = torch.cat([drive[node.name], z]) if node.name in drive else z
        output[node.name] = torch.cat([output[node.name], phi]) if node.name in output else phi

    def site(node: Node, z: Tensor) -> Tensor:
        note(node, z, program.units[node.name].dual(z, steps))
        return output[node.name]

    if getattr(program.schedule, "early", 0.0):
        return drive, output, 0.0, run_early(program, x, [steps], note).outputs[steps], {}
    # On the separated schedule the drive has no time: a neuron is its dual.
    execute(program.graph, x, site)
    return drive, output, 0.0, snn(x), {}


def _parts(graph: Graph, node: Node, unit, a: Tensor, drive, output, steps: int) -> dict[str, Any]:
    z, phi = drive[node.name], output[node.name]
    biased = _biased(unit, z, steps)
    function = apply(graph, node, [biased])
    clipped = _limited(function, unit)
    dual = unit.dual(z, steps)
    errors = (function - a, clipped - function, dual - clipped, phi - dual)
    sums = {name: _square(e) for name, e in zip(PARTS, errors, strict=True)}
    rate = (phi / unit.theta).double().abs()
    return {**sums, "total": _square(phi - a), "scale": _square(a),
            "rate": float(rate.sum()), "values": phi.numel()}  # fmt: skip


def _square(value: Tensor) -> float:
    return float(value.double().square().sum())


def _add(total: dict[str, float], part: dict[str, float], first: Tensor | None) -> None:
    fired = first[first > 0] if first is not None else torch.zeros(0)
    part = {**part, "first": float(fired.double().sum()), "fired": float(len(fired))}
    for name, value in part.items():
        total[name] = total.get(name, 0.0) + value


def _site(node: Node, total: dict[str, float], snn: SpikingNetwork) -> SiteAudit:
    scale = total["scale"] or 1.0
    parts = {name: (total[name] / scale) ** 0.5 for name in (*PARTS, "total")}
    first = total["first"] / total["fired"] if total["fired"] else None
    return SiteAudit(node.path, **parts, rate=total["rate"] / total["values"], first_spike=first)
