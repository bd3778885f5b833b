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
from isospike.fit.burst_search import BurstSearch
from isospike.fit.gain_match import GainMatch
from isospike.fit.layer_gradient import LayerGradient
from isospike.fit.neuron_search import NeuronSearch
from isospike.fit.neurons import Binary, Burst, NeuronPart
from isospike.fit.potential_match import PotentialMatch
from isospike.fit.potentials import Constant, Potential
from isospike.fit.step_bias import StepBias
from isospike.fit.thresholds import MMSE, Percentile, SpikeMax, Threshold
from isospike.fit.weights import WeightRefit
from isospike.graph.pool import POLICIES
from isospike.program import Unit
from isospike.schedule import Probed, Schedule, Separated, Settled, Synchronous
from isospike.tune.loss import LOSSES
from isospike.tune.settings import Tune
from isospike.tune.surrogate import KINDS
from isospike.units.coders import Coder
from isospike.units.coders import Constant as Direct
from isospike.units.radix import Radix

Calibrator = (
    WeightRefit | LayerGradient | GainMatch | NeuronSearch | BiasMatch | StepBias | PotentialMatch
    | HalfShift
)  # fmt: skip

# What a knob of this name may be: one of some words, or a number from the first to the second.
WORDS = {
    "grain": ("layer", "channel"), "reading": ("half", "mse", "mean"), "mode": ("active", "gap"),
    "reset": ("soft", "hard"), "each": ("neuron", "channel"), "rule": ("mask", "shift"),
    "loss": tuple(LOSSES), "backward": ("exact", "mean"), "surrogate": KINDS,
}  # fmt: skip
RANGES = {
    "p": (1e-9, 100), "lowest": (1e-9, 1), "step": (1e-3, 1), "alpha": (1e-9, 1e9),
    "steps": (1, 10_000), "value": (0, 1), "start": (0, 1), "v0": (0, 1), "ridge": (1e-12, 1e9),
    "evenness": (0, 1e9), "rows": (1, 10**9), "passes": (0, 1000), "rounds": (1, 1000),
    "batch": (1, 10**6), "seed": (0, 2**63 - 1), "leak": (1e-3, 1), "cap": (1, 127),
    "iterations": (0, 10**7), "lr": (1e-12, 10), "members": (1, 127), "low": (0, 1e6),
    "period": (1, 24), "levels": (1, 16), "ratio": (0, 1e6), "budget": (0, 1),
    "images": (1, 10**6), "delay": (0, 10_000), "settle": (0, 10_000), "probe": (1, 10_000),
    "tau": (1e-3, 1e3), "feature": (0, 1e9), "fast": (0, 1e3), "width": (1e-3, 1e3),
    "pad": (0, 1000),
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How a Program is fitted to a Graph and calibration images.

    neuron: of a synchronous network; the separated schedule brings its own inverse-leaky one
    pool: what becomes of max-pooling (graph/pool.py)
    caps: how many spikes a step each layer may send; needs the burst neuron
    tune: gradient steps after the fit
    calibrators: in the order they run; those of the weights before threshold and potential
    """

    name: str
    threshold: Threshold = field(default_factory=Percentile)
    potential: Potential = field(default_factory=Constant)
    neuron: NeuronPart = field(default_factory=Binary)
    calibrators: tuple[Calibrator, ...] = ()
    coder: Coder = field(default_factory=Direct)
    schedule: Schedule = field(default_factory=Synchronous)
    pool: str = "gated"
    caps: BurstSearch | None = None
    tune: Tune | None = None

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise UsageError(f"recipe {self.name!r}: " + "; ".join(problems))

    def _problems(self):
        """Knobs out of range and combinations without a meaning, all at once."""
        separated = isinstance(self.schedule, Separated)
        if self.pool not in POLICIES:
            yield f"pool must be one of {', '.join(POLICIES)}, got {self.pool!r}"
        for label, part in _parts(vars(self)).items():
            for knob in dataclasses.fields(part):
                if wrong := _out_of_range(knob.name, getattr(part, knob.name)):
                    yield f"{label}.{knob.name} {wrong}"
        if self.caps is not None and (separated or not isinstance(self.neuron, Burst)):
            yield "caps are chosen for burst neurons: neuron=burst"
        if self.tune is not None:
            yield from self._tuning_problems()
        if not separated:
            return
        try:
            _ = self.schedule.code  # type: ignore[union-attr]
        except ValueError as error:
            yield f"schedule: {error}"
        if self.neuron != Binary():
            yield "a separated network has a neuron of its own, which resets softly and has no leak"
        if self.pool in ("gated", "lateral", "pre-neuron"):
            yield f"pool {self.pool!r} compares spikes of one step, a separated network sums them"
        if not isinstance(self.coder, Direct):
            yield "a separated network takes the image as a held current (coder direct)"
        if not isinstance(self.potential, Constant):
            yield "a separated network rounds with a constant potential"
        if any(isinstance(part, NeuronSearch) for part in self.calibrators):
            yield "a separated network has no drive of one step to search a neuron on"
        if isinstance(self.threshold, SpikeMax):
            yield "a separated network has no largest drive of one step: threshold max or mmse"

    def _tuning_problems(self):
        assert self.tune is not None
        if self.schedule != Synchronous():
            yield "tuning runs T steps and reads all of them: no other schedule, no delay"
        if not isinstance(self.neuron, Binary):
            yield f"tuning knows binary neurons, not {part_name(self.neuron)}"
        elif self.tune.learn_leak and self.neuron.leak == 1.0:
            yield "tune.learn_leak learns from a neuron.leak below 1"

    @property
    def depends_on_steps(self) -> bool:
        """True when a network converted for one T is not the one converted for another."""
        parts = (self.threshold, self.potential, *self.calibrators, self.caps)
        tuned = self.tune is not None
        return tuned or any(getattr(part, "depends_on_steps", False) for part in parts)

    @property
    def needs_drive(self) -> bool:
        """True when fitting simulates the spiking network on calibration images."""
        parts = (self.threshold, self.potential, *self.calibrators, self.caps)
        return any(getattr(part, "needs_drive", False) for part in parts)

    def fit_steps(self, steps: int) -> int:
        """Steps that the fitting simulates."""
        return self.threshold.steps if isinstance(self.threshold, SpikeMax) else steps

    @property
    def hardware_class(self) -> str:
        """The largest class that a part asks for."""
        parts = (
            self.schedule, self.coder, self.threshold, self.potential, self.neuron,
            *self.calibrators, self.tune,
        )  # fmt: skip
        return max(getattr(part, "hardware_class", "H0") for part in parts)

    def build(self, theta: Tensor, v0: Tensor, site: str = "") -> Unit:
        """The neuron of a site."""
        if isinstance(self.schedule, Separated):
            return Radix(theta, v0, self.schedule.code)
        neuron = self.neuron.at(site) if isinstance(self.neuron, Burst) else self.neuron
        return neuron.build(theta, v0)

    def override(self, settings: Mapping[str, Any]) -> Recipe:
        """`{"threshold.p": 99.5, "bias.passes": 1, "pool": "average"}`; UsageError for the unknown.

        A part is replaced by name: `{"threshold": "mmse"}`.
        """
        draft = dict(vars(self))
        for key in sorted(settings, key=lambda key: "." in key):  # parts before their knobs
            _override(draft, key, settings[key])
        return Recipe(**draft)  # checked once, with every change in place

    def settings(self) -> dict[str, Any]:
        """Every knob as `part.knob: value`, for reports and files."""
        found: dict[str, Any] = {"pool": self.pool}
        for label, part in _parts(vars(self)).items():
            found[label] = part_name(part)
            found.update(
                {f"{label}.{f.name}": getattr(part, f.name) for f in dataclasses.fields(part)}
            )
        return found


def part_name(part: Any) -> str:
    return type(part).__name__


def _parts(draft: Mapping[str, Any]) -> dict[str, Any]:
    names = ("threshold", "potential", "neuron", "coder", "schedule", "caps", "tune")
    named = {name: draft[name] for name in names if draft[name] is not None}
    return {**named, **{part.key: part for part in draft["calibrators"]}}


def _out_of_range(knob: str, value: Any) -> str:
    """What is wrong with the value of a knob, or nothing."""
    if knob in WORDS:
        words = WORDS[knob]
        return "" if value in words else f"must be {' or '.join(words)}, got {value!r}"
    low, high = RANGES.get(knob, (0, 0))
    if knob in RANGES and not (isinstance(value, int | float) and low <= value <= high):
        return f"must be a number from {low:g} to {high:g}, got {value!r}"
    return ""


def _choices() -> dict[str, dict[str, Any]]:
    """What may stand for a part when it is given by name."""
    from isospike.fit import neurons, potentials, thresholds
    from isospike.units import coders

    return {
        "threshold": {
            "max": thresholds.Max(), "percentile": Percentile(), "mmse": MMSE(),
            "activation": thresholds.FromActivation(), "spike-max": SpikeMax(),
            "weight-sum": thresholds.WeightSum(), "max-or-weight": thresholds.MaxOrWeight(),
            "local-balance": thresholds.LocalBalance(), "neuron-max": thresholds.NeuronMax(),
        },
        "potential": {
            "zero": Constant(0.0), "half": Constant(0.5), "ann": potentials.FromANN(),
            "training-set": potentials.FromTrainingSet(), "both": potentials.Both(),
        },
        "neuron": {
            "binary": Binary(), "burst": neurons.Burst(), "group": neurons.Group(),
            "signed": neurons.Signed(), "phased": neurons.Phased(),
            "switched": neurons.Switched(), "differential": neurons.Differential(),
        },
        "coder": {
            "direct": Direct(), "bernoulli": coders.Bernoulli(), "if": coders.IFCoder(),
            "bits": coders.Bits(), "on-off": coders.OnOff(),
        },
        "schedule": {
            "synchronous": Synchronous(), "separated": Separated(), "settled": Settled(),
            "probed": Probed(),
        },
        "caps": {"search": BurstSearch(), "none": None},
        "weights": {"refit": WeightRefit(), "none": None},
        "search": {"neuron": NeuronSearch(), "none": None},
        "bias": {"match": BiasMatch(), "none": None},
        "shift": {"half": HalfShift(), "none": None},
        "gain": {"match": GainMatch(), "none": None},
        "gradient": {"layer": LayerGradient(), "none": None},
        "drift": {"match": StepBias(), "none": None},
        "v0": {"match": PotentialMatch(), "none": None},
        "tune": {"distill": Tune(), "none": None},
    }  # fmt: skip


def _override(draft: dict[str, Any], key: str, value: Any) -> None:
    label, _, knob = key.partition(".")
    if key == "pool":
        draft["pool"] = str(value)
        return
    if not knob:
        options = _choices().get(label)
        if options is None:
            raise UsageError(_unknown("part", label, ["pool", *_choices()]))
        if str(value) not in options:
            raise UsageError(_unknown(label, str(value), list(options)))
        return _set_part(draft, label, options[str(value)])
    parts = _parts(draft)
    if label not in parts:
        raise UsageError(_unknown("part", label, list(parts)))
    part = parts[label]
    knobs = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    if knob not in knobs:
        raise UsageError(_unknown(f"knob of {label}", knob, list(knobs)))
    _set_part(draft, label, replace(part, **{knob: _typed(key, value, knobs[knob])}))


def _set_part(draft: dict[str, Any], label: str, part: Any) -> None:
    """A part by its name; a calibrator takes the place of its like, or the last one; None drops."""
    if label in draft:
        draft[label] = part
        return
    known = draft["calibrators"]
    keys = [each.key for each in known]
    place = keys.index(label) if label in keys else len(keys)
    new = () if part is None else (part,)
    draft["calibrators"] = (*known[:place], *new, *known[place + 1 :])


def _typed(key: str, value: Any, like: Any) -> Any:
    """The value in the type of the knob's present value; text from a command line included."""
    try:
        if isinstance(like, bool):
            return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
        typed = type(like)(value)
        if not isinstance(value, str) and (isinstance(value, bool) or typed != value):
            raise ValueError  # 2.7 for a whole number, True for a number
        return typed
    except (KeyError, ValueError, TypeError, OverflowError):
        raise UsageError(f"{key}: expected {type(like).__name__}, got {value!r}") from None


def _unknown(what: str, given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {what} {given!r}: {hint}one of {', '.join(known) or 'none'}"
