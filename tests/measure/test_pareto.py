"""isospike.measure.pareto: laws of the front and of the best within a budget."""

from __future__ import annotations

import math
from itertools import pairwise
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isospike.measure.pareto import best_within, budgets, front, ranked

COST, GAIN = itemgetter(0), itemgetter(1)
# Few different numbers, so that ties are common; None and NaN for readings without a figure.
NUMBER = st.one_of(st.integers(0, 6), st.none(), st.just(math.nan))
POINTS = st.lists(st.tuples(NUMBER, NUMBER), max_size=12)


def dominates(a, b):
    return a[0] <= b[0] and a[1] >= b[1] and a != b


def whole(points):
    return [p for p in points if all(v is not None and v == v for v in p)]


@given(POINTS)
def test_the_front_is_what_nothing_dominates(points):
    expected = [p for p in whole(points) if not any(dominates(q, p) for q in whole(points))]
    assert sorted(front(points, COST, GAIN)) == sorted(expected)


@given(POINTS)
def test_along_the_front_cost_and_gain_rise_together(points):
    found = front(points, COST, GAIN)
    assert found == sorted(found)
    assert [p[1] for p in found] == sorted(p[1] for p in found)


@given(POINTS)
def test_the_front_of_the_front_is_the_front_and_order_does_not_matter(points):
    found = front(points, COST, GAIN)
    assert front(found, COST, GAIN) == found
    assert front(points[::-1], COST, GAIN) == found


@given(POINTS, st.integers(-1, 7))
def test_the_best_within_a_budget_is_on_the_front(points, budget):
    found = best_within(points, budget, COST, GAIN)
    affordable = [p for p in whole(points) if p[0] <= budget]
    if found is None:
        assert not affordable
    else:
        assert found in front(points, COST, GAIN)
        assert found[1] == max(p[1] for p in affordable)


@given(POINTS)
def test_more_budget_never_gives_less(points):
    values = [best_within(points, b, COST, GAIN) for b in range(8)]
    gains = [-1 if v is None else v[1] for v in values]
    assert gains == sorted(gains)


@given(st.dictionaries(st.sampled_from("abcdef"), POINTS), st.integers(0, 6))
def test_a_ranking_names_everyone_once_and_falls(groups, budget):
    order = ranked(groups, budget, COST, GAIN)
    assert sorted(name for name, _ in order) == sorted(groups)
    gains = [-1 if reading is None else reading[1] for _, reading in order]
    assert gains == sorted(gains, reverse=True)


@given(st.lists(st.floats(1e-3, 1e9), min_size=1), st.floats(1e-2, 1e6))
def test_budgets_double_and_reach_from_the_cheapest_to_everything(costs, unit):
    found = budgets(costs, unit)
    assert found[0] >= min(costs) * (1 - 1e-6) > found[0] / 2 * (1 - 1e-5)
    assert found[-1] >= max(costs) * (1 - 1e-6) > found[-1] / 2 * (1 - 1e-5)
    assert all(b == pytest.approx(2 * a) for a, b in pairwise(found))


def test_an_example():
    points = [(1, 50), (2, 40), (4, 90), (4, 90), (8, 90), (16, 93)]
    assert front(points, COST, GAIN) == [(1, 50), (4, 90), (4, 90), (16, 93)]
    assert best_within(points, 8, COST, GAIN) == (4, 90)
    assert best_within(points, 0, COST, GAIN) is None
    assert budgets([1, 2, 4, 20]) == [1, 2, 4, 8, 16, 32]
    assert budgets([0.0]) == budgets([]) == []
