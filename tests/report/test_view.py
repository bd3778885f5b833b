"""isospike.report.view: losses, the summary, and what the charts get."""

from __future__ import annotations

import pytest

from isospike.report.view import page


def _rows(*pairs: tuple[int, float]) -> list[dict]:
    return [
        {
            "recipe": "iso",
            "steps": steps,
            "latency": steps + 1,
            "accuracy": accuracy,
            "energy_nj": 10.0 * steps,
        }
        for steps, accuracy in pairs
    ]


def test_loss_and_energy_share_are_against_the_ann():
    view = page({"ann": {"accuracy": 0.9, "energy_nj": 40.0}, "results": _rows((2, 0.85))})
    assert view["rows"][0]["loss"] == pytest.approx(0.05)
    assert view["rows"][0]["energy_share"] == pytest.approx(0.5)


def test_summary_has_the_best_row_and_the_quickest_within_one_point():
    rows = _rows((1, 0.5), (4, 0.891), (2, 0.89), (8, 0.905))
    line = page({"ann": {"accuracy": 0.9}, "results": rows})["summary"][0]
    assert line["best"]["steps"] == 8
    assert line["quickest"]["steps"] == 2  # exactly one point lost still counts


def test_a_recipe_that_never_ran_has_neither():
    rows = [{"recipe": "rmp", "steps": 4, "skipped": "no"}]
    view = page({"ann": {"accuracy": 0.9}, "results": rows})
    assert view["summary"][0]["best"] is None
    assert view["summary"][0]["quickest"] is None
    assert view["script"]["points"] == []


def test_charts_get_every_row_that_ran_grouped_by_recipe(evaluation):
    evaluation["results"].reverse()
    points = page(evaluation)["script"]["points"]
    assert len(points) == sum("skipped" not in row for row in evaluation["results"])
    assert [p["recipe"] for p in points] == sorted(p["recipe"] for p in points)


def test_rates_follow_the_order_of_the_sites(evaluation):
    script = page(evaluation)["script"]
    assert script["sites"] == [site["name"] for site in evaluation["sites"]]
    row = evaluation["results"][0]
    point = next(p for p in script["points"] if (p["recipe"], p["steps"]) == (0, row["steps"]))
    assert point["rates"] == [row["site_rates"][site] for site in script["sites"]]


def test_a_site_that_only_one_row_knows_is_kept(evaluation):
    evaluation["results"][3]["site_rates"]["extra"] = 0.5
    script = page(evaluation)["script"]
    assert script["sites"][-1] == "extra"
    assert [p["rates"][-1] for p in script["points"]].count(0.5) == 1


def test_an_evaluation_with_nothing_in_it_is_a_view():
    view = page({})
    assert view["rows"] == view["sites"] == view["recipes"] == []
