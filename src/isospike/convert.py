"""Plan, then act: everything that can be refused is refused before any work."""

from __future__ import annotations

import copy
import platform
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

import isospike.methods as methods
from isospike.data.check import as_tensor, check_images, unit_range
from isospike.data.loader import batches_of
from isospike.engine.run import checked_steps
from isospike.errors import ConversionError, Finding
from isospike.fit.calibration import Calibration
from isospike.fit.neurons import Imbalanced
from isospike.fit.observe import SiteStats, observe
from isospike.fit.saturation import tell_saturated
from isospike.fit.sweep import Progress, fit_program
from isospike.graph.analogue import ELEMENTWISE
from isospike.graph.few_spike import (
    PREFIX,
    check_early,
    check_kept,
    is_few_spike,
    with_few_spikes,
)
from isospike.graph.graph import Graph
from isospike.graph.imported import Imported
from isospike.graph.leaky import with_leaky
from isospike.graph.ops import Kind
from isospike.graph.pool import apply_pool_policy
from isospike.graph.rewrite import Gate, change, rewrite
from isospike.network import SpikingNetwork
from isospike.recipe import Recipe
from isospike.version import __version__

NARROW = (torch.float16, torch.bfloat16)  # least squares and thresholds need more bits than these


@dataclass(frozen=True)
class Plan:
    """What a conversion would do: the graph, the recipe, the gate's figures, every problem.

    graph: the network that will be converted, None with problems. source: the model rewritten,
    before any change of function (it is `graph` unless max-pooling became average-pooling).
    """

    recipe: Recipe
    graph: Graph | None
    source: Graph | None = None
    gate: Gate | None = None
    problems: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    message: str = ""
    keep: tuple[str, ...] = ()
    fitted: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        return self.graph is not None

    @property
    def hardware_class(self) -> str:
        """What the recipe needs on these sites, or H4 where a function is kept analogue."""
        graph = self.check()
        kept = any(node.kind is Kind.ANALOGUE for node in graph.sites)
        return max(self.recipe.class_on(graph.sites), "H4" if kept else "H0")

    def original(self) -> Graph:
        """The model's own function, or ConversionError with every problem."""
        return self.source or self.check()

    def check(self) -> Graph:
        """The graph, or ConversionError with every problem."""
        if self.graph is None:
            raise ConversionError(self.message, self.problems)
        return self.graph

    def __str__(self) -> str:
        if self.graph is None:
            return str(ConversionError(self.message, self.problems))
        depths = self.graph.depths()
        lines = [f"recipe {self.recipe.name}, hardware class {self.hardware_class}"]
        lines += [f"gate   {self.gate}"] if self.gate else []
        lines += [f"note   {note}" for note in self.notes]
        lines += [f"sites  {len(self.graph.sites)}, depth {depths[self.graph.output]}"]
        lines += [f"  {n.path:32} {n.op:10} {n.line}" for n in self.graph.sites]
        return "\n".join(lines)


def plan(
    model: nn.Module | ExportedProgram | Imported,
    recipe: str | Recipe = "iso",
    example: Tensor | None = None,
    settings: Mapping[str, Any] | None = None,
    keep: Sequence[str] = (),
) -> Plan:
    """Capture, rewrite and check `model` on `example` [B, ...]; changes nothing.

    keep: functions that no neuron follows and that stay analogue, by site or name: `*.se.*`,
    `gelu`. A recipe with programs of few spikes (fs-neurons) gives neurons to all others of one
    number.
    """
    chosen = methods.recipe(recipe, dict(settings or {}))
    if isinstance(model, SpikingNetwork):
        raise ConversionError("the model is already a SpikingNetwork")
    if example is None:
        raise ConversionError("an example input is needed: example=images")
    model, example = _prepared(model, example)
    try:
        # Capture lets through what the user names, and what the recipe has neurons for.
        found = _captured(model, example, keep, ELEMENTWISE if chosen.few_spike else ())
    except ConversionError as error:
        return _refused(chosen, None, error)
    return _fitting(replace(found, recipe=chosen), example)


def captured(
    model: nn.Module | ExportedProgram | Imported, example: Tensor, keep: Sequence[str] = ()
) -> Plan:
    """The network before any recipe, for `replan`: it has what some recipe has neurons for.
    ConversionError with every problem that stands against all recipes."""
    return _captured(*_prepared(model, example), keep, ELEMENTWISE)


def _captured(model: Any, example: Tensor, keep: Sequence[str], known: Sequence[str]) -> Plan:
    named = (keep,) if isinstance(keep, str) else tuple(keep)
    graph, gate, notes = rewrite(model, example, (*named, *known))
    return Plan(Recipe("captured"), graph, graph, gate, notes=notes, keep=named)


def replan(planned: Plan, recipe: str | Recipe, example: Tensor) -> Plan:
    """The plan of another recipe on the network of `planned`, which is not captured again; where
    both convert the same graph its activation statistics are shared."""
    chosen, graph = methods.recipe(recipe), planned.original()
    dtype = next((t.dtype for t in graph.tensors.values() if t.is_floating_point()), torch.float32)
    example = unit_range(check_images(as_tensor(example), "the example")).cpu().to(dtype)
    found = _fitting(Plan(chosen, graph, graph, planned.gate, keep=planned.keep), example)
    same = found.graph is not None and found.graph is planned.graph
    return replace(found, fitted=planned.fitted) if same else found


