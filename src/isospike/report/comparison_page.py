"""A comparison as one HTML page that opens offline: rankings, two charts with fronts, accounts.

As in html.py nothing foreign is trusted: strings are made visible, then escaped by the template and
once more for plotly, and the policy lets only the scripts run whose hash stands in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from markupsafe import Markup

from isospike.errors import FormatError
from isospike.files import atomic_write
from isospike.report.figures import amount, figure
from isospike.report.ranking import COSTS, fronts, limits, ranking, refusals, share, sorted_at
from isospike.report.shell import parts, template
from isospike.report.text import clean, script_json
from isospike.report.view import page

SCRIPTS = ("theme.js", "curves.js", "draw.js", "sort.js", "comparison.js")
WORDS = {
    "latency": (
        "At equal latency",
        "The most accurate row of each recipe whose answer is out after at most so many steps, "
        "in %, and its T.",
    ),
    "synops": (
        "At equal SynOps",
        "The same with at most so many SynOps per image; the limits are the MACs of the ANN times "
        "powers of two.",
    ),
}


def render(found: dict[str, Any]) -> str:
    """The page for the JSON of `isospike compare`; FormatError for another one."""
    if found.get("schema") != 1 or "comparison" not in found:
        raise FormatError("not a comparison of this version: run isospike compare again")
    view = _view(cast("dict[str, Any]", clean(found)))
    script = Markup(script_json(view.pop("script")))  # noqa: S704 it holds no < > & any more
    return template("comparison.html.j2").render(**view, **parts(*SCRIPTS), script=script)


def write(found: dict[str, Any], path: Path) -> None:
    """Render to a file, which is whole or stays as it was."""
    atomic_write(Path(path), render(found).encode("utf-8"))


def _view(found: dict[str, Any]) -> dict[str, Any]:
    """What the template reads, on top of what the page of an evaluation shows."""
    view, asked = page(found), found["comparison"]
    rows, names = view["rows"], view["recipes"]
    on_front = fronts(rows)
    for row in rows:
        row["fronts"] = [c for c in COSTS if any(row is other for other in on_front[c])]
    refused = refusals(rows, names)
    view["rankings"] = [_table(rows, names, cost, asked["steps"], view["ann"]) for cost in COSTS]
    view["script"]["fronts"] = {
        cost: [_place(view["script"]["points"], names, row) for row in front]
        for cost, front in on_front.items()
    }
    ran = {row["recipe"] for row in rows if row["skipped"] is None}
    return {
        **view, "refused": refused, "asked": asked["recipes"], "ran": ran,
        "missing": [name for name in asked["recipes"] if name not in names],
    }  # fmt: skip


def _table(
    rows: list[dict], names: list[str], cost: str, steps: list[int], ann: dict
) -> dict[str, Any]:
    budgets = limits(rows, cost, steps, ann["macs"])
    first = sorted_at(budgets, cost, steps, ann["macs"])
    lines = ranking(rows, names, cost, budgets, first)
    cells = [[_cell(row) for row in (*line["best"], line["any"])] for line in lines]
    for column in zip(*cells, strict=True):
        most = max((cell["accuracy"] for cell in column if cell["steps"] is not None), default=None)
        for cell in column:
            cell["top"] = most is not None and cell["accuracy"] == most
    title, words = WORDS[cost]
    if cost == "latency":
        heads = [figure(budget) for budget in budgets]
    else:
        heads = [f"{share(budget, ann['macs'])} ({amount(budget)})" for budget in budgets]
    return {
        "cost": cost, "title": title, "words": words,
        "limits": [
            {"text": head, "first": budget == first}
            for head, budget in zip(heads, budgets, strict=True)
        ],
        "lines": [
            {"recipe": names.index(line["recipe"]), "cells": own}
            for line, own in zip(lines, cells, strict=True)
        ],
    }  # fmt: skip


def _cell(row: dict[str, Any] | None) -> dict[str, Any]:
    known = row or {"accuracy": None, "steps": None}
    return {"accuracy": known["accuracy"], "steps": known["steps"], "top": False}


def _place(points: list[dict], names: list[str], row: dict[str, Any]) -> int:
    """Where the point of a row stands in the list that the charts draw."""
    wanted = (names.index(row["recipe"]), row["steps"])
    return next(k for k, p in enumerate(points) if (p["recipe"], p["steps"]) == wanted)
