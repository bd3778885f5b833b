"""Accuracy against time for networks and recipes side by side: what `evaluate` returns."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from isospike.convert import Plan, convert, first_images, plan, statistics
from isospike.data.pieces import Pieces
from isospike.engine import native
from isospike.engine.run import checked_steps
from isospike.errors import Interrupted, IsospikeError, UsageError
from isospike.fit.site import Site
from isospike.fit.thresholds import MMSE
from isospike.graph.graph import Graph, apply, execute
from isospike.graph.imported import Imported
from isospike.graph.ops import Kind
from isospike.measure.early_exit import checked_shares, measure_exit
from isospike.measure.energy import Costs, energy_nj
from isospike.measure.evaluate import Forward, Row, Score, measure
from isospike.network import SpikingNetwork
from isospike.processes import together
from isospike.recipe import Recipe
from isospike.units.binary import IF
from isospike.version import __version__

Progress = Callable[[str, int, int], None]


def quiet(what: str, done: int, total: int) -> None:
    """No progress shown."""


@dataclass
class Evaluation:
    """The rows, the source network and the equally quantised one, and how it all was made.

    kept: what stays analogue in the network, without neurons. interrupted: are there rows missing,
    or rows of a part of the images, which say so?"""

    model: str
    data: dict[str, Any]
    ann: dict[str, Any]
    quantised_ann: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    sites: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    interrupted: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data, schema 1."""
        return {
            "schema": 1,
            "model": self.model,
            "data": self.data,
            "ann": self.ann,
            "quantised_ann": self.quantised_ann,
            "results": [row.to_json() for row in self.rows],
            "sites": self.sites,
            "kept": self.kept,
            "interrupted": self.interrupted,
            "settings": self.settings,
            "versions": versions(),
        }

    def join(self, other: Evaluation) -> None:
        """Add the rows of another network, which keep their own source network's accuracy."""
        self.rows += other.rows
        self.settings.update(other.settings)

    def row(self, recipe: str, steps: int) -> Row:
        return next(r for r in self.rows if r.recipe == recipe and r.steps == steps)

    def __str__(self) -> str:
        """A table that fits 80 columns."""
        head = (
            f"{'recipe':16}{'T':>4}{'latency':>8}{'acc %':>8}{'agree %':>8}"
            f"{'spikes':>9}{'SynOps':>12}{'nJ':>10}"
        )
        ann = f"{'ann':28}{_percent(self.ann['accuracy'])}{'':>29}{self.ann['energy_nj']:>10.0f}"
        lines = [head, ann]
        for q in self.quantised_ann:
            lines.append(
                f"{'quantised ann':16}{q['levels']:>4}{'':>8}{_percent(q['accuracy'])}"
                f"{_percent(q['agreement'])}{'':>21}{q['energy_nj']:>10.0f}"
            )
        network = self.model
        for row in self.rows:
            if row.network != network:
                network = row.network
                accuracy = _percent(row.ann_accuracy)
                lines.append(f"{'ann of ' + network:28}{accuracy}")
            lines.append(_line(row))
        if self.interrupted:
            lines += ["interrupted, not all was run", *_interrupted_notes(self.rows)]
        return "\n".join([*lines, *told_of_kept(self.kept)])


def _line(row: Row) -> str:
    if row.skipped is not None:
        told = textwrap.wrap(f"skipped: {row.skipped}", 72)
        return "\n".join([f"{row.recipe:16}{row.steps:>4}", *(f"    {line}" for line in told)])
    return (
        f"{row.recipe:16}{row.steps:>4}{row.latency:>8}{_percent(row.accuracy)}"
        f"{_percent(row.agreement)}{row.spikes_per_neuron:>9.2f}{row.synops / 1e6:>11.1f}M"
        f"{row.energy_nj:>10.0f}"
    )


def _interrupted_notes(rows: Sequence[Row]) -> list[str]:
    """Which rows are of a part of the images."""
    return [
        f"    {row.recipe} {row.steps}: {note.partition(': ')[2]}"
        for row in rows for note in row.notes if note.startswith("interrupted")
    ]  # fmt: skip


def told_of_kept(kept: Sequence[dict[str, str]]) -> list[str]:
    """Lines of 80 columns that name what stays analogue; none where nothing does."""
    if not kept:
        return []
    sites = ", ".join(f"{site['name']} ({site['op']})" for site in kept)
    return textwrap.wrap(f"kept analogue (H4), its own operations not counted: {sites}", 80)


def _percent(share: float | None) -> str:
    return f"{'-':>8}" if share is None else f"{100 * share:>8.2f}"


