"""A bias that makes the mean of every channel right."""

import pytest
import torch

from common.sites import noisy_site, with_unit
from isospike.fit.bias import BiasMatch, HalfShift, channel_mean
from isospike.units.radix import Radix, RadixCode


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_channel_means_meet(rank):
    site = noisy_site(rank)
    before = channel_mean(site.activation - site.rate(site.unit)).abs().max()
    BiasMatch(passes=12).fit(site)
    after = channel_mean(site.activation - site.rate(site.unit)).abs().max()
    assert before > 0.1
    assert after < 1e-3  # measured 2e-4
    assert site.unit.bias.shape == (3, *[1] * (rank - 1))


def test_each_pass_adds_the_gap_that_is_left():
    one, two = noisy_site(3), noisy_site(3)
    gap = channel_mean(one.activation - one.rate(one.unit))
    BiasMatch(passes=1).fit(one)
    assert torch.equal(one.unit.bias, gap)
    BiasMatch(passes=2).fit(two)
    assert torch.equal(two.unit.bias, gap + channel_mean(one.activation - one.rate(one.unit)))


def test_no_pass_is_no_bias():
    site = noisy_site(1)
    BiasMatch(passes=0).fit(site)
    assert site.unit.bias is None


def test_the_mean_of_a_separated_neuron_meets_too():
    site = noisy_site(3, steps=1)
    site.steps = 6
    site.unit = Radix(torch.tensor(1.5), torch.tensor(0.5), RadixCode(2.0))
    BiasMatch(passes=12).fit(site)
    assert channel_mean(site.activation - site.rate(site.unit)).abs().max() < 1e-3


def test_a_dead_channel_stays_silent():
    site = noisy_site(3)
    site.target[:, 1] = -5.0
    drive = site.drive
    drive[:, :, 1] = -5.0
    BiasMatch(passes=3).fit(site)
    assert site.unit.bias.isfinite().all()
    assert site.rate(site.unit)[:, 1].sum() == 0


def test_half_a_spike_over_all_steps():
    """theta / 2T at every step is v(0) = 1/2 at step T."""
    site = with_unit(noisy_site(1), torch.tensor([1.0, 2.0, 4.0]), v0=0.0)
    HalfShift().fit(site)
    assert site.unit.bias.tolist() == [1 / 16, 2 / 16, 4 / 16]
    z = torch.linspace(-1, 4, 41)[:, None]
    half = with_unit(site, site.unit.theta).unit
    assert torch.equal(site.unit.dual(z, 8), half.dual(z, 8))


def test_the_shift_comes_on_top_of_a_matched_bias():
    site = noisy_site(3)
    BiasMatch(passes=1).fit(site)
    matched = site.unit.bias.clone()
    HalfShift().fit(site)
    assert torch.equal(site.unit.bias, matched + site.unit.theta / 16)


def test_channels_of_every_rank():
    x = torch.arange(24.0).reshape(2, 3, 4)
    assert channel_mean(x).tolist() == [[7.5], [11.5], [15.5]]
    assert channel_mean(x[:, :, 0]).tolist() == [6, 10, 14]
