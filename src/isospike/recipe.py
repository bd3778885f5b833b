"""A method is a value: one frozen dataclass that names its parts."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from isospike.errors import UsageError
from isospike.fit.bias import BiasMatch, HalfShift
from isospike.fit.potentials import Constant, Potential
from isospike.fit.thresholds import MMSE, Percentile, SpikeMax, Threshold
from isospike.fit.weights import WeightRefit
from isospike.graph.pool import POLICIES
from isospike.program import Unit
from isospike.schedule import Schedule, Separated, Synchronous
from isospike.units.binary import IF
from isospike.units.coders import Coder
from isospike.units.coders import Constant as Direct
from isospike.units.radix import Radix

Calibrator = WeightRefit | BiasMatch | HalfShift


@dataclass(frozen=True)
class Neuron:
    """reset: "soft" (by subtraction) or "hard" (to zero); the separated schedule brings its own
    inverse-leaky neuron and resets softly."""

    reset: str = "soft"


@dataclass(frozen=True)
class Recipe:
    """How a Program is fitted to a Graph and calibration images.

    pool: what becomes of max-pooling (graph/pool.py)
    calibrators: in the order they run; those of the weights before threshold and potential
    """

    name: str
    threshold: Threshold = field(default_factory=Percentile)
    potential: Potential = field(default_factory=Constant)
    neuron: Neuron = field(default_factory=Neuron)
    calibrators: tuple[Calibrator, ...] = ()
    coder: Coder = field(default_factory=Direct)
    schedule: Schedule = field(default_factory=Synchronous)
    pool: str = "gated"

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise UsageError(f"recipe {self.name!r}: " + "; ".join(problems))

    def _problems(self):
        """Combinations without a meaning, all at once."""
        separated = isinstance(self.schedule, Separated)
        if self.pool not in POLICIES:
            yield f"pool must be one of {', '.join(POLICIES)}, got {self.pool!r}"
        if self.neuron.reset not in ("soft", "hard"):
            yield f"neuron.reset must be soft or hard, got {self.neuron.reset!r}"
        if not separated:
            return
        try:
            _ = self.schedule.code  # type: ignore[union-attr]
        except ValueError as error:
            yield f"schedule: {error}"
        if self.neuron.reset == "hard":
            yield "a separated network resets softly: its code is the remainder"
        if self.pool in ("gated", "pre-neuron"):
            yield f"pool {self.pool!r} compares spikes of one step, a separated network sums them"
        if not isinstance(self.coder, Direct):
            yield "a separated network takes the image as a held current (coder direct)"
        if not isinstance(self.potential, Constant):
            yield "a separated network rounds with a constant potential"
        if isinstance(self.threshold, SpikeMax):
            yield "a separated network has no largest drive of one step: threshold max or mmse"

    @property
    def depends_on_steps(self) -> bool:
        """True when a network converted for one T is not the one converted for another."""
        parts = (self.threshold, self.potential, *self.calibrators)
        compensates = getattr(self.coder, "compensate", False)
        return compensates or any(part.depends_on_steps for part in parts)

    @property
    def needs_drive(self) -> bool:
        """True when fitting simulates the spiking network on calibration images."""
        parts = (self.threshold, self.potential, *self.calibrators)
        return any(getattr(part, "needs_drive", False) for part in parts)

    def fit_steps(self, steps: int) -> int:
        """Steps that the fitting simulates."""
        return self.threshold.steps if isinstance(self.threshold, SpikeMax) else steps

    @property
    def hardware_class(self) -> str:
        """The largest class that a part asks for."""
        coder = "H4" if getattr(self.coder, "compensate", False) else "H0"
        return max(self.schedule.hardware_class, self.potential.hardware_class, coder)

    def build(self, theta: Tensor, v0: Tensor) -> Unit:
        """The neuron of this recipe."""
        if isinstance(self.schedule, Separated):
            return Radix(theta, v0, self.schedule.code)
        return IF(theta, v0, reset=self.neuron.reset)

    def override(self, settings: Mapping[str, Any]) -> Recipe:
        """`{"threshold.p": 99.5, "bias.passes": 1, "pool": "average"}`; UsageError for the unknown.

        A part is replaced by name: `{"threshold": "mmse"}`.
        """
        recipe = self
        for key, value in settings.items():
            recipe = _override(recipe, key, value)
        return recipe

    def settings(self) -> dict[str, Any]:
        """Every knob as `part.knob: value`, for reports and files."""
        found: dict[str, Any] = {"pool": self.pool}
        for label, part in _parts(self).items():
            found[label] = part_name(part)
            found.update({f"{label}.{f.name}": getattr(part, f.name) for f in dataclasses.fields(part)})
        return found


def part_name(part: Any) -> str:
    return type(part).__name__


def _parts(recipe: Recipe) -> dict[str, Any]:
    named = {n: getattr(recipe, n) for n in ("threshold", "potential", "neuron", "coder", "schedule")}
    return {**named, **{part.key: part for part in recipe.calibrators}}


def _choices() -> dict[str, dict[str, Any]]:
    """What may stand for a part when it is given by name."""
    from isospike.fit import potentials, thresholds
    from isospike.units import coders

    return {
        "threshold": {
            "max": thresholds.Max(), "percentile": Percentile(), "mmse": MMSE(),
            "activation": thresholds.FromActivation(), "spike-max": SpikeMax(),
        },
        "potential": {
            "zero": Constant(0.0), "half": Constant(0.5), "ann": potentials.FromANN(),
            "training-set": potentials.FromTrainingSet(), "both": potentials.Both(),
        },
        "coder": {
            "direct": Direct(), "bernoulli": coders.Bernoulli(), "if": coders.IFCoder(),
        },
        "schedule": {"synchronous": Synchronous(), "separated": Separated()},
        "weights": {"refit": WeightRefit(), "none": None},
        "bias": {"match": BiasMatch(), "none": None},
        "shift": {"half": HalfShift(), "none": None},
    }  # fmt: skip


def _override(recipe: Recipe, key: str, value: Any) -> Recipe:
    label, _, knob = key.partition(".")
    if key == "pool":
        return replace(recipe, pool=str(value))
    if not knob:
        options = _choices().get(label)
        if options is None:
            raise UsageError(_unknown("part", label, ["pool", *_choices()]))
        if value not in options:
            raise UsageError(_unknown(label, str(value), list(options)))
        return _with_part(recipe, label, options[value])
    parts = _parts(recipe)
    if label not in parts:
        raise UsageError(_unknown("part", label, list(parts)))
    part = parts[label]
    knobs = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    if knob not in knobs:
        raise UsageError(_unknown(f"knob of {label}", knob, list(knobs)))
    return _with_part(recipe, label, replace(part, **{knob: _typed(key, value, knobs[knob])}))


def _with_part(recipe: Recipe, label: str, part: Any) -> Recipe:
    if label in ("threshold", "potential", "neuron", "coder", "schedule"):
        return replace(recipe, **{label: part})
    others = [c for c in recipe.calibrators if c.key != label]
    position = [c.key for c in recipe.calibrators].index(label) if len(others) < len(
        recipe.calibrators
    ) else len(others)  # fmt: skip
    if part is not None:
        others.insert(position, part)
    return replace(recipe, calibrators=tuple(others))


def _typed(key: str, value: Any, like: Any) -> Any:
    """The value in the type of the knob's present value; text from a command line included."""
    try:
        if isinstance(like, bool):
            return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
        return type(like)(value)
    except (KeyError, ValueError, TypeError):
        raise UsageError(f"{key}: expected {type(like).__name__}, got {value!r}") from None


def _unknown(what: str, given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {what} {given!r}: {hint}one of {', '.join(known)}"
