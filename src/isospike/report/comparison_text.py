"""A comparison as text of 80 columns: two rankings, the fronts with their accounts, the why."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from isospike.evaluation import told_of_kept
from isospike.report.figures import amount, figure, percent
from isospike.report.ranking import fronts, limits, ranking, refusals, share, sorted_at

COLUMNS = 8  # budgets that fit
NAME = 15
TITLES = {
    "latency": "Accuracy, %, with a latency of at most so many steps",
    "synops": "Accuracy, %, with at most so many SynOps per MAC of the ANN",
}
HEAD = (
    f"{'recipe':{NAME}}{'T':>5}{'extra':>6}{'latency':>8}{'class':>6}{'acc':>7}"
    f"{'spikes':>8}{'SynOps':>8}{'nJ':>8}{'images':>8}"
)


def text(found: dict[str, Any]) -> str:
    """`found`: the JSON of `isospike compare`."""
    rows, asked, ann = found["results"], found["comparison"], found["ann"]
    data = found["data"]
    what = (
        f"{found['model']} on {data['name']}, {data['split']} split, {data['n']} images: "
        f"ANN {percent(ann['accuracy'])} %, {amount(ann['macs'])} MACs"
    )
    lines = textwrap.wrap(what, 80)
    if asked.get("changed"):
        changed = ", ".join(f"{key}={value}" for key, value in asked["changed"].items())
        lines += textwrap.wrap(f"every recipe with {changed}", 80)
    for cost in TITLES:
        lines += ["", *_ranking(rows, asked, ann, cost)]
    for cost, front in fronts(rows).items():
        told = {"latency": "latency", "synops": "SynOps"}[cost]
        lines += ["", f"Front of accuracy over {told}: no row has more for less", HEAD]
        lines += [_account(row) for row in front]
    lines += ["", "spikes: per neuron; SynOps, nJ: per image; images: for calibration, no labels"]
    lines += told_of_kept(found.get("kept", ()))
    for why, names in refusals(rows, asked["recipes"]).items():
        told = f"no row of {', '.join(names)}: {why}"
        lines += ["", *textwrap.wrap(told, 80, subsequent_indent="    ")]
    if asked["interrupted"] is not None:
        missing = [n for n in asked["recipes"] if n not in {row["recipe"] for row in rows}]
        lines += ["", *textwrap.wrap(f"interrupted; not run: {', '.join(missing)}", 80)]
    return "\n".join(lines)


def _ranking(rows: list[dict], asked: dict, ann: dict, cost: str) -> Iterator[str]:
    budgets = limits(rows, cost, asked["steps"], ann["macs"])
    first = sorted_at(budgets, cost, asked["steps"], ann["macs"])
    place = budgets.index(first) if first in budgets else 0
    start = max(0, min(place - COLUMNS // 2, len(budgets) - COLUMNS))
    shown = budgets[start : start + COLUMNS]
    yield TITLES[cost]
    names = [figure(b) if cost == "latency" else share(b, ann["macs"]) for b in shown]
    heads = [name + "*" * (b == first) for name, b in zip(names, shown, strict=True)]
    yield f"{'recipe':{NAME}}" + "".join(f"{head:>7}" for head in [*heads, "any"])
    for line in ranking(rows, asked["recipes"], cost, shown, first):
        cells = [percent(row and row["accuracy"]) for row in [*line["best"], line["any"]]]
        yield f"{line['recipe'][:NAME]:{NAME}}" + "".join(f"{cell:>7}" for cell in cells)
    yield "* sorted by this column"


def _account(row: dict[str, Any]) -> str:
    return (
        f"{row['recipe'][:NAME]:{NAME}}{row['steps']:>5}{row['extra_steps']:>6}{row['latency']:>8}"
        f"{row['hardware_class']:>6}{percent(row['accuracy']):>7}"
        f"{figure(row['spikes_per_neuron']):>8}{amount(row['synops']):>8}"
        f"{figure(row['energy_nj']):>8}{row['calibration_images']:>8}"
    )
