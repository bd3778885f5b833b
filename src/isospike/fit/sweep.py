"""Fitting a Program in one sweep from input to output.

Each site is fitted when it is reached, on the images as the *spiking* part before it transmits
them; its own spikes are kept for the sites after it, so that nothing is ever run again from the
input. Recipes that need no images at a site (thresholds from statistics) skip the simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from isospike.engine.run import below_sites
from isospike.errors import DataError
from isospike.fit.calibration import MICRO, Calibration, filled
from isospike.fit.fold_bias import fold_biases
from isospike.fit.observe import SiteStats
from isospike.fit.segment import evaluate, segment
from isospike.fit.site import Site
from isospike.fit.spiketrain import SpikeTrain
from isospike.fit.thresholds import FromActivation
from isospike.graph.graph import Graph, Node, apply
from isospike.graph.ops import Kind
from isospike.program import Program, Unit
from isospike.recipe import Recipe
from isospike.schedule import Separated
from isospike.tune.loop import tune
from isospike.units.analogue import Analogue
from isospike.units.few_spike import FewSpike
from isospike.units.neuron import Neuron
from isospike.units.pool import POOLS, GatedMaxPool

FRAMES = 8192  # images x steps of one sweep: bounds its time and memory


Progress = Callable[[str, int, int], None]


@torch.no_grad()
def fit_program(
    graph: Graph,
    recipe: Recipe,
    stats: Mapping[str, SiteStats],
    calibration: Calibration | None,
    steps: int,
    progress: Progress = lambda what, done, total: None,
) -> Program:
    """`graph` with the recipe's units; DataError when the recipe needs images and has none."""
    if recipe.caps is not None and calibration is not None:
        recipe = _with_caps(graph, recipe, stats, calibration, steps)
    program = fold_biases(_swept(graph, recipe, stats, calibration, steps, progress))
    if recipe.tune is None:
        return program
    if calibration is None:
        raise DataError(f"recipe {recipe.name!r} tunes on calibration images: calibration=...")
    return tune(program, calibration.images, steps, recipe.tune, progress)


def _swept(graph, recipe: Recipe, stats, calibration, steps: int, progress: Progress) -> Program:
    """The program after the sweep; the units have their biases."""
    sweep = _Sweep(graph, recipe, stats, calibration, steps)
    sites = graph.sites
    for done, node in enumerate(sites):
        progress(f"{recipe.name}, {node.path}", done, len(sites))
        sweep.visit(node)
    sweep.finish()
    progress(recipe.name, len(sites), len(sites))
    program = Program(sweep.graph, sweep.units, recipe.schedule, recipe.coder, source=graph)
    return program.noted(*sweep.notes)


def _with_caps(graph, recipe: Recipe, stats, calibration: Calibration, steps: int) -> Recipe:
    """The recipe with the caps and scales that its search chooses."""
    assert recipe.caps is not None

    def fit(cap: int) -> Program:
        neuron = replace(recipe.neuron, cap=cap)
        alone = replace(recipe, caps=None, neuron=neuron)
        return _swept(graph, alone, stats, calibration, steps, lambda what, done, total: None)

    chosen = recipe.caps.choose(fit, calibration.images, steps)
    caps = ",".join(f"{site}:{cap}*{scale:g}" for site, (cap, scale) in chosen.items())
    return replace(recipe, caps=None, neuron=replace(recipe.neuron, caps=caps))


