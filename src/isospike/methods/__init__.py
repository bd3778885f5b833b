"""The published methods: every file of this folder that defines RECIPES is found by itself."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from isospike.errors import UsageError
from isospike.recipe import Recipe

KNOWN = {  # how a published figure is known
    "paper": "seen there or in the authors' code",
    "abstract": "seen in the paper's abstract or the authors' README",
    "cited": "as others report it",
    "recalled": "not checked",
}


@cache
def modules() -> dict[str, Any]:
    """Recipe name -> the module with its card (docstring), RECIPES and CLAIMS."""
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found.update(dict.fromkeys(module.RECIPES, module))
    return found


def names() -> list[str]:
    return sorted(modules())


def recipe(given: str | Recipe, settings: dict[str, Any] | None = None) -> Recipe:
    """A recipe by name or as a value, with overrides; UsageError names the nearest known one."""
    if isinstance(given, Recipe):
        return given.override(settings or {})
    if given not in modules():
        near = difflib.get_close_matches(given, names(), 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"unknown recipe {given!r}: {hint}one of {', '.join(names())}")
    return modules()[given].RECIPES[given].override(settings or {})


def card(name: str) -> str:
    """What the method is, where it comes from, what of it is reconstructed."""
    recipe(name)
    return (modules()[name].__doc__ or "").strip()


def claims(name: str) -> list[dict[str, Any]]:
    """Published figures as data."""
    recipe(name)
    return list(getattr(modules()[name], "CLAIMS", []))


def figures(
    known: str, data: str, network: str, accuracies: Mapping[Any, float | str], **facts: Any
) -> list[dict[str, Any]]:
    """CLAIMS of one network from {steps: accuracy in %}; `facts` are said of every figure."""
    return [
        {"data": data, "network": network, "steps": t, "accuracy": a, "known": known, **facts}
        for t, a in accuracies.items()
    ]


def table(
    known: str, steps: Sequence[Any], rows: Iterable[tuple[str, str, Sequence[float]]], **facts: Any
) -> list[dict[str, Any]]:
    """`figures` of several networks, (data, network, accuracies at `steps`) a row."""
    return [
        figure
        for data, network, accuracies in rows
        for figure in figures(
            known, data, network, dict(zip(steps, accuracies, strict=True)), **facts
        )
    ]
