"""Initial potentials against their definitions."""

from dataclasses import replace

import pytest
import torch

import isospike as iso
from common.sites import site_of, stats_of, with_unit
from isospike.errors import UsageError
from isospike.fit.potentials import GRID, Both, Constant, FromANN, FromShift, FromTrainingSet


def activations(seed: int = 0) -> torch.Tensor:
    """Peaked at zero, as those of real networks."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(400, 3, generator=generator) ** 3 * torch.tensor([1.0, 2.0, 3.0])


def ann_site(theta=1.5, steps: int = 4):
    return with_unit(site_of(stats_of(activations()), steps), theta)


def driven_site(steps: int = 8, spread: float = 0.5):
    generator = torch.Generator().manual_seed(1)
    target = torch.randn(300, 3, generator=generator)
    drive = target + spread * torch.randn(steps, 300, 3, generator=generator)
    site = site_of(stats_of(target.relu()), steps)
    site.target, site.current = target, lambda: drive
    return with_unit(site, 1.5)


def test_constant_is_what_it_says():
    site = ann_site()
    Constant(0.25).refine(site)
    assert Constant(0.25).initial(site.node) == 0.25
    assert site.unit.v0 == 0.5  # set when the unit was made


@pytest.mark.parametrize(
    ("attrs", "expected"),
    [({"levels": 4, "shift": 0.25}, 0.25), ({"levels": 0, "shift": 0.5}, 0.0), ({}, 0.0)],
)
def test_the_shift_is_the_one_of_the_source(attrs, expected):
    """From the beginning, so that a threshold is searched with it."""
    assert FromShift().initial(replace(ann_site().node, attrs=attrs)) == expected


def test_a_threshold_is_searched_with_the_shift_of_the_source():
    x = torch.rand(16, 3, generator=torch.Generator().manual_seed(0))
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), iso.ClipQuant(0.4, levels=4, shift=0.0))
    with torch.no_grad():
        model[0].weight.copy_(torch.linspace(0, 1, 15).reshape(5, 3))
        model[0].bias.zero_()
    thetas = []
    for potential in ("shift", "zero", "half"):
        chosen = iso.recipe("qcfs", {"threshold": "mmse", "potential": potential})
        (unit,) = iso.convert(model, x, 4, chosen).program.units.values()
        thetas.append(unit.theta)
    assert torch.equal(thetas[0], thetas[1])
    assert not torch.equal(thetas[0], thetas[2])


@pytest.mark.parametrize("cap", [1, 3])
@pytest.mark.parametrize("theta", [torch.tensor(1.5), torch.tensor([0.5, 1.5, 3.0])])
@pytest.mark.parametrize("steps", [2, 4, 16])
def test_the_least_squared_error_of_the_transfer(theta, steps, cap):
    """Over the activations below the largest output, by brute force over the grid of 101 values."""
    site = ann_site(theta / cap, steps)
    site.unit = replace(site.unit, cap=cap)
    FromANN("mse").refine(site)
    centres, counts = site.stats.centres, site.stats.counts.double()
    limit, small = theta.reshape(-1, 1), theta.reshape(-1, 1) / cap
    inside = counts * (centres < limit)
    losses = []
    for number in range(GRID):
        unit = replace(with_unit(site, small, number / (GRID - 1)).unit, cap=cap)
        gap = (unit.dual(centres, steps) - centres) / limit
        losses.append(float((gap.double().square() * inside).sum()))
    best = losses.index(min(losses)) / (GRID - 1)
    assert float(site.unit.v0) == pytest.approx(best, abs=0.011)


def test_the_mean_remainder():
    site = ann_site(1.5, 4)
    FromANN("mean").refine(site)
    a = activations()
    a = a[(a > 0) & (a < 1.5)]
    expected = float((4 * a / 1.5).frac().mean())
    assert float(site.unit.v0) == pytest.approx(expected, abs=2e-3)


def test_half_is_half():
    site = with_unit(ann_site(), 1.5, v0=0.0)
    FromANN("half").refine(site)
    assert site.unit.v0 == 0.5


@pytest.mark.parametrize("reading", ["mse", "mean", "half"])
def test_a_site_without_activity_gets_a_half(reading):
    site = with_unit(site_of(stats_of(activations())), 1.5, v0=0.0)
    site.stats.counts.zero_()
    FromANN(reading).refine(site)
    assert site.unit.v0 == 0.5


def test_the_running_mean_over_active_neurons():
    """Two rounds of three batches; every batch is simulated from the mean so far."""
    part, site = FromTrainingSet("active", rounds=2, batch=100), driven_site()
    part.refine(site)
    mean, residuals = 0.5, []
    for _ in range(2):
        for drive in driven_site().drive.split(100, 1):
            v, counts = torch.full((100, 3), mean), torch.zeros(100, 3)
            for z in drive:
                v = v + z / 1.5
                counts += v >= 1
                v = v - (v >= 1).float()
            active = (counts > 0) & (counts < 8)
            residuals.append(float(v[active].mean().clamp(0, 1)))
            mean = sum(residuals) / len(residuals)
    assert float(site.unit.v0) == pytest.approx(mean, abs=1e-5)


def test_the_gap_form_matches_the_means():
    site = driven_site()
    gap = (site.activation - site.rate(site.unit)) / 1.5
    expected = float((0.5 + 8 * gap.mean()).clamp(0, 1))
    FromTrainingSet("gap").refine(site)
    assert float(site.unit.v0) == pytest.approx(expected)


def test_silent_neurons_do_not_count():
    """All drives below zero: no active neuron, and the start stays."""
    site = driven_site()
    site.current = lambda: torch.full((8, 300, 3), -1.0)
    FromTrainingSet("active", start=0.5).refine(site)
    assert site.unit.v0 == 0.5


def test_both_begin_with_the_first():
    one, two = driven_site(), driven_site()
    Both("mean", "active", rounds=1).refine(one)
    FromANN("mean").refine(two)
    FromTrainingSet("active", rounds=1).refine(two)
    assert one.unit.v0 == two.unit.v0


@pytest.mark.parametrize(("part", "words"), [
    (FromANN("median"), "half, mse or mean"), (FromTrainingSet("mean"), "active or gap"),
])  # fmt: skip
def test_unknown_readings_are_refused(part, words):
    with pytest.raises(UsageError, match=words):
        part.refine(driven_site())
