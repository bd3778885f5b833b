"""The rows of an evaluation against what the engines return."""

import copy

import pytest
import torch

import isospike as iso
from isospike.engine import run
from isospike.graph.graph import execute
from isospike.measure.evaluate import Score, measure
from zoo.tiny import converted, images, labels, plan_for

IMAGES, LABELS = images(12), labels(12)
BATCHES = [(IMAGES, LABELS)]
EXACT = ("spikes_per_neuron", "synops", "accuracy", "agreement", "site_rates", "energy_nj")


def test_a_score_counts():
    score = Score()
    y = torch.tensor([[2.0, 1, 0], [0, 1, 0], [0, 0, 3]])
    ann = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 0, 3]])
    score.add(y[:2], ann[:2], torch.tensor([0, 1]))
    score.add(y[2:], ann[2:], None)
    assert score.n == 3
    assert score.accuracy == 1.0  # of the two images with a label
    assert score.agreement == 2 / 3
    assert score.output_error == pytest.approx((4 / 11) ** 0.5)


def test_a_score_without_labels_has_no_accuracy():
    score = Score()
    score.add(torch.zeros(2, 3), torch.zeros(2, 3), None)
    assert score.accuracy is None
    assert score.output_error == 0.0


@pytest.mark.parametrize("recipe", ["iso", "ic-snn", "spikeconverter"])
def test_a_row_is_what_the_step_loop_counts(recipe):
    snn = converted(recipe)
    (row,) = measure(snn, BATCHES, [8])
    slow = run(snn.program, IMAGES, 8, engine="steploop")
    spikes = sum(int(at[8].sum()) for at in slow.counts.values())
    assert row.spikes_per_neuron == spikes / 12 / (4 * 64 + 4 * 16)
    for site, at in slow.counts.items():
        assert row.site_rates[site] == int(at[8].sum()) / (12 * at[8].numel() * 8)
    answers = slow.outputs[8].argmax(1)
    assert row.accuracy == float((answers == LABELS).double().mean())
    assert row.latency == snn.latency


@pytest.mark.parametrize("recipe", ["iso", "ic-snn", "spikeconverter", "rmp"])
def test_batches_add_up_in_any_order(recipe):
    snn = converted(recipe)
    whole = measure(snn, BATCHES, [8])[0]
    parts = [(IMAGES[i : i + n], LABELS[i : i + n]) for i, n in ((7, 5), (0, 1), (1, 6))]
    split = measure(snn, parts, [8])[0]
    for name in EXACT:
        assert getattr(split, name) == getattr(whole, name), name
    assert split.output_error == pytest.approx(whole.output_error, rel=1e-4)


@pytest.mark.parametrize("k", [1.0, 1.5, 2.0])
def test_the_closed_form_reports_the_spikes_of_its_trains(k):
    snn = iso.convert(plan_for(iso.recipe("spikeconverter", {"schedule.k": k})), IMAGES, 6)
    closed, slow = copy.copy(snn), copy.copy(snn)
    closed.engine, slow.engine = "closed", "steploop"
    one, other = (measure(each, BATCHES, [3, 6]) for each in (closed, slow))
    for ours, theirs in zip(one, other, strict=True):
        for name in EXACT:
            assert getattr(ours, name) == getattr(theirs, name), name


def test_a_curve_is_read_in_one_pass_or_in_one_run_for_each():
    curve = measure(converted("iso"), BATCHES, [2, 4, 8])
    for row in curve:
        alone = measure(converted("iso"), BATCHES, [row.steps])[0]
        assert row.accuracy == alone.accuracy
        assert row.spikes_per_neuron == alone.spikes_per_neuron
    assert [row.spikes_per_neuron for row in curve] == sorted(r.spikes_per_neuron for r in curve)


def test_extra_steps_and_the_capped_grid_are_told():
    plain, beyond = (measure(converted("spikeconverter"), BATCHES, [t])[0] for t in (52, 64))
    assert plain.notes == []
    assert "grid capped: float64 tells 52 steps apart at k=2" in beyond.notes[0]
    assert beyond.latency == 3 * 64
    extra = iso.convert(plan_for(iso.recipe("spikeconverter", {"schedule.extra": 3})), IMAGES, 4)
    row = measure(extra, BATCHES, [4])[0]
    assert (row.extra_steps, row.latency) == (3, 3 * 7)


def test_labels_beyond_the_outputs_are_refused():
    with pytest.raises(iso.DataError, match="label 3, but the network has 3 outputs"):
        measure(converted(), [(IMAGES, LABELS + 1)], [2])


def test_agreement_is_with_the_source_kept_in_the_file():
    snn = converted("spikeconverter")
    (row,) = measure(snn, [(IMAGES, None)], [8])
    ann = execute(snn.program.source, IMAGES)
    assert row.agreement == float((snn(IMAGES).argmax(1) == ann.argmax(1)).double().mean())
    assert row.accuracy is None
    error = (snn(IMAGES) - ann).norm() / ann.norm()
    assert row.output_error == pytest.approx(float(error), rel=1e-4)
