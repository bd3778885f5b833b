"""The search finds, for each channel, what trying every neuron by hand finds."""

from dataclasses import replace

import pytest
import torch

import isospike as iso
from common.sites import noisy_site
from isospike.fit.bias import channel_mean
from isospike.fit.neuron_search import POTENTIALS, THETAS, NeuronSearch, best
from isospike.units.binary import IF


def loss(site, unit):
    return channel_mean((site.activation - site.rate(unit)).square())


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_no_candidate_is_better_in_any_channel(rank):
    site = noisy_site(rank)
    start = site.unit
    NeuronSearch().fit(site)
    found = loss(site, site.unit)
    shape = site.unit.theta.shape
    assert shape == (3, *[1] * (rank - 1))
    for factor in THETAS:  # the thresholds were compared at the potential of the start
        theta = (start.theta * factor).expand(shape)
        trial = IF(theta, torch.full(shape, 0.5))
        trial = replace(trial, bias=channel_mean(site.activation - site.rate(trial)))
        assert (found <= loss(site, trial) + 1e-9).all()
    for potential in POTENTIALS:
        trial = IF(site.unit.theta, torch.full(shape, potential))
        trial = replace(trial, bias=channel_mean(site.activation - site.rate(trial)))
        assert (found <= loss(site, trial) + 1e-9).all()


def test_channels_are_searched_each_for_itself():
    site = noisy_site(1)
    site.drive[:, :, 1] = site.target[:, 1]  # one channel gets an even drive
    together = best(trials(3), site.drive, site.activation, site.steps)
    for channel in range(3):
        one = slice(channel, channel + 1)
        alone = best(trials(1), site.drive[:, :, one], site.activation[:, one], site.steps)
        assert torch.equal(together.v0[one], alone.v0)
        assert torch.allclose(together.bias[one], alone.bias)
    assert len(together.v0.unique()) > 1


def trials(channels: int) -> list[IF]:
    return [IF(torch.ones(channels), torch.full((channels,), v)) for v in POTENTIALS]


def test_the_rows_bound_what_is_read():
    site, same = noisy_site(3), noisy_site(3)
    NeuronSearch(rows=16 * 50).fit(site)
    same.target[50:] = 1e6  # images behind the bound
    same.drive[:, 50:] = -1e6
    NeuronSearch(rows=16 * 50).fit(same)
    assert torch.equal(site.unit.theta, same.unit.theta)
    assert torch.equal(site.unit.v0, same.unit.v0)


def test_a_separated_network_has_nothing_to_search():
    with pytest.raises(iso.UsageError, match="separated network has no drive of one step"):
        replace(iso.recipe("iso"), schedule=iso.recipe("spikeconverter").schedule)
