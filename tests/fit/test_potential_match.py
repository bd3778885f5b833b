"""Potentials that make the mean output right, neuron by neuron or channel by channel."""

import pytest
import torch

from common.sites import noisy_site
from isospike.fit.bias import channel_mean
from isospike.fit.potential_match import PotentialMatch


@pytest.mark.parametrize(("each", "shape"), [("neuron", (3, 4, 4)), ("channel", (3, 1, 1))])
def test_the_means_come_nearer(each, shape):
    site = noisy_site(3)
    part = PotentialMatch(each, passes=3)
    before = part.mean(site.activation - site.rate(site.unit)).abs().mean()
    part.fit(site)
    after = part.mean(site.activation - site.rate(site.unit)).abs().mean()
    assert after < 0.5 * before
    assert site.unit.v0.shape == shape
    assert part.hardware_class == ("H1" if each == "neuron" else "H0")


def test_one_pass_adds_the_gap_times_the_steps():
    site = noisy_site(3)
    gap = channel_mean(site.activation - site.rate(site.unit)) / site.unit.theta
    PotentialMatch("channel").fit(site)
    assert torch.equal(site.unit.v0, 0.5 + 8 * gap)
