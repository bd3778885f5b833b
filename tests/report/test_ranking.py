"""isospike.report.ranking: laws of the tables at equal cost."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from isospike.report.ranking import (
    COSTS,
    fronts,
    limits,
    ranking,
    refusals,
    share,
    sorted_at,
)
from report.comparisons import compared

STEPS = [1, 2, 4, 8, 16, 32]


@pytest.fixture
def found(evaluation):
    return compared(evaluation)


@pytest.fixture(params=COSTS)
def table(request, found):
    cost, rows, macs = request.param, found["results"], found["ann"]["macs"]
    at = limits(rows, cost, STEPS, macs)
    names = found["comparison"]["recipes"]
    return cost, at, ranking(rows, names, cost, at, sorted_at(at, cost, STEPS, macs)), rows


def test_a_cell_is_the_most_accurate_row_within_its_budget(table):
    cost, at, lines, rows = table
    for line in lines:
        own = [r for r in rows if r["recipe"] == line["recipe"] and "skipped" not in r]
        for budget, best in [*zip(at, line["best"], strict=True), (math.inf, line["any"])]:
            within = [r["accuracy"] for r in own if r[cost] <= budget]
            assert (best and best["accuracy"]) == max(within, default=None)
            assert best is None or (best["recipe"], best[cost] <= budget) == (line["recipe"], True)


def test_the_table_falls_at_the_limit_that_it_is_sorted_at(table, found):
    cost, at, lines, _ = table
    first = at.index(sorted_at(at, cost, STEPS, found["ann"]["macs"]))
    seen = [line["best"][first] for line in lines]
    values = [-1 if row is None else row["accuracy"] for row in seen]
    assert values == sorted(values, reverse=True)


def test_every_recipe_that_ran_has_one_line_and_the_others_a_reason(table, found):
    _, _, lines, rows = table
    named = sorted(line["recipe"] for line in lines)
    refused = refusals(rows, found["comparison"]["recipes"])
    assert refused == {"a plain ReLU has none": ["qcfs"]}
    assert sorted([*named, "qcfs"]) == sorted(found["comparison"]["recipes"])


def test_limits_let_every_row_in_and_rise(table):
    cost, at, _, rows = table
    assert all(a < b for a, b in pairwise(at))
    assert max(row[cost] for row in rows if "skipped" not in row) <= at[-1]
    if cost == "latency":
        assert at[: len(STEPS)] == STEPS
        assert at[-1] == 1024  # spikeconverter: 20 * 32


def test_limits_of_synops_are_macs_times_powers_of_two_from_an_eighth():
    rows = [{"synops": s, "accuracy": 0.5} for s in (3, 900, 2500)]
    assert limits(rows, "synops", [1], 1000) == [125, 250, 500, 1000, 2000, 4000]
    assert [share(v, 1000) for v in (125, 1000, 4000)] == ["1/8", "1", "4"]
    assert sorted_at([125, 250], "synops", [1], 1000) == 250
    assert limits([], "synops", [1], 1000) == []


def test_no_row_beats_one_of_a_front(found):
    for cost, front in fronts(found["results"]).items():
        ran = [row for row in found["results"] if "skipped" not in row]
        for row in front:
            better = [r for r in ran if r[cost] < row[cost] and r["accuracy"] >= row["accuracy"]]
            assert not better
        assert max(r["accuracy"] for r in ran) == front[-1]["accuracy"]