def _refused(chosen: Recipe, graph: Graph | None, error: ConversionError) -> Plan:
    message = str(error).splitlines()[0] if error.findings else str(error)
    return Plan(chosen, None, graph, problems=error.findings, message=message)


def _fitting(captured: Plan, example: Tensor) -> Plan:
    """The plan with what its recipe makes of max-pooling, of leaky ReLUs and of functions."""
    chosen, graph, notes = captured.recipe, captured.check(), captured.notes
    try:
        if chosen.few_spike:
            graph = with_few_spikes(graph, captured.keep)
        else:
            check_kept(graph, captured.keep)
        if isinstance(chosen.neuron, Imbalanced):
            graph = with_leaky(graph)
        changed = apply_pool_policy(graph, chosen.pool)
        if getattr(chosen.schedule, "early", 0.0):
            check_early(changed)
    except ConversionError as error:
        return _refused(chosen, graph, error)
    notes = (*notes, *functions(changed))
    if chosen.pool == "average" and changed is not graph:
        moved = change(graph, changed, example)
        notes = (*notes, f"max-pool became average-pool: outputs change by {moved:.1%}")
    if not graph.sites:
        warnings.warn("nothing to convert: the model has no activation", stacklevel=2)
    return replace(captured, graph=changed, notes=notes)


def functions(graph: Graph) -> Iterator[str]:
    """What becomes of each function that is no ReLU."""
    for node in graph.sites:
        if node.kind is Kind.ANALOGUE:
            kept = "stays analogue (class H4): its own operations are not counted"
            yield f"{node.path}: {node.op} {kept}"
        elif is_few_spike(node):
            yield f"{node.path}: {node.op.removeprefix(PREFIX)} by a program of few spikes"


def _prepared(model: Any, example: Any) -> tuple[Any, Tensor]:
    """The model on the CPU in float32 or wider, and the example in the type that it computes in."""
    images = unit_range(check_images(as_tensor(example), "the example")).cpu()
    state = model.state_dict() if isinstance(model, nn.Module) else getattr(model, "state_dict", {})
    weights = [t for t in state.values() if isinstance(t, Tensor) and t.is_floating_point()]
    if isinstance(model, nn.Module) and any(
        t.device.type != "cpu" or t.dtype in NARROW for t in weights
    ):
        model = copy.deepcopy(model).cpu()
        model = model.float() if any(t.dtype in NARROW for t in weights) else model
    dtype = weights[0].dtype if weights else torch.float32
    return model, images.to(torch.float32 if dtype in NARROW else dtype)


def convert(
    model: nn.Module | ExportedProgram | Imported | Plan,
    calibration: Any = None,
    steps: int = 8,
    recipe: str | Recipe = "iso",
    example: Tensor | None = None,
    settings: Mapping[str, Any] | None = None,
    keep: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> SpikingNetwork:
    """A new spiking network of T = `steps`; the model is unchanged.

    calibration: a loader, a tensor [N, ...], or None for a plan that has seen its images before and
    for a recipe that needs none (`recipe.needs_images`); it is the only data this ever sees. Raises
    ConversionError, DataError, UsageError.
    """
    (steps,) = checked_steps([steps])
    images = None
    if not isinstance(model, Plan):
        if example is None and calibration is not None:
            images, example = first_images(calibration)
        model = plan(model, recipe, example, settings, keep)
    graph = model.check()
    stats, images = statistics(model, calibration if images is None else images)
    program = fit_program(graph, model.recipe, stats, images, steps, progress)
    tell_saturated(program, stats)
    known = replace(program, provenance=provenance(model, images, steps))
    return SpikingNetwork(known.noted(*program.notes), steps)


def first_images(calibration: Any) -> tuple[Any, Tensor]:
    """The calibration, whole again, and two of its images for an example."""
    images = torch.cat([x for x, _ in batches_of(calibration)])
    return images, images[:2]


def statistics(model: Plan, calibration: Any) -> tuple[Mapping[str, SiteStats], Calibration | None]:
    """Activation statistics, measured once a plan: they do not depend on T."""
    graph = model.check()
    if calibration is None and "stats" not in model.fitted:
        if model.recipe.needs_images:
            raise ConversionError("calibration images are needed: calibration=loader")
        return {}, None
    if calibration is not None:
        dtype = next(
            (t.dtype for t in graph.tensors.values() if t.is_floating_point()), torch.float32
        )
        images = Calibration.collect(calibration, graph.input_shape, dtype)
        model.fitted.update(stats=observe(graph, images), images=images)
    return model.fitted["stats"], model.fitted["images"]


def provenance(model: Plan, images: Calibration | None, steps: int) -> dict[str, Any]:
    recipe = model.recipe
    images = images if recipe.needs_images else None
    return {
        "recipe": recipe.name,
        "settings": recipe.settings(),
        "converted_for": steps if recipe.depends_on_steps else None,
        "hardware_class": model.hardware_class,
        "calibration_sha256": images.sha256 if images else None,
        "calibration_size": len(images.images) if images else 0,
        "gate": str(model.gate),
        "versions": {
            "isospike": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
