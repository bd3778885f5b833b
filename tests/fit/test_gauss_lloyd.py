"""The threshold iteration against the paper's own equation, and against what it solves."""

import math

import pytest
import torch
from torch import nn

import isospike as iso
from isospike.fit.gauss_lloyd import ratio
from zoo.tiny import images, plain

SETTINGS = {"threshold": "gauss-lloyd"}


def papers(mu: float, sigma: float, theta: float, n: int) -> float:
    """k = [(mu / theta)(1 - mean erf_i) + sigma / (theta sqrt(pi / 2)) mean e_i]
    / [1 - sum((2 i - 1) / n^2 erf_i)], where sum((2 i - 1) / n^2) = 1 and erfc = 1 - erf keeps its
    digits far above the mean."""
    c = [(2 * i - 1) * theta / (2 * n) for i in range(1, n + 1)]
    tails = [math.erfc((each - mu) / (math.sqrt(2) * sigma)) for each in c]
    peaks = [math.exp(-((each - mu) ** 2) / (2 * sigma**2)) for each in c]
    first = mu / theta * sum(tails) / n
    second = sigma / (theta * math.sqrt(math.pi / 2)) * sum(peaks) / n
    return (first + second) / sum((2 * i + 1) / n**2 * tail for i, tail in enumerate(tails))


@pytest.mark.parametrize("n", [1, 8, 64])
@pytest.mark.parametrize(("mu", "sigma"), [(0.0, 1.0), (-1.0, 0.5), (0.7, 0.1), (-2.0, 3.0)])
@pytest.mark.parametrize("theta", [0.3, 1.0, 4.0])
def test_the_ratio_is_the_papers(mu, sigma, theta, n):
    wide = (torch.tensor([each], dtype=torch.float64) for each in (theta, mu, sigma))
    assert float(ratio(*wide, n)) == pytest.approx(papers(mu, sigma, theta, n), rel=1e-6)


def test_the_ratio_is_the_least_squares_scale_of_the_quantiser():
    """k = E[z q] / E[q^2] over the Gaussian, by the sum over a fine grid."""
    theta, mu, sigma, n = 2.0, 0.3, 0.8, 16
    z = torch.linspace(mu - 9 * sigma, mu + 9 * sigma, 2_000_001, dtype=torch.float64)
    weight = torch.exp(-((z - mu) / sigma).square() / 2)
    q = (z * n / theta + 0.5).floor().clamp(0, n) * theta / n
    expected = (z * q * weight).sum() / (q * q * weight).sum()
    wide = (torch.tensor([each], dtype=torch.float64) for each in (theta, mu, sigma))
    assert float(ratio(*wide, n)) == pytest.approx(float(expected), rel=1e-5)


@torch.no_grad()
def moments(model: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    z = model.bn1(model.conv1(x)).transpose(0, 1).flatten(1).double()
    return z.mean(1), z.std(1, correction=0)


def test_the_threshold_of_each_channel_is_a_hundred_of_the_papers_steps():
    model, x = plain(), images(48)
    snn = iso.convert(model, x, 8, "differential", settings=SETTINGS)
    found = next(iter(snn.program.units.values())).theta
    assert found.shape == (4, 1, 1)
    for theta, mu, sigma in zip(found.flatten(), *moments(model, x), strict=True):
        expected = 1.0
        for _ in range(100):
            expected *= papers(float(mu), float(sigma), expected, 64)
        assert float(theta) == pytest.approx(expected, rel=1e-4)


def test_many_rounds_end_where_the_scale_is_right():
    model, x = plain(), images(48)
    settings = {**SETTINGS, "threshold.parts": 4, "threshold.rounds": 1000}
    snn = iso.convert(model, x, 8, "differential", settings=settings)
    theta = next(iter(snn.program.units.values())).theta.flatten().double()
    assert (ratio(theta, *moments(model, x), 4) - 1).abs().max() < 1e-4


def test_a_channel_that_is_silent_has_a_threshold():
    model = plain()
    with torch.no_grad():
        model.bn1.bias[0] = -1e4
        model.bn1.weight[1] = 0.0
        model.bn1.bias[1] = 0.0
    snn = iso.convert(model, images(), 8, "differential", settings=SETTINGS)
    for unit in snn.program.units.values():
        assert unit.theta.isfinite().all()
        assert (unit.theta > 0).all()
    assert snn(images()).isfinite().all()
