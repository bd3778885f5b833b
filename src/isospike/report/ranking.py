"""Recipes at equal latency and at equal SynOps, worked out from the JSON of `isospike compare`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isospike.measure.pareto import budgets, front, ranked
from isospike.report.figures import is_number

COSTS = {"latency": "latency, steps", "synops": "SynOps per image"}
SMALLEST = 1 / 8  # of the MACs of the ANN
Row = dict[str, Any]


def read(key: str) -> Callable[[Row], float | None]:
    """The figure of a row, or None where it has none."""
    return lambda row: row.get(key) if is_number(row.get(key)) else None


def fronts(rows: list[Row]) -> dict[str, list[Row]]:
    """Cost -> the rows that no other row beats in accuracy and in that cost, by rising cost."""
    return {cost: front(rows, read(cost), read("accuracy")) for cost in COSTS}


def limits(rows: list[Row], cost: str, steps: list[int], macs: float) -> list[float]:
    """What is compared at: for latency every T that was asked for, then its doubles; for SynOps
    the MACs of the ANN times powers of two, from SMALLEST up."""
    ran = [row for row in rows if is_number(row.get("accuracy"))]
    known = [row[cost] for row in ran if is_number(row.get(cost))]
    if cost == "latency":
        longer = budgets([value for value in known if value > max(steps)], max(steps))
        return [float(t) for t in steps] + longer
    return budgets([max(value, SMALLEST * macs) for value in known], macs)


def ranking(
    rows: list[Row], names: list[str], cost: str, at: list[float], first: float
) -> list[dict[str, Any]]:
    """A line for each recipe with its best row within each budget of `at`, sorted by accuracy
    within `first`; of equals the one that is better with any budget comes first."""
    own = {name: [row for row in rows if row["recipe"] == name] for name in names}
    order = {
        budget: ranked(own, budget, read(cost), read("accuracy"))
        for budget in {*at, first, float("inf")}
    }
    best = {budget: dict(found) for budget, found in order.items()}
    place = {name: k for k, (name, _) in enumerate(order[float("inf")])}

    def key(name: str) -> tuple[float, float]:
        row = best[first][name]
        return (float("inf") if row is None else -row["accuracy"]), place[name]

    return [
        {"recipe": name, "best": [best[budget][name] for budget in at],
         "any": best[float("inf")][name]}
        for name in sorted((name for name in names if own[name]), key=key)
        if best[float("inf")][name] is not None
    ]  # fmt: skip


def sorted_at(limits: list[float], cost: str, steps: list[int], macs: float) -> float:
    """The limit that a table is sorted at first: the middle one of the T that were asked for; as
    many SynOps as the ANN has MACs, or the nearest limit below."""
    wanted = steps[len(steps) // 2] if cost == "latency" else macs
    return max((limit for limit in limits if limit <= wanted), default=float("inf"))


def refusals(rows: list[Row], names: list[str]) -> dict[str, list[str]]:
    """Why -> the recipes none of whose rows ran for that reason."""
    why: dict[str, list[str]] = {}
    for name in names:
        own = [row for row in rows if row["recipe"] == name]
        if own and all(row.get("skipped") is not None for row in own):
            reason = "; ".join(dict.fromkeys(str(row["skipped"]) for row in own))
            why.setdefault(reason, []).append(name)
    return why


def share(limit: float, macs: float) -> str:
    """A limit of SynOps in MACs of the ANN, powers of two: 1/4, 2."""
    ratio = limit / macs
    return f"{ratio:.0f}" if ratio >= 1 else f"1/{1 / ratio:.0f}"
