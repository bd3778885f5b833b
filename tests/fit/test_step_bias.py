"""A bias of each step brings the mean of each step to the activation."""

import pytest
import torch

from common.sites import noisy_site
from isospike.fit.bias import channel_mean
from isospike.fit.step_bias import StepBias


def errors(site) -> torch.Tensor:
    """Mean of (a - theta s(t)) of every step and channel [T, C, ...]."""
    spikes, _ = site.unit.scan(site.drive, None)
    return torch.stack([channel_mean(site.activation - s * site.unit.theta) for s in spikes])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_step_comes_nearer(rank):
    site = noisy_site(rank)
    before = errors(site).abs()
    StepBias(passes=6).fit(site)
    after = errors(site).abs()
    assert after.mean() < 0.3 * before.mean()
    assert (after <= before + 0.02).all()
    assert site.unit.drift.shape == (8, 3, *[1] * (rank - 1))
    assert site.unit.bias is None


def test_the_first_correction_is_alpha_of_the_first_error():
    site = noisy_site(3)
    first = errors(site)[0]
    StepBias(alpha=0.25, passes=1).fit(site)
    assert torch.equal(site.unit.drift[0], 0.25 * first)


def test_no_pass_is_no_correction():
    site = noisy_site(1)
    StepBias(passes=0).fit(site)
    assert not site.unit.drift.any()
