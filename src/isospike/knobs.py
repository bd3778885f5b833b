"""The knobs of a recipe: what each may be, and how one is set by name."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from isospike.errors import UsageError
from isospike.fit import bias, neurons, potentials, thresholds
from isospike.fit.burst_search import BurstSearch
from isospike.fit.few_spike import FewSpikeFit
from isospike.fit.gain_match import GainMatch
from isospike.fit.gauss_lloyd import GaussLloyd
from isospike.fit.layer_gradient import LayerGradient
from isospike.fit.neuron_search import NeuronSearch
from isospike.fit.potential_match import PotentialMatch
from isospike.fit.step_bias import StepBias
from isospike.fit.weights import WeightRefit
from isospike.schedule import Probed, Separated, Settled, Synchronous
from isospike.tune.loss import LOSSES
from isospike.tune.settings import Tune
from isospike.tune.surrogate import KINDS
from isospike.units import coders

# What a knob of this name may be: one of some words, or a number from the first to the second.
WORDS = {
    "grain": ("layer", "channel"), "reading": ("half", "mse", "mean"), "mode": ("active", "gap"),
    "reset": ("soft", "hard"), "each": ("neuron", "channel"), "rule": ("mask", "shift"),
    "loss": tuple(LOSSES), "backward": ("exact", "mean"), "surrogate": KINDS,
    "precision": ("no", "bf16"), "decoder": ("mean", "softmax"),
}  # fmt: skip
RANGES = {
    "p": (1e-9, 100), "lowest": (1e-9, 1), "step": (1e-3, 1), "alpha": (1e-9, 1e9),
    "steps": (1, 10_000), "value": (0, 1), "start": (0, 1), "v0": (0, 1), "ridge": (1e-12, 1e9),
    "evenness": (0, 1e9), "rows": (1, 10**9), "passes": (0, 1000), "rounds": (1, 1000),
    "batch": (1, 10**6), "seed": (0, 2**63 - 1), "leak": (1e-3, 1), "cap": (1, 127),
    "iterations": (0, 10**7), "lr": (1e-12, 10), "members": (1, 127), "low": (0, 1e6),
    "period": (1, 24), "levels": (1, 16), "ratio": (0, 1e6), "budget": (0, 1),
    "early": (0, 0.99), "scale": (1e-3, 1e3),
    "images": (1, 10**6), "delay": (0, 10_000), "settle": (0, 10_000), "probe": (1, 10_000),
    "tau": (1e-3, 1e3), "feature": (0, 1e9), "fast": (0, 1e3), "width": (1e-3, 1e3),
    "parts": (1, 1024), "pad": (0, 1000), "tau_syn": (0, 1e3),
}  # fmt: skip


def part_name(part: Any) -> str:
    return type(part).__name__


def name_of(label: str, part: Any) -> str:
    """What `--set label=name` calls a part, or one of its class whose knobs have other values; the
    class of a part that it does not know."""
    options = _choices().get(label, {})
    equal = [name for name, option in options.items() if option == part]
    alike = [name for name, option in options.items() if type(option) is type(part)]
    return [*equal, *alike, part_name(part)][0]


def parts_of(draft: Mapping[str, Any]) -> dict[str, Any]:
    names = ("threshold", "potential", "neuron", "coder", "schedule", "caps", "few_spike", "tune")
    named = {name: draft[name] for name in names if draft[name] is not None}
    return {**named, **{part.key: part for part in draft["calibrators"]}}


def out_of_range(knob: str, value: Any) -> str:
    """What is wrong with the value of a knob, or nothing."""
    if knob in WORDS:
        words = WORDS[knob]
        return "" if value in words else f"must be {' or '.join(words)}, got {value!r}"
    low, high = RANGES.get(knob, (0, 0))
    if knob in RANGES and not (isinstance(value, int | float) and low <= value <= high):
        return f"must be a number from {low:g} to {high:g}, got {value!r}"
    return ""


def wrong_knobs(label: str, part: Any) -> list[str]:
    """What is wrong with the knobs of a part, all of it."""
    told = {k.name: out_of_range(k.name, getattr(part, k.name)) for k in dataclasses.fields(part)}
    return [f"{label}.{name} {why}" for name, why in told.items() if why]


@cache
def _choices() -> dict[str, dict[str, Any]]:
    """What may stand for a part when it is given by name."""
    return {
        "threshold": {
            "max": thresholds.Max(),
            "percentile": thresholds.Percentile(),
            "mmse": thresholds.MMSE(),
            "activation": thresholds.FromActivation(),
            "soft-lif": thresholds.FromSoftLIF(),
            "spike-max": thresholds.SpikeMax(),
            "weight-sum": thresholds.WeightSum(),
            "max-or-weight": thresholds.MaxOrWeight(),
            "local-balance": thresholds.LocalBalance(),
            "neuron-max": thresholds.NeuronMax(),
            "gauss-lloyd": GaussLloyd(),
        },
        "potential": {
            "zero": potentials.Constant(0.0),
            "half": potentials.Constant(0.5),
            "shift": potentials.FromShift(),
            "ann": potentials.FromANN(),
            "training-set": potentials.FromTrainingSet(),
            "both": potentials.Both(),
        },
        "neuron": {
            "binary": neurons.Binary(),
            "burst": neurons.Burst(),
            "group": neurons.Group(),
            "signed": neurons.Signed(),
            "imbalanced": neurons.Imbalanced(),
            "phased": neurons.Phased(),
            "switched": neurons.Switched(),
            "differential": neurons.Differential(),
            "lif": neurons.LIF(),
        },
        "coder": {
            "direct": coders.Constant(),
            "bernoulli": coders.Bernoulli(),
            "if": coders.IFCoder(),
            "bits": coders.Bits(),
            "on-off": coders.OnOff(),
        },
        "schedule": {
            "synchronous": Synchronous(),
            "separated": Separated(),
            "settled": Settled(),
            "probed": Probed(),
        },
        "caps": {"search": BurstSearch(), "none": None},
        "few_spike": {"fit": FewSpikeFit(), "none": None},
        "weights": {"refit": WeightRefit(), "none": None},
        "search": {"neuron": NeuronSearch(), "none": None},
        "bias": {"match": bias.BiasMatch(), "none": None},
        "shift": {"half": bias.HalfShift(), "none": None},
        "gain": {"match": GainMatch(), "none": None},
        "gradient": {"layer": LayerGradient(), "none": None},
        "drift": {"match": StepBias(), "none": None},
        "v0": {"match": PotentialMatch(), "none": None},
        "tune": {"distill": Tune(), "none": None},
    }


def set_knob(draft: dict[str, Any], key: str, value: Any) -> None:
    """`part.knob` of the draft of a recipe, or a part by its name; UsageError for the unknown."""
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
    parts = parts_of(draft)
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
