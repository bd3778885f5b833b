"""AutoAugment's operations and policies: plain tables.

Source: Cubuk et al. 2018 (arXiv:1805.09501), table 7, with torchvision's probabilities, magnitudes
and signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from isospike.errors import UsageError
from isospike.train import image_ops as ops
from isospike.train import image_warp as warp

LEVELS = 10

Step = tuple[str, float, int | None]  # operation, probability, level 0..9 or None where it has none
SubPolicy = tuple[Step, Step]
Policy = Sequence[SubPolicy]

CIFAR10: Policy = (
    (("Invert", 0.1, None), ("Contrast", 0.2, 6)),
    (("Rotate", 0.7, 2), ("TranslateX", 0.3, 9)),
    (("Sharpness", 0.8, 1), ("Sharpness", 0.9, 3)),
    (("ShearY", 0.5, 8), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.5, None), ("Equalize", 0.9, None)),
    (("ShearY", 0.2, 7), ("Posterize", 0.3, 7)),
    (("Color", 0.4, 3), ("Brightness", 0.6, 7)),
    (("Sharpness", 0.3, 9), ("Brightness", 0.7, 9)),
    (("Equalize", 0.6, None), ("Equalize", 0.5, None)),
    (("Contrast", 0.6, 7), ("Sharpness", 0.6, 5)),
    (("Color", 0.7, 7), ("TranslateX", 0.5, 8)),
    (("Equalize", 0.3, None), ("AutoContrast", 0.4, None)),
    (("TranslateY", 0.4, 3), ("Sharpness", 0.2, 6)),
    (("Brightness", 0.9, 6), ("Color", 0.2, 8)),
    (("Solarize", 0.5, 2), ("Invert", 0.0, None)),
    (("Equalize", 0.2, None), ("AutoContrast", 0.6, None)),
    (("Equalize", 0.2, None), ("Equalize", 0.6, None)),
    (("Color", 0.9, 9), ("Equalize", 0.6, None)),
    (("AutoContrast", 0.8, None), ("Solarize", 0.2, 8)),
    (("Brightness", 0.1, 3), ("Color", 0.7, 0)),
    (("Solarize", 0.4, 5), ("AutoContrast", 0.9, None)),
    (("TranslateY", 0.9, 9), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.9, None), ("Solarize", 0.8, 3)),
    (("Equalize", 0.8, None), ("Invert", 0.1, None)),
    (("TranslateY", 0.7, 9), ("AutoContrast", 0.9, None)),
)
POLICIES = {"cifar10": CIFAR10}


class Operation(NamedTuple):
    """apply(images, magnitude [B]); the levels 0..9 lie evenly from `low` to `high`, signed ones
    go either way. Translations count in widths or heights of the image."""

    apply: Callable[[Tensor, Tensor], Tensor]
    low: float = 0.0
    high: float = 0.0
    signed: bool = True

    @property
    def graded(self) -> bool:
        return self.low != self.high


def _plain(function: Callable[[Tensor], Tensor]) -> Operation:
    return Operation(lambda images, _: function(images), signed=False)


def _enhancer(function: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    return Operation(lambda images, change: function(images, 1 + change), 0.0, 0.9)


OPERATIONS = {
    "ShearX": Operation(warp.shear_x, 0.0, 0.3),
    "ShearY": Operation(warp.shear_y, 0.0, 0.3),
    "TranslateX": Operation(warp.translate_x, 0.0, 150 / 331),
    "TranslateY": Operation(warp.translate_y, 0.0, 150 / 331),
    "Rotate": Operation(warp.rotate, 0.0, 30.0),  # degrees
    "Color": _enhancer(ops.color),
    "Contrast": _enhancer(ops.contrast),
    "Sharpness": _enhancer(ops.sharpness),
    "Brightness": _enhancer(ops.brightness),
    "Posterize": Operation(ops.posterize, 8.0, 4.0, signed=False),  # bits
    "Solarize": Operation(ops.solarize, 255.0, 0.0, signed=False),
    "AutoContrast": _plain(ops.autocontrast),
    "Equalize": _plain(ops.equalize),
    "Invert": _plain(ops.invert),
}


def magnitudes(name: str, height: int, width: int) -> Tensor:
    """What the levels of an operation mean on images of this size, float64 [10], unsigned."""
    operation = OPERATIONS[name]
    side = {"TranslateX": width, "TranslateY": height}.get(name, 1)
    return torch.linspace(operation.low * side, operation.high * side, LEVELS).double()


def policy_of(given: str | Policy) -> Policy:
    """A policy by name, or the given table as it is; UsageError lists everything wrong with it."""
    if isinstance(given, str):
        if given not in POLICIES:
            raise UsageError(f"unknown policy {given!r}: one of {', '.join(POLICIES)}, or a table")
        return POLICIES[given]
    problems = [] if given else ["it has no sub-policies"]
    for place, sub in enumerate(given):
        if len(sub) != 2:
            problems.append(f"sub-policy {place}: {len(sub)} operations instead of 2")
        problems += [f"sub-policy {place}: {flaw}" for step in sub for flaw in _flaws(*step)]
    if problems:
        raise UsageError("policy: " + "; ".join(problems))
    return given


def _flaws(name: str, probability: float, level: int | None) -> list[str]:
    flaws = []
    if not 0 <= probability <= 1:
        flaws.append(f"{name}: probability {probability} is not in [0, 1]")
    if name not in OPERATIONS:
        return [*flaws, f"unknown operation {name!r}: one of {', '.join(OPERATIONS)}"]
    if OPERATIONS[name].graded and level not in range(LEVELS):
        flaws.append(f"{name}: level {level} is not a whole number from 0 to {LEVELS - 1}")
    return flaws
