"""`evaluate`: the rows, what stands beside them, and how they are told."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import isospike as iso
from abuse.untouched import untouched
from isospike.data import pieces
from isospike.data.images import ImageSet
from isospike.engine.run import Run
from isospike.errors import Interrupted
from isospike.measure.evaluate import Row, measure
from isospike.network import SpikingNetwork
from zoo.tiny import CLASSES, converted, images, labels, plain, quantised, settled

IMAGES, LABELS = images(), labels()
TEST = ImageSet("npz:tiny.npz", "test", IMAGES, LABELS)
ROW = [
    "recipe", "steps", "converted_for", "extra_steps", "latency", "hardware_class",
    "calibration_images", "accuracy", "agreement", "spikes_per_neuron", "synops", "energy_nj",
]  # fmt: skip
MORE = [
    "macs", "neuron_updates", "output_error", "site_rates", "notes", "network", "ann_accuracy"
]  # fmt: skip


@pytest.fixture(scope="module")
def result():
    """Three recipes on a model; the second cannot run on it."""
    model = plain()
    with untouched(model, IMAGES):
        return iso.evaluate(
            model, TEST, [8, 2, 8, 64], ["iso", "qcfs", "spikeconverter"], images(32, seed=7),
            name="tiny",
        )  # fmt: skip


def test_the_json_has_the_keys_that_others_read(result):
    data = json.loads(json.dumps(result.to_json()))
    assert list(data)[:6] == ["schema", "model", "data", "ann", "quantised_ann", "results"]
    assert set(list(data)[6:]) == {"sites", "kept", "interrupted", "settings", "versions"}
    assert data["schema"] == 1
    assert data["model"] == "tiny"
    assert data["data"] == {"name": "npz:tiny.npz", "split": "test", "n": 24}
    assert list(data["ann"]) == ["accuracy", "macs", "energy_nj"]
    for row in data["quantised_ann"]:
        assert set(row) == {"levels", "accuracy", "agreement", "macs", "energy_nj"}
    for row in data["results"]:
        if "skipped" in row:
            assert set(row) == {"recipe", "steps", "skipped"}
        else:
            assert set(row) == {*ROW, *MORE}
            assert 0 <= row["accuracy"] <= 1
            assert 0 <= row["agreement"] <= 1
    assert {site["name"] for site in data["sites"]} == {"act1", "act2"}
    assert data["settings"]["iso"]["bias.passes"] == 1
    assert data["versions"]["torch"] == torch.__version__


def test_rows_stand_in_order_and_one_that_cannot_run_does_not_stop_the_others(result):
    assert [(row.recipe, row.steps) for row in result.rows] == [
        (name, t) for name in ("iso", "qcfs", "spikeconverter") for t in (2, 8, 64)
    ]
    skipped = [row for row in result.rows if row.skipped]
    assert {row.recipe for row in skipped} == {"qcfs"}
    assert all("plain ReLU has none" in row.skipped for row in skipped)


def test_parts_that_depend_on_the_steps_are_fitted_again(result):
    assert [result.row("iso", t).converted_for for t in (2, 8, 64)] == [2, 8, 64]
    refit = result.row("iso", 2)
    snn = iso.convert(plain(), images(32, seed=7), 2)
    own = iso.evaluate(snn, TEST, 2).rows[0]
    assert own.spikes_per_neuron == refit.spikes_per_neuron
    assert own.output_error == pytest.approx(refit.output_error)


def test_a_network_is_read_as_it_is():
    rows = iso.evaluate(converted("iso"), TEST, [1, 8, 32]).rows
    assert [row.converted_for for row in rows] == [8, 8, 8]
    rows = iso.evaluate(converted("opi"), TEST, [1, 8]).rows
    assert [row.converted_for for row in rows] == [None, None]


def test_steps_beyond_the_grid_run_and_are_told(result):
    row = result.row("spikeconverter", 64)
    assert row.skipped is None
    assert "grid capped" in row.notes[0]
    assert result.row("spikeconverter", 8).notes == []
    assert row.agreement == 1.0


def test_the_network_it_came_from(result):
    model = plain()
    right = (model(IMAGES).argmax(1) == LABELS).double().mean()
    assert result.ann["accuracy"] == float(right)
    conv1, conv2, fc = 2 * 4 * (6 * 6 * 9 + 4 * 6 * 6 + 4 * 4), 4 * 4 * 100, 64 * 3
    assert result.ann["macs"] == conv1 + conv2 + fc
    assert result.ann["energy_nj"] == pytest.approx(4.6e-3 * result.ann["macs"])
    assert all(row.ann_accuracy == float(right) for row in result.rows)


def test_the_equally_quantised_network(result):
    assert [row["levels"] for row in result.quantised_ann] == [2, 8, 64]
    assert all(row["macs"] == result.ann["macs"] for row in result.quantised_ann)
    agreement = [row["agreement"] for row in result.quantised_ann]
    assert agreement[-1] >= agreement[0]
    assert agreement[-1] >= 0.95


def test_a_recipe_may_be_a_value_and_one_name_is_enough():
    mine = iso.Recipe("mine")
    rows = iso.evaluate(plain(), TEST, 4, mine, IMAGES).rows
    assert [(row.recipe, row.steps) for row in rows] == [("mine", 4)]


def test_the_first_recipe_may_be_the_one_that_cannot():
    class Ceil(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(2, 4, 2), nn.Linear(64, CLASSES)

        def forward(self, x):
            x = nn.functional.max_pool2d(self.conv(x).relu(), 2, ceil_mode=True)
            return self.fc(x.flatten(1))

    rows = iso.evaluate(settled(Ceil()), TEST, 4, ["spikeconverter", "opi"], IMAGES).rows
    assert "ceil mode" in rows[0].skipped
    assert rows[1].accuracy is not None


def test_a_model_that_cannot_be_converted_is_refused_with_everything():
    class Wrong(nn.Module):
        def forward(self, x):
            return torch.tanh(x).mean((2, 3))

    model = Wrong()
    with untouched(model), pytest.raises(iso.ConversionError, match="tanh"):
        iso.evaluate(model, TEST, 4, "opi", IMAGES)


def test_any_batches_of_the_test_images_give_the_same_rows():
    snn = converted("iso")
    whole = iso.evaluate(snn, TEST, 8).rows[0]
    parts = list(zip(IMAGES.split(7), LABELS.split(7), strict=True))
    split = iso.evaluate(snn, iter(parts), 8).rows[0]
    for name in ("accuracy", "agreement", "spikes_per_neuron", "synops"):
        assert getattr(split, name) == getattr(whole, name)


def test_without_labels_there_is_agreement_alone():
    result = iso.evaluate(converted("iso"), IMAGES, 8)
    assert result.ann["accuracy"] is None
    assert result.rows[0].accuracy is None
    assert result.rows[0].agreement > 0
    assert "-" in str(result)


def test_a_double_network_is_evaluated_in_double():
    snn = iso.convert(quantised().double(), IMAGES, 4, "qcfs")
    assert iso.evaluate(snn, TEST, 4).rows[0].agreement == 1.0


WRONG = {
    "labels": (lambda: [(IMAGES, LABELS + 1)], "label 3, but the network has 3 outputs"),
    "shape": (lambda: IMAGES[:, :1], r"\[B, 2, 8, 8\]"),
    "nothing": (lambda: [], "0 batches"),
    "NaN": (lambda: IMAGES * torch.nan, "NaN"),
    "too few labels": (lambda: [(IMAGES, LABELS[:3])], "24 images but labels"),
}


@pytest.mark.parametrize(("data", "told"), WRONG.values(), ids=WRONG)
def test_test_images_that_cannot_be_used(data, told):
    with pytest.raises(iso.DataError, match=told):
        iso.evaluate(converted("iso"), data(), 8)


@pytest.mark.parametrize("steps", [0, [4, 0], [], 1.5, True])
def test_steps_that_are_no_steps(steps):
    with pytest.raises(iso.UsageError, match="steps"):
        iso.evaluate(converted("iso"), TEST, steps)


def test_calibration_never_sees_the_test_images():
    class Locked(ImageSet):
        def batches(self, *_):
            raise AssertionError("the test images were read")

    locked = Locked("x", "test", IMAGES, LABELS)
    with pytest.raises(AssertionError, match="were read"):
        iso.evaluate(plain(), locked, 4, "opi", IMAGES)
    # Without calibration images no row runs, and none is made from the test images.
    result = iso.evaluate(plain(), TEST, 4, "opi")
    assert "calibration images are needed" in result.rows[0].skipped
    assert result.quantised_ann == []


# --- the table -----------------------------------------------------------------------------------


def test_every_line_fits_80_columns(result):
    lines = str(result).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].split() == [
        "recipe", "T", "latency", "acc", "%", "agree", "%", "spikes", "SynOps", "nJ"
    ]  # fmt: skip
    assert lines[1].startswith("ann ")
    assert sum(line.startswith("quantised ann") for line in lines) == 3
    for name in ("iso", "qcfs", "spikeconverter"):
        assert sum(line.startswith(name) for line in lines) == 3


def test_large_figures_and_long_reasons_fit_as_well(result):
    big = Row(
        "spikeconverter", 512, 512, 0, 9728, "H3", 1.0, 1.0, 99999.99, 1.2e12, 1e6, 1, 12345678.0
    )
    told = Row("iso", 1, skipped="a reason of many words " * 20 + "x" * 200)
    whole = iso.Evaluation("m", {}, {**result.ann, "energy_nj": 12345678.4}, [], [big, told])
    lines = str(whole).splitlines()
    assert all(len(line) <= 80 for line in lines)
    row = next(line for line in lines if line.startswith("spikeconverter"))
    assert row.split() == [
        "spikeconverter", "512", "9728", "100.00", "100.00", "99999.99", "1200000.0M", "12345678"
    ]  # fmt: skip


def test_rows_of_another_network_say_so(result):
    other = iso.evaluate(quantised(), TEST, 4, "nq", IMAGES, name="zoo:fashion-nq")
    whole = iso.evaluate(plain(), TEST, 4, "opi", IMAGES, name="zoo:fashion-relu")
    whole.join(other)
    lines = str(whole).splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("ann of zoo:fashion-nq"))
    assert lines[place].endswith(f"{100 * other.ann['accuracy']:.2f}")
    assert lines[place + 1].startswith("nq ")
    assert whole.row("nq", 4).network == "zoo:fashion-nq"
    assert all(len(line) <= 80 for line in lines)
    assert set(whole.settings) == {"opi", "nq"}


def until(monkeypatch, calls):
    """Ctrl-C in place of run number `calls`."""
    whole, made = SpikingNetwork.run, []

    def run(self, *args, **options):
        if len(made) == calls:
            raise KeyboardInterrupt
        made.append(1)
        return whole(self, *args, **options)

    monkeypatch.setattr(SpikingNetwork, "run", run)


@pytest.mark.parametrize(("calls", "rows"), [(0, 0), (1, 1), (3, 1), (4, 2), (5, 2)])
def test_an_interruption_leaves_with_the_rows_of_the_images_so_far(monkeypatch, calls, rows):
    monkeypatch.setattr(pieces, "SIZE", 10)  # 24 images are three batches
    model, recipes = plain(), ["iso"]
    whole = iso.evaluate(model, TEST, [2, 8], recipes, images(32, seed=7)).rows
    with monkeypatch.context() as patch:
        until(patch, calls)
        with pytest.raises(Interrupted) as stop:
            iso.evaluate(model, TEST, [2, 8], recipes, images(32, seed=7))
    found = stop.value.found
    assert found.interrupted
    assert len(found.rows) == rows
    assert "interrupted, not all was run" in str(found)
    if calls % 3 == 0:
        assert found.rows == whole[:rows]
        return
    n = 10 * (calls % 3)
    part = iso.evaluate(model, TEST.take(n), [2, 8], recipes, images(32, seed=7)).rows[rows - 1]
    assert found.rows[-1].notes == [f"interrupted: the first {n} images"]
    assert replace(found.rows[-1], notes=[], ann_accuracy=None) == replace(part, ann_accuracy=None)
    assert f"the first {n} images" in str(found)


def test_ctrl_c_during_the_conversion_leaves_too(monkeypatch):
    monkeypatch.setattr(
        "isospike.rows.convert", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(Interrupted) as stop:
        iso.evaluate(plain(), TEST, [2], ["opi"], images(32, seed=7))
    assert stop.value.found.rows == []


def test_no_batch_is_counted_by_half(monkeypatch):
    """Ctrl-C between the sums of a batch: nothing that could be told would be right."""
    monkeypatch.setattr(Run, "tally", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    snn = converted("opi")
    with pytest.raises(KeyboardInterrupt) as stop:
        measure(snn, [(IMAGES, LABELS)] * 2, [8])
    assert not isinstance(stop.value, Interrupted)
