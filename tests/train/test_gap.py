"""The residual per site: whole-number counts that add up, and the fit that NQ takes its noise from."""

import math
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant
from isospike.errors import DataError, UsageError
from isospike.program import Program
from isospike.train.gap import Gap, gaps
from isospike.train.nq import residual_noise
from isospike.train.validate import spiking
from zoo.tiny import images, settled


@cache
def known(levels: int | None = 4) -> tuple[nn.Module, Program]:
    model = net(levels)
    program = spiking(model, images(4))
    assert program is not None
    return model, program


def measured(x: Tensor, steps: int, batch: int = 100, levels: int | None = 4) -> dict[str, Gap]:
    model, program = known(levels)
    return gaps(model, x, steps, batch, program)


def net(levels: int | None = 4) -> nn.Module:
    torch.manual_seed(0)
    return settled(nn.Sequential(
        nn.Conv2d(2, 4, 3), ClipQuant(2.0, levels), nn.Conv2d(4, 4, 3), ClipQuant(1.5, levels),
        nn.Flatten(), nn.Linear(64, 5),
    ))  # fmt: skip


@pytest.mark.parametrize("steps", [1, 3, 4, 33])
@pytest.mark.parametrize("levels", [4, None])
def test_every_value_is_counted_once(steps, levels):
    for path, size in (("1", 4 * 36), ("3", 4 * 16)):
        gap = measured(images(20), steps, levels=levels)[path]
        assert gap.counts.dtype == torch.int64
        assert gap.n == 20 * size
        assert len(gap.bins) == len(gap.counts)


def test_two_halves_are_the_whole():
    x = images(20)
    for path, whole in measured(x, 3).items():
        halves = [measured(part, 3)[path] for part in x.split(10)]
        both = halves[0] + halves[1]
        assert torch.equal(both.counts, whole.counts)
        for name in ("mean", "std", "kurtosis"):
            assert getattr(both, name) == pytest.approx(getattr(whole, name), rel=1e-9)
        assert both.sigma == pytest.approx(measured(x, 3, batch=10)[path].sigma, rel=1e-9)


@pytest.mark.parametrize("batch", [20, 8])
@pytest.mark.parametrize("steps", [1, 3, 8])
def test_sigma_is_the_noise_of_nq(steps, batch):
    (model, program), x = known(), images(20)
    noise = residual_noise(model, x, steps, batch, program=program)
    found = measured(x, steps, batch)
    assert set(found) == set(noise)
    for path, (sigma, _) in noise.items():
        assert found[path].sigma == pytest.approx(float(sigma), rel=1e-5)


def test_the_first_layer_has_no_gap_where_the_steps_are_the_levels():
    """Constant drive: IF with v(0) = 1/2 over L steps is QCFS."""
    first, second = gaps(net(), images(20), 4).values()
    assert int(first.counts[first.grid]) == first.n
    assert first.sigma < 1e-6
    assert math.isnan(first.kurtosis)
    assert int(second.counts[second.grid]) < second.n
    assert second.sigma > 1e-3


@pytest.mark.parametrize("steps", [2, 3, 8])
def test_the_grid_holds_every_value_so_the_moments_follow_from_the_counts(steps):
    for gap in measured(images(20), steps).values():
        share = gap.counts / gap.n
        mean = float((share * gap.bins).sum())
        central = [float((share * (gap.bins - mean) ** k).sum()) for k in (2, 4)]
        assert gap.mean == pytest.approx(mean, abs=1e-6)
        assert gap.std == pytest.approx(central[0] ** 0.5, rel=1e-4)
        assert gap.kurtosis == pytest.approx(central[1] / central[0] ** 2 - 3, rel=1e-3)


def test_a_gaussian_has_no_excess_and_is_its_own_fit():
    torch.manual_seed(0)
    r = 0.02 + 0.1 * torch.randn(1_000_000, dtype=torch.float64)
    counts = (r * 32).round().long().clamp(-32, 32).add(32).bincount(minlength=65)
    powers = torch.stack([r.pow(k).sum() for k in (1, 2, 3, 4)])
    gap = Gap(2.0, counts, powers, float(r.var()))
    assert gap.sigma == pytest.approx(0.2, rel=0.01)
    assert abs(gap.kurtosis) < 5 * (24 / gap.n) ** 0.5
    assert float((gap.fit(gap.bins) - counts / gap.n).abs().max()) < 2e-3
    assert float(gap.fit(gap.bins).sum()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("model", "x", "steps", "batch", "error"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(128, 2)), images(4), 2, 9, UsageError),
        (net(), images(4), 0, 9, UsageError),
        (net(), images(4), 2, 0, UsageError),
        (net(), images(4)[:0], 2, 9, DataError),
    ],
)
def test_what_cannot_be_measured_is_refused(model, x, steps, batch, error):
    with pytest.raises(error):
        gaps(model, x, steps, batch)
