"""Saturated neurons: counted as in the activations themselves, told where they are many."""

import pytest
import torch

import isospike as iso
from isospike.convert import statistics
from isospike.fit.saturation import FAR, saturated
from isospike.graph.graph import execute
from zoo.tiny import images, plan_for

IMAGES = images()


@pytest.fixture(scope="module")
def plan():
    chosen = plan_for("opi")
    statistics(chosen, IMAGES)
    return chosen


@pytest.mark.parametrize("shape", [(), (4, 1, 1), (4, 8, 8)], ids=["layer", "channel", "neuron"])
def test_the_share_is_that_of_the_activations(plan, shape):
    kept = {}
    execute(plan.graph, IMAGES, watch=lambda node, value: kept.update({node.name: value}))
    site = plan.graph.sites[0].name
    a, stats = kept[site], plan.fitted["stats"][site]
    top = torch.full(shape, float(a.max()) / 8)
    found = saturated(top, stats)
    assert found == pytest.approx(float((a > FAR * top).float().mean()), abs=2e-3)  # one bin
    assert 0.05 < found < 0.95
    assert saturated(a.max(), stats) == 0


def test_a_threshold_far_too_low_is_told_with_its_place(plan):
    low = iso.recipe("opi", {"threshold": "percentile", "threshold.p": 2.0})
    with pytest.warns(
        UserWarning, match=r"\d\d% at act1 \(.*\), \d\d% at act2 \(tiny.py.*\). Raise"
    ):
        iso.convert(plan_for(low), IMAGES, 4)