class _Sweep:
    def __init__(self, graph, recipe: Recipe, stats, calibration, steps: int) -> None:
        self.graph: Graph = graph
        self.source: Graph = graph
        self.recipe, self.stats = recipe, stats
        self.steps = recipe.fit_steps(steps)
        self.units: dict[str, Unit] = {}
        self.notes: list[str] = []
        self.few_spike: Mapping[str, FewSpike] = {}
        if recipe.few_spike is not None:
            code = recipe.schedule.code  # type: ignore[union-attr]
            self.few_spike = recipe.few_spike.fit(graph, calibration, code, self.steps)
        self.changing = frozenset(below_sites(graph))
        self.order = {node.name: index for index, node in enumerate(graph.nodes)}
        self.simulating = recipe.needs_drive
        self.trains: dict[str, SpikeTrain] = {}
        self.ann: dict[str, Tensor] = {}
        if self.simulating:
            if calibration is None:
                raise DataError(f"recipe {recipe.name!r} needs calibration images: calibration=...")
            count = max(MICRO, FRAMES // self.length)
            images = calibration.images[:count]
            frames = recipe.coder.frames(images, self.length)
            self.trains[graph.input] = SpikeTrain(images.unsqueeze(0) if frames is None else frames)
            self.ann[graph.input] = images

    @property
    def length(self) -> int:
        """Frames that stand for one image: T, or 1 where a train is known by its value."""
        return 1 if isinstance(self.recipe.schedule, Separated) else self.steps

    def visit(self, node: Node) -> None:
        if node.kind in (Kind.POOL, Kind.ANALOGUE) or node.name in self.few_spike:
            unit = self.units[node.name] = self.without_threshold(node)
            if self.simulating:
                self.keep_values(node, unit)
            return
        recipe = self.recipe
        site = self.site(node)
        for part in recipe.calibrators:
            if part.stage == "weights":
                part.fit(site)
        self.graph = site.graph
        theta = recipe.threshold.estimate(site) * recipe.scale(node)
        site.unit = site.make_unit(theta)
        recipe.potential.refine(site)
        for part in recipe.calibrators:
            if part.stage == "unit":
                part.fit(site)
        if isinstance(recipe.threshold, FromActivation):
            recipe.threshold.check(site)
        assert site.unit is not None
        self.graph = site.graph
        self.units[node.name] = site.unit
        if self.simulating:
            self.keep_spikes(node, site)
            site.release()

    def without_threshold(self, node: Node) -> GatedMaxPool | Analogue | FewSpike:
        if node.name in self.few_spike:
            return self.few_spike[node.name]
        attrs = dict(node.attrs)
        if node.kind is Kind.ANALOGUE:
            return Analogue(node.op, attrs, getattr(self.recipe.schedule, "code", None))
        below = self.units.get(node.inputs[0])
        spike = below.amplitude if isinstance(below, Neuron) and below.whole else None
        return POOLS[self.recipe.pool](attrs, spike)

    def finish(self) -> None:
        """The read-out, for parts that refit it: a site without a neuron."""
        for part in self.recipe.calibrators:
            if self.simulating and getattr(part, "readout", False):
                site = self.site(Node("output", "relu", (self.graph.output,)))
                part.fit(site)
                self.graph = site.graph

    def site(self, node: Node) -> Site:
        site = Site(
            node, self.steps, self.stats.get(node.name), self.graph,
            torch.tensor(float(self.recipe.potential.initial(node))),
            partial(self.recipe.build, site=node),
            changing=self.changing, notes=self.notes,
        )  # fmt: skip
        if self.simulating:
            boundary = self.boundary(node)
            site.target = self.forward(self.source, node, {n: self.ann[n] for n in boundary})
            site.images = len(site.target)
            site.trains = {name: self.trains[name] for name in boundary}
            site.means = {name: train.mean() for name, train in site.trains.items()}
            site.current = lambda: self.drive(site.graph, node, boundary)
        return site

    def boundary(self, node: Node) -> list[str]:
        """The sites (or the input) whose trains the segment before `node` reads."""
        nodes = list(segment(self.graph, node.inputs[0], self.trains))
        inside = {n.name for n in nodes}
        sources = {name for n in nodes for name in n.inputs if name not in inside}
        return sorted(sources or {node.inputs[0]}, key=self.order.__getitem__)

    def forward(self, graph: Graph, node: Node, known: dict[str, Tensor]) -> Tensor:
        """The value before `node` from the values of its boundary, in pieces."""
        parts = []
        total = len(next(iter(known.values())))
        for first in range(0, total, MICRO):
            piece = {n: filled(v[first : first + MICRO]) for n, v in known.items()}
            count = min(MICRO, total - first)
            parts.append(evaluate(graph, node.inputs[0], piece)[node.inputs[0]][:count])
        return torch.cat(parts)

    def drive(self, graph: Graph, node: Node, boundary: list[str]) -> Tensor:
        """z [S, N, ...]; S = 1 where nothing before the site changes with time."""
        trains = {name: self.trains[name] for name in boundary}
        length = max(len(t.spikes) for t in trains.values())
        total = next(iter(trains.values())).spikes.shape[1]
        drive = None
        for first in range(0, total, MICRO):
            known = {}
            for name, train in trains.items():
                part = train.values(slice(first, min(first + MICRO, total)))
                known[name] = part.expand(length, *part.shape[1:]).flatten(0, 1)
            z = evaluate(graph, node.inputs[0], known)[node.inputs[0]]
            z = z.reshape(length, -1, *z.shape[1:])
            if drive is None:
                drive = z.new_empty(length, total, *z.shape[2:])
            drive[:, first : first + MICRO] = z
        assert drive is not None
        return drive

    def keep_spikes(self, node: Node, site: Site) -> None:
        """Emit through the fitted unit, keep the train, forget what no later site reads."""
        unit = site.unit
        assert unit is not None
        self.ann[node.name] = site.activation
        if self.length == 1 and isinstance(self.recipe.schedule, Separated):
            self.trains[node.name] = SpikeTrain(site.rate(unit).unsqueeze(0))
        else:
            parts = []
            for part in site.drive.split(MICRO, 1):
                spikes, _ = unit.scan(part.expand(self.steps, *part.shape[1:]), None)  # type: ignore[union-attr]
                parts.append(spikes.to(torch.int8) if unit.whole else spikes)  # type: ignore[union-attr]
            self.trains[node.name] = SpikeTrain(torch.cat(parts, 1), unit.amplitude)
        self.forget(node)

    def keep_values(self, node: Node, unit: GatedMaxPool | Analogue | FewSpike) -> None:
        boundary = self.boundary(node)
        known = {n: self.ann[n] for n in boundary}
        self.ann[node.name] = apply(self.graph, node, [self.forward(self.source, node, known)])
        drive = self.drive(self.graph, node, boundary)
        self.trains[node.name] = SpikeTrain(
            unit.dual(drive, self.steps)
            if isinstance(unit, FewSpike)
            else unit.scan(drive, None)[0]
        )
        self.forget(node)

    def forget(self, node: Node) -> None:
        """Drop the trains that no site after `node` reads."""
        later = [n for n in self.graph.sites if self.order[n.name] > self.order[node.name]]
        needed: set[str] = set()
        for reader in (*later, Node("output", "relu", (self.graph.output,))):
            needed.update(self.boundary(reader))
        for name in set(self.trains) - needed:
            del self.trains[name], self.ann[name]
