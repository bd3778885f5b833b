"""Which readings are worth having: the Pareto front of a gain over a cost, the best of a budget.

A reading is any object; `cost` and `gain` read two numbers of it, or None where it has none (it
then takes no part). Reading a dominates b when cost(a) <= cost(b) and gain(a) >= gain(b), and one
of the two is strict. The front holds what nothing dominates; equal readings stay together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")
Read = Callable[[T], float | None]


def front(readings: Iterable[T], cost: Read[T], gain: Read[T]) -> list[T]:
    """The readings that nothing dominates, by rising cost (and so by rising gain)."""
    rows = sorted(_known(readings, cost, gain), key=lambda row: (row[0], -row[1]))
    kept: list[T] = []
    best, at = -math.inf, math.nan
    for price, value, reading in rows:
        if value > best or (value == best and price == at):
            kept.append(reading)
            best, at = value, price
    return kept


def best_within(readings: Iterable[T], budget: float, cost: Read[T], gain: Read[T]) -> T | None:
    """The reading of the largest gain that costs at most `budget`; of equal ones the cheapest."""
    rows = [row for row in _known(readings, cost, gain) if row[0] <= budget]
    return max(rows, key=lambda row: (row[1], -row[0]))[2] if rows else None


def ranked(
    groups: Mapping[str, Sequence[T]], budget: float, cost: Read[T], gain: Read[T]
) -> list[tuple[str, T | None]]:
    """(name, its best reading within `budget`) by falling gain; those without one come last."""
    found = {name: best_within(rows, budget, cost, gain) for name, rows in groups.items()}

    def order(name: str) -> tuple[float, float]:
        reading = found[name]
        if reading is None:
            return math.inf, math.inf
        value, price = gain(reading), cost(reading)
        assert value is not None
        assert price is not None
        return -value, price

    return [(name, found[name]) for name in sorted(found, key=order)]


def budgets(costs: Iterable[float], unit: float = 1.0) -> list[float]:
    """`unit` times every power of two from the first that lets the cheapest in to the first that
    lets everything in; costs of zero or less ask for none."""
    known = [value / unit for value in costs if value > 0]
    if not known:
        return []
    low, high = (math.ceil(math.log2(value) - 1e-9) for value in (min(known), max(known)))
    return [unit * 2.0**power for power in range(low, high + 1)]


def _known(readings: Iterable[T], cost: Read[T], gain: Read[T]) -> list[tuple[float, float, T]]:
    """(cost, gain, reading) of those that have both; a NaN is none."""
    found = []
    for reading in readings:
        price, value = cost(reading), gain(reading)
        if price is None or value is None or math.isnan(price) or math.isnan(value):
            continue
        found.append((price, value, reading))
    return found
