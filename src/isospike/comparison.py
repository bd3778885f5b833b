"""Every recipe on one network: what `isospike compare` shows.

The network is captured and scored once; each recipe is then converted and read at every T. A recipe
that does not apply, or that fails, is told in its rows, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from isospike import methods
from isospike.convert import captured, first_images, replan
from isospike.data.pieces import Pieces
from isospike.engine.run import checked_steps
from isospike.errors import DataError, UsageError
from isospike.evaluation import Evaluation, named, opening
from isospike.graph.few_spike import with_few_spikes
from isospike.graph.imported import Imported
from isospike.measure.energy import Costs
from isospike.measure.evaluate import Row
from isospike.network import SpikingNetwork
from isospike.recipe import Recipe
from isospike.rows import Progress, quiet, recipe_rows, reference_logits, whole_batches

SCALE = 1000  # progress of one recipe


@dataclass
class Comparison:
    """The rows of every recipe so far; names: the recipes asked for; failed: those that an error of
    the program stopped (one that does not apply is no failure); interrupted: the recipe at which
    the user stopped; changed: what every recipe was set to, `part.knob` -> value."""

    evaluation: Evaluation
    steps: list[int]
    names: list[str]
    failed: list[str] = field(default_factory=list)
    interrupted: str | None = None
    changed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, settings: dict[str, Any], rows: Sequence[Row]) -> None:
        """The rows of one more method, which need not be a recipe of this package."""
        if name not in self.names:
            self.names.append(name)
        self.evaluation.rows += rows
        self.evaluation.settings[name] = settings
        named(self.evaluation)

    def __str__(self) -> str:
        """The table of the evaluation; rankings are in `isospike.report`."""
        return str(self.evaluation)

    def to_json(self) -> dict[str, Any]:
        """The evaluation's plain data, with what was asked for beside it."""
        return {
            **self.evaluation.to_json(),
            "comparison": {
                "steps": self.steps, "recipes": self.names, "failed": self.failed,
                "interrupted": self.interrupted, "changed": self.changed,
            },
        }  # fmt: skip


@torch.no_grad()
def compare(
    model: nn.Module | ExportedProgram | Imported,
    data: Any,
    steps: int | Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    recipes: Sequence[str | Recipe] | None = None,
    calibration: Any = None,
    name: str = "",
    progress: Progress = quiet,
    done: Callable[[Comparison, str], None] = lambda comparison, recipe: None,
    keep: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> Comparison:
    """Rows of every recipe (default: all there are) and T on `data`, a loader of (images, labels).

    calibration: images for the conversions, without labels; the only data that they see.
    keep: functions that stay analogue, as in `plan`.
    settings: of every recipe, as in `plan`.
    done(comparison, recipe) is called after each recipe, so that what is there can be kept.
    ConversionError where the network cannot be captured, DataError for images without labels,
    UsageError for an unknown recipe, or settings that one of them cannot take.
    """
    wanted = checked_steps(steps)
    if isinstance(model, SpikingNetwork):
        raise UsageError("the network is converted already: compare takes the model it came from")
    changed = dict(settings or {})
    chosen = _chosen(methods.names() if recipes is None else recipes, changed)
    if not chosen or calibration is None:
        raise UsageError("compare needs recipes, and calibration images: calibration=loader")
    images, example = first_images(calibration)
    source = captured(model, example, keep)
    original = source.original()
    batches = whole_batches(data, original)
    reference, score = reference_logits(original, batches)
    if score.accuracy is None:
        raise DataError("recipes are ranked by accuracy: the images need labels")
    start = opening(
        name or type(model).__name__, data, score, Costs.of(original), original,
        with_few_spikes(original, source.keep),
    )  # fmt: skip
    found = Comparison(
        start, wanted, [recipe.name for recipe in chosen],
        changed={key: str(value) for key, value in changed.items()},
    )  # fmt: skip
    for number, recipe in enumerate(chosen):
        title = f"{recipe.name}, {number + 1} of {len(chosen)}"
        told = _Told(batches, len(reference), title, progress)
        told.first, told.last = number * SCALE, len(chosen) * SCALE
        try:
            planned = replan(source, recipe, example)
            found_rows = recipe_rows(planned, images, told, reference, wanted, told.part)
            rows = [*chain.from_iterable(found_rows)]
        except Exception as error:  # whatever it is, the other recipes must still run
            found.failed.append(recipe.name)
            why = f"failed: {type(error).__name__}: {error}"
            rows = [Row(recipe.name, t, skipped=why) for t in wanted]
        found.add(recipe.name, recipe.settings(), rows)
        done(found, recipe.name)
    return found


def _chosen(recipes: Sequence[str | Recipe], settings: dict[str, Any]) -> list[Recipe]:
    """The recipes with the settings, which all must take: one that silently stayed as it is would
    stand beside others that did not. UsageError names all that cannot."""
    chosen, wrong = [], {}
    for recipe in [methods.recipe(each) for each in recipes]:
        try:
            chosen.append(recipe.override(settings))
        except UsageError as error:
            wrong.setdefault(str(error), []).append(recipe.name)
    if wrong:
        told = "; ".join(f"{', '.join(names)}: {why}" for why, names in wrong.items())
        raise UsageError(f"settings of every compared recipe: {told}. Compare those that have them")
    return chosen


class _Told:
    """The batches of a test set, which tell how far they have been read.

    The bar stands between `first` and first + SCALE while one recipe runs, and at `last` in the
    end; it never goes back, though a recipe may read the images again and again.
    """

    def __init__(self, batches: Pieces, count: int, title: str, progress: Progress) -> None:
        self.batches, self.count = batches, count
        self.title, self.progress = title, progress
        self.first = self.last = self.at = 0
        self.share = (0, 1)

    def part(self, what: str, done: int, total: int) -> None:
        """The part of the recipe that is being worked on."""
        self.share = (done, total)
        self.tell(0.0)

    def tell(self, read: float) -> None:
        done, total = self.share
        self.at = max(self.at, round(SCALE * min((done + read) / total, 1)))
        self.progress(self.title, self.first + self.at, self.last)

    def __iter__(self) -> Iterator[Any]:
        for number, batch in enumerate(self.batches, 1):
            yield batch
            self.tell(number / self.count)
