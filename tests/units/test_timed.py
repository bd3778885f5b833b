"""Weighted spikes: Kim et al.'s equations, and the binary digits that a period holds."""

import pytest
import torch

from isospike.units.timed import Timed, phase_weight


def reference(z, theta, period):
    """Kim et al. 2018, theta(t) = theta w(t), w(t) = 2^-(1 + mod(t-1, K)), unscaled."""
    v, out = torch.zeros_like(z[0]), []
    for t, x in enumerate(z):
        threshold = theta * 2.0 ** -(1 + t % period)
        v = v + x
        spike = (v >= threshold).float()
        v = v - threshold * spike
        out.append(spike)
    return torch.stack(out)


@pytest.mark.parametrize("period", [1, 4, 8])
def test_the_papers_neuron(period):
    """Weights scaled by K: the same spikes for K times the drive."""
    z = torch.randn(24, 50, generator=torch.Generator().manual_seed(1)) * 0.2 + 0.1
    unit = Timed(torch.tensor(2.0), torch.tensor(0.0), period=period)
    spikes, _ = unit.scan(z * period, None)
    assert torch.equal((spikes > 0).float(), reference(z, 2.0, period))


def test_a_settled_period_sends_the_binary_digits():
    """A charge of u = 0.b1 b2 b3 that is there at the start of a period is sent digit by digit."""
    period = 3
    for whole in range(8):
        charge = torch.tensor([[whole / 8 * period], [0.0], [0.0]])
        unit = Timed(torch.tensor(1.0), torch.tensor(0.0), period=period)
        spikes, v = unit.scan(charge, None)
        digits = [whole >> 2 & 1, whole >> 1 & 1, whole & 1]
        assert (spikes > 0).flatten().int().tolist() == digits
        assert v.item() == 0


def test_weights_of_a_period_sum_to_its_top():
    unit = Timed(torch.tensor(2.0), torch.tensor(0.0), period=5)
    weights = torch.tensor([phase_weight(t, 5) for t in range(5)])
    assert float(weights.mean()) * 2 == pytest.approx(float(unit.top))


@pytest.mark.parametrize("period", [0, 25])
def test_a_period_that_no_float_holds(period):
    with pytest.raises(ValueError, match="period"):
        Timed(torch.tensor(1.0), torch.tensor(0.0), period=period)
