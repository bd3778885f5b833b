"""`evaluate`: a spiking network, or a model converted in memory, against its source network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from isospike.convert import first_images, plan
from isospike.engine.run import checked_steps
from isospike.errors import Interrupted, UsageError
from isospike.evaluation import Evaluation, named, opening
from isospike.graph.imported import Imported
from isospike.measure.early_exit import checked_shares
from isospike.measure.energy import Costs
from isospike.measure.evaluate import Row
from isospike.network import SpikingNetwork
from isospike.recipe import Recipe
from isospike.rows import (
    Progress,
    exit_rows,
    network_rows,
    quantised_rows,
    quiet,
    recipe_rows,
    reference_logits,
    whole_batches,
)  # fmt: skip


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
        result.quantised_ann = quantised_rows(
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
    own = Costs.of(snn.program.graph)
    filled(result, chain(
        network_rows(snn, steps, batches, reference, own),
        exit_rows(snn, steps, confidence, batches, reference, own),
    ))  # fmt: skip
    progress(snn.recipe, 1, 1)
    return result