def versions() -> dict[str, str]:
    return {
        "isospike": __version__, "torch": torch.__version__, "python": platform.python_version(),
        "machine": platform.machine(), "threads": str(torch.get_num_threads()),
        "neurons": "native" if native.ENABLED else "plain torch",
    }  # fmt: skip


@torch.no_grad()
def evaluate(
    model: SpikingNetwork | nn.Module | ExportedProgram | Imported,
    data: Any,
    steps: int | Sequence[int] = (1, 2, 4, 8, 16, 32),
    recipe: str | Recipe | Sequence[str | Recipe] = "iso",
    calibration: Any = None,
    settings: dict[str, Any] | None = None,
    name: str = "",
    progress: Progress = quiet,
    keep: Sequence[str] = (),
    confidence: Sequence[float] = (),
) -> Evaluation:
    """Rows for every recipe and T on `data` (a loader of (images, labels), see data/loader.py).

    A SpikingNetwork is read at every T as it is (its rows say what it was converted for). A model
    is converted in memory: for each T where the recipe depends on T, else once. `keep`: as in
    `plan`, for a model alone. `confidence`: for each a row of early exit at one of `steps`
    (measure/early_exit.py). A row that cannot run says why, and the others go on. In
    `isospike.processes.sharded` several processes share the work, and each returns the whole
    result. Ctrl-C becomes Interrupted, a KeyboardInterrupt whose `found` is the Evaluation so far.
    """
    wanted, confidence = checked_steps(steps), checked_shares(confidence)
    if isinstance(model, SpikingNetwork):
        if keep:
            raise UsageError(
                "the network is converted already: keep= is for the model it came from"
            )
        return _evaluate_network(model, data, wanted, name, progress, confidence)
    recipes = [recipe] if isinstance(recipe, str | Recipe) else list(recipe)
    images, example = first_images(calibration if calibration is not None else data)
    plans = [plan(model, each, example, settings, keep) for each in recipes]
    original = plans[0].original()
    costs = Costs.of(original)
    batches = whole_batches(data, original)
    reference, score = reference_logits(original, batches)
    planned = plans[0].graph if len(plans) == 1 else None
    result = opening(name or type(model).__name__, data, score, costs, original, planned)
    if calibration is not None:
        result.quantised_ann = _quantised(
            plans[0], original, images, batches, reference, wanted, costs
        )
    result.settings = {p.recipe.name: p.recipe.settings() for p in plans}
    images = images if calibration is not None else None
    return filled(result, (
        rows for chosen in plans
        for rows in recipe_rows(chosen, images, batches, reference, wanted, progress, confidence)
    ))  # fmt: skip


def filled(result: Evaluation, groups: Iterable[list[Row]]) -> Evaluation:
    """The result with its rows; Interrupted with those so far at Ctrl-C."""
    try:
        for rows in groups:
            result.rows += rows
    except KeyboardInterrupt as stop:
        result.rows += stop.found if isinstance(stop, Interrupted) else []
        result.interrupted = True
        raise Interrupted(named(result)) from stop
    return named(result)


def _evaluate_network(
    snn: SpikingNetwork, data: Any, steps: list[int], name: str, progress: Progress, confidence
) -> Evaluation:
    original = snn.program.source or snn.program.graph
    batches = whole_batches(data, original)
    costs = Costs.of(original)
    reference, score = reference_logits(original, batches)
    result = opening(name, data, score, costs, original, snn.program.graph)
    result.settings = {snn.recipe: snn.provenance.get("settings", {})}
    progress(snn.recipe, 0, 1)
    exits = _exits(snn, steps, confidence, batches, reference)
    filled(result, chain(_measured(snn, steps, batches, reference), exits))
    progress(snn.recipe, 1, 1)
    return result


def named(result: Evaluation) -> Evaluation:
    """Every row says which network it came from and what that one reached."""
    for row in result.rows:
        row.network, row.ann_accuracy = result.model, result.ann["accuracy"]
    return result


def whole_batches(data: Any, graph: Graph) -> Pieces:
    """Every batch in pieces, where and in the type that the graph is."""
    like = next((t for t in graph.tensors.values() if t.is_floating_point()), torch.zeros(()))
    return Pieces(data, graph.input_shape, like)


def reference_logits(original: Graph, batches: Pieces) -> tuple[list[Tensor], Score]:
    """The source network's logits, batch by batch, and its score."""
    score, logits = Score(), []
    with together():
        for x, y in batches:
            logits.append(execute(original, x))
            score.add(logits[-1], logits[-1], y)
    return logits, score.merged()


