"""`compare`: every recipe on one network, whatever becomes of the others."""

import json
from dataclasses import dataclass

import pytest
import torch
from torch import nn

import isospike as iso
from abuse.untouched import untouched
from isospike import comparison, methods
from isospike.comparison import compare
from isospike.data.images import ImageSet
from isospike.fit.thresholds import Percentile
from zoo.tiny import CLASSES, converted, images, labels, plain, quantised

TEST = ImageSet("npz:tiny.npz", "test", images(), labels())
TRAIN = images(32, seed=7)


@dataclass(frozen=True)
class Broken(Percentile):
    """A threshold with a mistake in it."""

    def estimate(self, site):
        raise RuntimeError("a mistake in a part")


@pytest.fixture(scope="module")
def result():
    model = plain()
    with untouched(model, TEST.images):
        return compare(model, TEST, [8, 2], calibration=TRAIN, name="tiny")


def test_every_recipe_has_a_row_for_every_t(result):
    rows = [(row.recipe, row.steps) for row in result.evaluation.rows]
    assert rows == [(name, t) for name in methods.names() for t in (2, 8)]
    assert result.names == methods.names()
    assert result.steps == [2, 8]
    assert result.failed == []


def test_what_does_not_apply_says_why(result):
    skipped = {row.recipe: row.skipped for row in result.evaluation.rows if row.skipped}
    assert "plain ReLU has none" in skipped["qcfs"]
    assert all(len(why) > 20 for why in skipped.values())


@pytest.mark.parametrize("name", ["iso", "spikeconverter", "cao2015"])
def test_a_recipe_has_the_rows_that_it_has_alone(result, name):
    alone = iso.evaluate(plain(), TEST, [2, 8], name, TRAIN, name="tiny").rows
    assert [row for row in result.evaluation.rows if row.recipe == name] == alone


def test_accounts_are_in_every_row(result):
    for row in result.to_json()["results"]:
        if "skipped" not in row:
            assert row["calibration_images"] == 32
            assert row["latency"] >= row["steps"] + row["extra_steps"]
            assert row["hardware_class"] in ("H0", "H1", "H2", "H3", "H4")
            assert row["network"] == "tiny"


def test_the_network_is_captured_once(monkeypatch):
    calls = []
    whole = comparison.captured
    monkeypatch.setattr(comparison, "captured", lambda *args: calls.append(1) or whole(*args))
    compare(plain(), TEST, 2, ["opi", "rts", "rueckauer"], TRAIN)
    assert len(calls) == 1


def test_a_network_with_max_pooling_takes_recipes_of_every_policy():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, CLASSES)
    ).eval()
    pools = {name: iso.recipe("opi", {"pool": name}) for name in ("gated", "average", "exact")}
    found = compare(model, TEST, 4, list(pools.values()), TRAIN)
    alone = [iso.evaluate(model, TEST, 4, recipe, TRAIN).rows[0] for recipe in pools.values()]
    for row, other in zip(found.evaluation.rows, alone, strict=True):
        assert (row.accuracy, row.synops, row.skipped) == (
            other.accuracy, other.synops, other.skipped,
        )  # fmt: skip


def test_functions_go_to_the_recipe_that_has_neurons_for_them():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.SiLU(), nn.Conv2d(4, 4, 3), nn.GELU(), nn.Flatten(),
        nn.Linear(64, CLASSES),
    ).eval()  # fmt: skip
    recipes = [iso.recipe("fs-neurons", {"few_spike.rounds": 5}), "iso"]
    found = compare(model, TEST, 4, recipes, TRAIN).evaluation
    alone = iso.evaluate(model, TEST, 4, recipes[0], TRAIN)
    assert found.rows[0] == alone.rows[0]
    assert "2 problems" in found.rows[1].skipped
    assert "keep=['3']" in found.rows[1].skipped
    assert found.kept == []
    found = compare(model, TEST, 4, recipes, TRAIN, keep=["silu", "3"]).evaluation
    assert [row.skipped for row in found.rows] == [None, None]
    assert [site["op"] for site in found.kept] == ["silu", "gelu"]


