"""Thresholds against brute force."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.sites import clip_node, noisy_site, site_of, stats_of
from isospike.errors import UsageError
from isospike.fit.observe import BINS
from isospike.fit.thresholds import (
    MMSE,
    FromActivation,
    LocalBalance,
    Max,
    NeuronMax,
    Percentile,
    SpikeMax,
)
from isospike.units.binary import IF
from isospike.units.radix import Radix, RadixCode

grains = pytest.mark.parametrize("grain", ["layer", "channel"])


def values(seed: int, count: int = 200) -> torch.Tensor:
    """Activations [N, 3] as ReLU gives them: about half are zero, scales differ by channel."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, generator=generator).relu() * torch.tensor([1.0, 0.25, 4.0])


@grains
@given(seed=st.integers(0, 100))
def test_percentile_100_is_the_maximum(grain, seed):
    a = values(seed)
    site = site_of(stats_of(a))
    expected = a.max() if grain == "layer" else a.amax(0)
    assert torch.equal(Percentile(100.0, grain=grain).estimate(site), expected)
    assert torch.equal(Max(grain=grain).estimate(site), expected)


@grains
@pytest.mark.parametrize("nonzero", [True, False])
@given(seed=st.integers(0, 100), p=st.sampled_from([10.0, 50.0, 90.0, 99.0, 99.9]))
def test_a_percentile_is_right_to_one_bin(grain, nonzero, seed, p):
    """The smallest value that p percent do not exceed, rounded up to the end of its bin."""
    a = values(seed)
    found = Percentile(p, nonzero, grain).estimate(site_of(stats_of(a)))
    columns = [a.flatten()] if grain == "layer" else list(a.T)
    for column, theta in zip(columns, found.reshape(-1), strict=True):
        kept = column[column > 0] if nonzero else column
        exact = kept.sort().values[max(-(-len(kept) * p // 100), 1).__int__() - 1]
        if exact == 0:  # zeros make up the percentile: the lowest bin
            assert theta <= a.max() / BINS * 1.001
        else:
            assert exact * (1 - 1e-6) <= theta <= exact + a.max() / BINS * 1.001


@grains
def test_a_higher_percentile_is_no_lower_threshold(grain):
    site = site_of(stats_of(values(1)))
    found = [Percentile(p, grain=grain).estimate(site) for p in (1, 50, 90, 99, 99.9, 100)]
    for low, high in pairwise(found):
        assert (low <= high).all()


@pytest.mark.parametrize("p", [0.0, -1.0, 100.5])
def test_percentiles_that_are_none_are_refused(p):
    with pytest.raises(UsageError, match=r"threshold.p"):
        Percentile(p).estimate(site_of(stats_of(values(1))))


BUILDS = {
    "IF": IF,
    "IF hard": lambda theta, v0: IF(theta, v0, reset="hard"),
    "radix 2": lambda theta, v0: Radix(theta, v0, RadixCode(2.0)),
    "radix 1.25": lambda theta, v0: Radix(theta, v0, RadixCode(1.25)),
}


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
@pytest.mark.parametrize("v0", [0.0, 0.5])
@grains
def test_mmse_is_the_best_of_its_grid_through_the_neuron_s_own_transfer(build, v0, grain):
    part = MMSE(grain=grain)
    site = site_of(stats_of(values(2)), steps=4, v0=v0, build=build)
    found = part.estimate(site)
    tops = [site.stats.maxima.max()] if grain == "layer" else list(site.stats.maxima)
    for index, top in enumerate(tops):
        rows = slice(None) if grain == "layer" else slice(index, index + 1)
        centres, weights = site.stats.centres[rows], site.stats.counts[rows].double()
        losses = {}
        for number in range(31):
            theta = top * (0.1 + number * 0.03)
            unit = build(theta, torch.tensor(v0))
            losses[theta] = float(((unit.dual(centres, 4) - centres).double() ** 2 * weights).sum())
        best = min(losses.values())
        ties = [float(theta) for theta, loss in losses.items() if loss <= best * (1 + 1e-6)]
        assert float(found.reshape(-1)[index]) == pytest.approx(max(ties), rel=1e-5)


def test_mmse_knows_the_steps_and_the_potential():
    stats = stats_of(values(3))
    thetas = {
        (steps, v0): MMSE(grain="layer").estimate(site_of(stats, steps, v0))
        for steps in (2, 32) for v0 in (0.0, 0.5)
    }  # fmt: skip
    assert thetas[2, 0.5] < thetas[32, 0.5]
    assert thetas[2, 0.0] != thetas[2, 0.5]


@pytest.mark.parametrize(
    "part", [Max(), MMSE(), Percentile(grain="channel"), Max("channel"), MMSE("layer")], ids=str
)
def test_dead_channels_get_a_threshold_above_zero(part):
    a = values(4)
    a[:, 1] = 0
    theta = part.estimate(site_of(stats_of(a)))
    assert theta.isfinite().all()
    assert (theta > 0).all()


def test_thresholds_of_a_map_stand_along_its_channels():
    stats = stats_of(values(5), rank=3)
    for part in (Max("channel"), Percentile(grain="channel"), MMSE()):
        assert part.estimate(site_of(stats)).shape == (3, 1, 1)
    assert Max().estimate(site_of(stats)).shape == ()


def test_the_clip_of_the_source_is_taken_as_it_is():
    site = site_of(stats_of(values(6)), node=clip_node(6.0))
    assert FromActivation().estimate(site) == 6.0
    with pytest.raises(UsageError, match="plain ReLU has none"):
        FromActivation().estimate(site_of(stats_of(values(6))))


def test_spike_max_is_the_largest_drive_of_a_step():
    drive = torch.tensor([[[0.5, -3.0]], [[2.5, 1.0]]])
    site = site_of(stats_of(values(7)), current=lambda: drive)
    assert SpikeMax(alpha=0.8).estimate(site) == pytest.approx(2.0)
    silent = site_of(stats_of(values(7)), current=lambda: drive * 0 - 1)
    assert SpikeMax().estimate(silent) > 0


@given(seed=st.integers(0, 100))
def test_local_balance_is_its_update_rule(seed):
    """Against the rule itself, on values in the middle of their bins."""
    site = site_of(stats_of(values(seed)))
    centres, counts = site.stats.centres.double(), site.stats.counts.double()
    expected = torch.zeros(3, dtype=torch.float64)
    for _ in range(7):
        over = (centres - expected[:, None]).relu() * counts
        expected += 2 * over.sum(1) / site.stats.values
    torch.testing.assert_close(LocalBalance(rounds=7).estimate(site).double(), expected)
    assert (LocalBalance().estimate(site) <= site.stats.maxima).all()


def test_every_neuron_its_own_maximum():
    site = noisy_site(3)
    site.target[:, 0, 0, 0] = -1.0
    peaks = site.activation.amax(0)
    site.stats = replace(site.stats, peaks=peaks)
    theta = NeuronMax().estimate(site)
    assert theta.shape == (3, 4, 4)
    assert theta[0, 0, 0] == site.stats.maxima.max()
    assert torch.equal(theta.flatten()[1:], peaks.flatten()[1:])
