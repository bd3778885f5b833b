"""Theorem 1 of NQ (Huang et al. 2024): z uniform on [0, theta], v(0) = theta / 2, constant drive:
E[phi(T) - a] = 0 for any T and L, with and without noise in a; not so from v(0) = 0."""

import pytest
import torch

from isospike.activations import ClipQuant
from isospike.units.binary import IF

THETA, COUNT = 2.0, 200_000
PAIRS = [(1, 4), (2, 4), (4, 8), (8, 4), (16, 4), (3, 5), (5, 3)]  # (T, L)


def gap(steps, levels, v0, sigma):
    """phi(T) - a(z), [COUNT], phi from a simulation step by step."""
    torch.manual_seed(steps * 100 + levels)
    z = torch.rand(COUNT) * THETA
    a = ClipQuant(THETA, levels, sigma=sigma).train()(z).detach()
    unit = IF(torch.tensor(THETA), torch.tensor(v0))
    spikes, _ = unit.scan(z.expand(steps, -1), None)
    return spikes.mean(0) * THETA - a


def score(error):
    """The mean in standard errors."""
    return float(error.mean() / (error.std() / len(error) ** 0.5))


@pytest.mark.parametrize("sigma", [0.0, 0.3])
@pytest.mark.parametrize(("steps", "levels"), PAIRS)
def test_the_expected_error_is_zero_from_half_a_threshold(steps, levels, sigma):
    error = gap(steps, levels, 0.5, sigma)
    assert error.std() > 0.01  # T != L: each value is off
    assert abs(score(error)) < 4


@pytest.mark.parametrize("sigma", [0.0, 0.3])
@pytest.mark.parametrize(("steps", "levels"), PAIRS)
def test_it_is_minus_half_a_spike_from_an_empty_membrane(steps, levels, sigma):
    error = gap(steps, levels, 0.0, sigma)
    assert score(error) < -20
    assert float(error.mean()) == pytest.approx(-THETA / (2 * steps), abs=0.01)
