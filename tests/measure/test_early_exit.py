"""Early exit: each sample's answer is the run's at the step where it left, no earlier, no later."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import isospike as iso
from common.nets import images, network, program
from isospike.engine import run
from isospike.measure.early_exit import early_exit
from isospike.network import SpikingNetwork
from zoo.tiny import converted
from zoo.tiny import images as pictures

READINGS = [1, 2, 4, 7, 12]


@given(st.integers(0, 20), st.sampled_from([0.3, 0.4, 0.5, 0.7, 0.9, 1.0]))
def test_a_sample_leaves_at_the_first_reading_that_is_sure(seed, confidence):
    p, x = program(network(["layer", "residual", "layer"], seed)), images(12, seed=seed)
    whole = run(p, x, READINGS, engine="steploop")
    left = early_exit(SpikingNetwork(p, 12), x, confidence, READINGS)
    sure = torch.stack([whole.outputs[t].softmax(1).amax(1) >= confidence for t in READINGS])
    sure[-1] = True
    first = sure.int().argmax(0)
    assert left.steps.tolist() == [READINGS[i] for i in first]
    for row, t in enumerate(left.steps.tolist()):
        assert torch.equal(left.outputs[row], whole.outputs[t][row])
    alone = [run(p, x[i : i + 1], [t]).counts for i, t in enumerate(left.steps.tolist())]
    for site, spikes in left.counts.items():
        expected = sum(c[site][t] for c, t in zip(alone, left.steps.tolist(), strict=True))
        assert torch.equal(spikes, expected)


def test_the_row_has_mean_latency_and_less_work():
    snn = converted("iso")
    x = pictures(40)
    labels = torch.arange(40) % 2
    usual = float(snn.run(x, [4]).outputs[4].softmax(1).amax(1).median())
    found = iso.evaluate(snn, [(x, labels)], [2, 4, 8], confidence=[usual, 1.0])
    full = found.row(snn.recipe, 8)
    early, late = found.row(f"{snn.recipe} exit {usual:g}", 8), found.row(f"{snn.recipe} exit 1", 8)
    assert 2 <= early.latency < 8
    assert early.synops < full.synops
    assert late.latency == 8
    assert (late.accuracy, late.synops, late.macs) == (full.accuracy, full.synops, full.macs)
    assert "iso exit 1" in str(found)


def test_refusals():
    p, x = program(network(["layer"])), images(2)
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(iso.UsageError, match="confidence is a share"):
            early_exit(SpikingNetwork(p, 4), x, wrong)
    snn = converted("spikeconverter")
    told = iso.evaluate(snn, [(pictures(4), torch.zeros(4).long())], [4], confidence=[0.9])
    assert "synchronous recipe" in told.rows[-1].skipped
