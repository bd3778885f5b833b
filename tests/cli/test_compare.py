"""`isospike compare` as a user calls it."""

import json

import pytest

from cli.tool import DATA, NET
from isospike import methods
from isospike.cli import compare


def test_every_recipe_is_ranked_and_written(tool):
    seen = tool(
        "compare", *NET, *DATA, "--steps", "2,4", "--images", 20, "--json", "c.json",
        "--report", "c.html",
    )  # fmt: skip
    assert seen.code == 0, seen.err
    found = json.loads((tool.folder / "c.json").read_text())
    assert found["data"]["n"] == 20
    assert {row["recipe"] for row in found["results"]} == set(methods.names())
    assert "front of all recipes" in (tool.folder / "c.html").read_text()
    assert all(len(line) <= 80 for line in seen.out.splitlines())
    assert "no row of" in seen.out
    assert "iso: done" in seen.err


def test_settings_are_told_and_refused_before_any_work(tool):
    words = ["compare", *NET, *DATA, "--steps", "2", "--set", "threshold.p=99", "--json", "c.json"]
    wrong = tool(*words)
    assert wrong.code == 2
    assert "settings of every compared recipe" in wrong.err
    assert not (tool.folder / "c.json").exists()
    seen = tool(*words, "--recipes", "opi,rueckauer")
    assert seen.code == 0, seen.err
    assert "\nevery recipe with threshold.p=99\n" in seen.out
    found = json.loads((tool.folder / "c.json").read_text())
    assert {name: own["threshold.p"] for name, own in found["settings"].items()} == {
        "opi": 99.0, "rueckauer": 99.0,
    }  # fmt: skip


def test_an_interruption_keeps_what_is_done(tool, monkeypatch):
    whole = compare._Kept.__call__

    def stop(self, found, recipe):
        whole(self, found, recipe)
        if recipe == "rts":
            raise KeyboardInterrupt

    monkeypatch.setattr(compare._Kept, "__call__", stop)
    seen = tool(
        "compare", *NET, *DATA, "--recipes", "opi,rts,iso", "--steps", "2", "--json", "c.json"
    )
    assert seen.code == 130
    assert "interrupted; not run: iso" in seen.out
    found = json.loads((tool.folder / "c.json").read_text())
    assert found["comparison"]["interrupted"] == "iso"
    assert [row["recipe"] for row in found["results"]] == ["opi", "rts"]


def test_a_recipe_that_fails_is_told_by_the_exit_code(tool, monkeypatch):
    def fail(planned, *rest):
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr("isospike.comparison.recipe_rows", fail)
    seen = tool("compare", *NET, *DATA, "--recipes", "opi", "--steps", "2")
    assert seen.code == 1
    assert "failed by an error of the program: opi" in seen.out
    assert "ZeroDivisionError: a mistake" in seen.out


@pytest.mark.parametrize("words", [("--recipes", "isso"), ("--steps", "0"), ("--images", "0")])
def test_wrong_usage_is_refused_before_any_work(tool, words):
    seen = tool("compare", *NET, *DATA, *words, "--json", "c.json")
    assert seen.code == 2
    assert not (tool.folder / "c.json").exists()