def opening(
    name: str, data: Any, score: Score, costs: Costs, graph: Graph, planned: Graph | None = None
) -> Evaluation:
    """graph: the source network; planned: what is converted, where it is one for all recipes."""
    split = getattr(data, "split", "")
    kept = {"name": getattr(data, "name", ""), "split": split if isinstance(split, str) else ""}
    ann = {
        "accuracy": score.accuracy, "macs": costs.ann_macs,
        "energy_nj": energy_nj(0, costs.ann_macs),
    }  # fmt: skip
    sites = [
        {"name": n.path, "neurons": costs.neurons[n.name], "line": n.line}
        for n in graph.sites if n.name in costs.neurons
    ]  # fmt: skip
    analogue = [
        {"name": n.path, "op": n.op, "line": n.line}
        for n in (planned or graph).sites if n.kind is Kind.ANALOGUE
    ]  # fmt: skip
    return Evaluation(name, {**kept, "n": score.n}, ann, sites=sites, kept=analogue)


def _quantised(chosen: Plan, original: Graph, images, batches, reference, steps, costs) -> list:
    """The source network with every activation rounded to T levels, thresholds by least squares:
    what T steps can say at best without unevenness. Same MACs, same formula."""
    source = Plan(chosen.recipe, original)
    stats, _ = statistics(source, images)
    found = []
    for levels in steps:
        units = {}
        for node in original.sites:
            if node.kind is Kind.ACTIVATION:
                site = Site(node, levels, stats[node.name], original, torch.tensor(0.5), IF)
                units[node.name] = IF(MMSE().estimate(site), torch.tensor(0.5))

        def function(node, z, units=units, levels=levels):
            if node.name in units:
                return units[node.name].dual(z, levels)
            return apply(original, node, [z])

        score = Score()
        with together():
            for (x, y), logits in zip(batches, reference, strict=True):
                score.add(execute(original, x, function), logits, y)
        score = score.merged()
        found.append({
            "levels": levels, "accuracy": score.accuracy, "agreement": score.agreement,
            "macs": costs.ann_macs, "energy_nj": energy_nj(0, costs.ann_macs),
        })  # fmt: skip
    return found


def recipe_rows(
    chosen: Plan,
    images,
    batches,
    reference,
    steps: list[int],
    progress: Progress,
    confidence: Sequence[float] = (),
) -> Iterator[list[Row]]:
    """All rows of one recipe, as they come."""
    recipe = chosen.recipe
    groups = [[t] for t in steps] if recipe.depends_on_steps else [steps]
    for number, group in enumerate(groups):
        progress(f"{recipe.name} T={group[-1]}", number, len(groups))
        try:
            known = "stats" in chosen.fitted
            snn = convert(chosen, None if known else images, group[-1])
        except IsospikeError as error:
            yield [Row(recipe.name, t, skipped=str(error)) for t in group]
            if group is groups[-1]:
                names = [f"{recipe.name} exit {each:g}" for each in confidence]
                yield [Row(name, group[-1], skipped=str(error)) for name in names]
            continue
        yield from _measured(snn, group, batches, reference)
        if group is groups[-1]:
            yield from _exits(snn, steps, confidence, batches, reference)
    progress(recipe.name, len(groups), len(groups))


def _measured(snn: SpikingNetwork, steps: list[int], batches, reference) -> Iterator[list[Row]]:
    """Rows of one network; on the separated schedule one T that cannot run does not stop others."""
    costs = Costs.of(snn.program.graph)
    for group in [steps] if snn.program.anytime else [[t] for t in steps]:
        try:
            yield measure(snn, batches, group, _recalled(reference), costs)
        except (IsospikeError, OverflowError) as error:
            yield [Row(snn.recipe, t, skipped=str(error)) for t in group]


def _exits(
    snn: SpikingNetwork, steps: list[int], confidence, batches, reference
) -> Iterator[list[Row]]:
    """Rows of early exit, of the network that was converted for the last of `steps`."""
    costs = Costs.of(snn.program.graph)
    for each in confidence:
        try:
            yield [measure_exit(snn, batches, each, steps, _recalled(reference), costs)]
        except IsospikeError as error:
            yield [Row(f"{snn.recipe} exit {each:g}", steps[-1], skipped=str(error))]


def _recalled(reference: Sequence[Tensor]) -> Forward:
    """The source network's logits, batch after batch, without running it again."""
    logits = iter(reference)
    return lambda x: next(logits)
