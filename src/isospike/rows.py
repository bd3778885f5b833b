"""Rows of an evaluation: recipes converted and read at every T, against the source network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from isospike.convert import Plan, convert, statistics
from isospike.data.pieces import Pieces
from isospike.errors import IsospikeError
from isospike.fit.site import Site
from isospike.fit.thresholds import MMSE
from isospike.graph.graph import Graph, apply, execute
from isospike.graph.ops import Kind
from isospike.measure.early_exit import measure_exit
from isospike.measure.energy import Costs, energy_nj
from isospike.measure.evaluate import Forward, Row, Score, measure
from isospike.network import SpikingNetwork
from isospike.processes import together
from isospike.units.binary import IF

Progress = Callable[[str, int, int], None]


def quiet(what: str, done: int, total: int) -> None:
    """No progress shown."""


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


def quantised_rows(chosen: Plan, original: Graph, images, batches, reference, steps, costs) -> list:
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
        costs = Costs.of(snn.program.graph)
        yield from network_rows(snn, group, batches, reference, costs)
        if group is groups[-1]:
            yield from exit_rows(snn, steps, confidence, batches, reference, costs)
    progress(recipe.name, len(groups), len(groups))


def network_rows(
    snn: SpikingNetwork, steps: list[int], batches, reference, costs: Costs
) -> Iterator[list[Row]]:
    """Rows of one network; on the separated schedule one T that cannot run does not stop others."""
    for group in [steps] if snn.program.anytime else [[t] for t in steps]:
        try:
            yield measure(snn, batches, group, _recalled(reference), costs)
        except (IsospikeError, OverflowError) as error:
            yield [Row(snn.recipe, t, skipped=str(error)) for t in group]


def exit_rows(
    snn: SpikingNetwork, steps: list[int], confidence, batches, reference, costs: Costs
) -> Iterator[list[Row]]:
    """Rows of early exit, of the network that was converted for the last of `steps`."""
    for each in confidence:
        try:
            yield [measure_exit(snn, batches, each, steps, _recalled(reference), costs)]
        except IsospikeError as error:
            yield [Row(f"{snn.recipe} exit {each:g}", steps[-1], skipped=str(error))]


def _recalled(reference: Sequence[Tensor]) -> Forward:
    """The source network's logits, batch after batch, without running it again."""
    logits = iter(reference)
    return lambda x: next(logits)