def test_a_mistake_in_one_recipe_does_not_stop_the_others():
    recipes = [iso.Recipe("first"), iso.Recipe("wrong", Broken()), iso.Recipe("last")]
    found = compare(plain(), TEST, [1, 4], recipes, TRAIN)
    assert found.failed == ["wrong"]
    assert str(found) == str(found.evaluation)
    assert [row.skipped for row in found.evaluation.rows] == [
        None, None, *["failed: RuntimeError: a mistake in a part"] * 2, None, None,
    ]  # fmt: skip


def test_what_is_done_is_handed_out_before_the_next_recipe_and_survives_an_interruption():
    seen = []

    def stop(found, name):
        seen.append((name, len(found.evaluation.rows)))
        if name == "opi":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(plain(), TEST, [1, 4], ["rts", "opi", "iso"], TRAIN, done=stop)
    assert seen == [("rts", 2), ("opi", 4)]


def test_progress_rises_from_nothing_to_the_end_and_names_every_recipe():
    told = []
    compare(
        plain(), TEST, [1, 2], ["opi", "qcfs", "spikeconverter"], TRAIN,
        progress=lambda *args: told.append(args),
    )  # fmt: skip
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert {total for *_, total in told} == {told[-1][1]}
    assert list(dict.fromkeys(title for title, *_ in told)) == [
        "opi, 1 of 3", "qcfs, 2 of 3", "spikeconverter, 3 of 3",
    ]  # fmt: skip


def test_the_json_is_an_evaluation_with_more(result):
    data = json.loads(json.dumps(result.to_json()))
    own = json.loads(json.dumps(result.evaluation.to_json()))
    assert data.pop("comparison") == {
        "steps": [2, 8], "recipes": methods.names(), "failed": [], "interrupted": None,
        "changed": {},
    }  # fmt: skip
    assert data == own


def test_settings_are_those_of_every_recipe():
    chosen, names = {"potential": "half", "threshold.p": 99.0}, ["rueckauer", "hu-resnet"]
    found = compare(plain(), TEST, 4, names, TRAIN, settings=chosen)
    for name in names:
        alone = iso.evaluate(plain(), TEST, 4, name, TRAIN, settings=chosen)
        assert [row for row in found.evaluation.rows if row.recipe == name] == alone.rows
        assert found.evaluation.settings[name] == alone.settings[name]
        assert alone.rows != iso.evaluate(plain(), TEST, 4, name, TRAIN).rows
    assert found.changed == {"potential": "half", "threshold.p": "99.0"}


def test_recipes_that_cannot_take_a_setting_are_all_told_before_any_work():
    names = ["rueckauer", "qcfs", "opi", "iso"]
    told = r"recipe: qcfs: .*; iso: .*Compare those that have them"
    with pytest.raises(iso.UsageError, match=told) as error:
        compare(plain(), None, 4, names, TRAIN, settings={"threshold.p": 99.0})
    assert not any(f"{name}:" in str(error.value) for name in ("rueckauer", "opi"))


def test_quantised_networks_are_compared_too():
    found = compare(quantised(), TEST, 4, ["qcfs", "rueckauer", "cq"], TRAIN)
    rows = found.evaluation.rows
    assert [row.skipped for row in rows] == [None] * 3
    assert [any("rounds with shift 0.5" in note for note in row.notes) for row in rows] == [
        False, False, True,
    ]  # fmt: skip


def test_refusals_come_before_any_work():
    with pytest.raises(iso.UsageError, match="did you mean 'iso'"):
        compare(plain(), TEST, 4, ["opi", "isso"], TRAIN)
    with pytest.raises(iso.UsageError, match="converted already"):
        compare(converted("opi"), TEST, 4, None, TRAIN)
    with pytest.raises(iso.UsageError, match="calibration"):
        compare(plain(), TEST, 4)
    with pytest.raises(iso.UsageError, match="recipes"):
        compare(plain(), TEST, 4, [], TRAIN)
    with pytest.raises(iso.DataError, match="need labels"):
        compare(plain(), TEST.images, 4, ["opi"], TRAIN)
    bad = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Softmax(1), nn.Conv2d(4, 4, 3), nn.Softmax(1))
    with pytest.raises(iso.ConversionError, match="2 problems"):
        compare(bad, TEST, 4, None, TRAIN)
    with pytest.raises(
        iso.DataError, match=r"labels need outputs \[B, classes\], got \[24, 4, 6, 6\]"
    ):
        compare(bad[:1], TEST, 4, None, TRAIN)
