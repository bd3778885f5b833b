"""IF: numbers by hand, and precision that a narrow type would lose."""

import pytest
import torch

from common.units import BINARY
from isospike.units.binary import IF


def test_soft_reset_by_hand():
    """theta 2, v(0) 1/2: v = 1.1, 0.7, 1.3, 0.9 before the resets."""
    spikes, v = IF(torch.tensor(2.0), torch.tensor(0.5)).scan(torch.full((4, 1), 1.2), None)
    assert spikes.flatten().tolist() == [1.0, 0.0, 1.0, 0.0]
    assert v.item() == pytest.approx(0.9)


def test_hard_reset_by_hand():
    """theta 2, v(0) 1/2: v = 1.1 -> 0, 0.6, 1.2 -> 0, 0.6."""
    unit = IF(torch.tensor(2.0), torch.tensor(0.5), reset="hard")
    spikes, v = unit.scan(torch.full((4, 1), 1.2), None)
    assert spikes.flatten().tolist() == [1.0, 0.0, 1.0, 0.0]
    assert v.item() == pytest.approx(0.6)


def test_numbers_of_a_channel_act_on_that_channel():
    theta = torch.tensor([1.0, 2.0]).reshape(2, 1, 1)
    v0 = torch.tensor([0.0, 0.5]).reshape(2, 1, 1)
    bias = torch.tensor([0.0, 1.0]).reshape(2, 1, 1)
    spikes, v = IF(theta, v0, bias).scan(torch.full((1, 3, 2, 4, 4), 0.5), None)
    assert spikes.shape == (1, 3, 2, 4, 4)
    assert spikes[:, :, 0].sum() == 0
    assert spikes[:, :, 1].sum() == spikes[:, :, 1].numel()
    assert v[:, 0].unique().tolist() == [0.5]
    assert v[:, 1].unique().tolist() == [0.25]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("build", BINARY.values(), ids=BINARY)
def test_a_narrow_drive_loses_no_spikes(build, dtype):
    """1/1024 a step: in the drive's own type the membrane would stop to grow."""
    unit = build(torch.tensor(1.0), torch.tensor(0.5))
    drive = torch.full((2048, 1), 1 / 1024, dtype=dtype)
    spikes, v = unit.scan(drive, None)
    assert spikes.sum() == 2
    assert v.dtype == torch.float32


@pytest.mark.parametrize("levels", [4, 128, 1024])
@pytest.mark.parametrize("theta", [1.0, 3.7, 0.013])
def test_counts_are_the_quantised_activation_for_any_threshold(theta, levels):
    """The membrane in units of theta: not one in 20,000 off, where theta apart would lose some."""
    generator = torch.Generator().manual_seed(levels)
    z = (torch.rand(20_000, generator=generator) * 1.4 - 0.2).double() * theta
    unit = IF(torch.tensor(theta).double(), torch.tensor(0.5).double())
    spikes, _ = unit.scan(z.expand(levels, -1), None)
    assert torch.equal(spikes.sum(0), torch.floor(z / theta * levels + 0.5).clamp(0, levels))


@pytest.mark.parametrize("exponent", [-120, -100, -30, 30, 100, 120])
@pytest.mark.parametrize("build", BINARY.values(), ids=BINARY)
def test_thresholds_of_any_size_give_the_same_counts(build, exponent):
    drive = ((torch.arange(257) - 64) / 128).expand(32, 257)
    theta, half = torch.tensor(2.0**exponent), torch.tensor(0.5)
    expected, _ = build(torch.tensor(1.0), half).scan(drive.clone(), None)
    spikes, v = build(theta, half).scan(drive * theta, None)
    assert torch.equal(spikes, expected)
    assert v.isfinite().all()
