"""The signed neuron against the step equations of the papers whose neuron it is."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.units import drives
from isospike import methods
from isospike.units.signed import Signed

Z = torch.randn(24, 200, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1


def st_bif(z, v0, most):
    """You et al. 2024: +1 if v >= 1 and S < S_max, -1 if v < 0 and S > S_min."""
    v, total, out = torch.full_like(z[0], v0), torch.zeros_like(z[0]), []
    for x in z:
        v = v + x
        up, down = (v >= 1) & (total < most), (v < 0) & (total > 0)
        spike = up.float() - down.float()
        v, total = v - spike, total + spike
        out.append(spike)
    return torch.stack(out)


def calcium(z, v0):
    """Gao et al. 2023: a negative spike only while calcium, the sum of spikes, is positive."""
    v, ca, out = torch.full_like(z[0], v0), torch.zeros_like(z[0]), []
    for x in z:
        v = v + x
        spike = torch.where(v >= 1, 1.0, torch.where((v < 0) & (ca > 0), -1.0, 0.0))
        v, ca = v - spike, ca + spike
        out.append(spike)
    return torch.stack(out)


def snm(z, theta_neg):
    """Wang et al. 2022: -1 if v <= theta_neg and the memory of spikes is not empty."""
    v, memory, out = torch.zeros_like(z[0]), torch.zeros_like(z[0]), []
    for x in z:
        v = v + x
        spike = (v >= 1).float()
        spike = torch.where((v <= theta_neg) & (memory > 0), -1.0, spike)
        v, memory = v - spike, memory + spike
        out.append(spike)
    return torch.stack(out)


def imbalanced(z, alpha):
    """Kim et al. 2020: -1 where v <= -theta / alpha, and v += theta / alpha."""
    v, out = torch.zeros_like(z[0]), []
    for x in z:
        v = v + x
        spike = (v >= 1).float() - (v <= -1 / alpha).float()
        v = v - torch.where(spike > 0, 1.0, torch.where(spike < 0, -1 / alpha, 0.0))
        out.append(spike)
    return torch.stack(out)


def ternary(z):
    """Yu et al. 2022, TerMapping: +1 at v >= theta, -1 at v <= -theta, soft reset; ours: a -1 needs
    a spike to take back."""
    v, total, out = torch.zeros_like(z[0]), torch.zeros_like(z[0]), []
    for x in z:
        v = v + x
        spike = (v >= 1).float() - ((v <= -1) & (total > 0)).float()
        v, total = v - spike, total + spike
        out.append(spike)
    return torch.stack(out)


def augmented(z, cap):
    """Yu et al. 2022, AugMapping: an event with the coefficient n = trunc(v / theta), v -= n theta;
    ours: no more than `cap`, none below a sum of 0."""
    v, total, out = torch.zeros_like(z[0]), torch.zeros_like(z[0]), []
    for x in z:
        v = v + x
        n = torch.maximum(torch.trunc(v).clamp(-cap, cap), -total)
        v, total = v - n, total + n
        out.append(n)
    return torch.stack(out)


def mapped(z, **knobs) -> torch.Tensor:
    """The neuron of the recipe double-threshold."""
    chosen = methods.recipe("double-threshold", {f"neuron.{k}": v for k, v in knobs.items()})
    return chosen.neuron.build(torch.tensor(1.0), torch.tensor(0.0)).scan(z.clone(), None)[0]


def off_the_grid(drive):
    """Drives on the grid of 1 / 64, moved by half of it at the first step: no v is a whole number."""
    return torch.cat([drive[:1] + 1 / 128, drive[1:]])


@given(drives())
def test_ternary_mapping(drive):
    z = off_the_grid(drive)
    assert torch.equal(mapped(z), ternary(z))


@given(drives(low=-6.0, high=8.0), st.sampled_from([1.0, 16.0]), st.sampled_from([2, 9, 127]))
def test_augmented_mapping(drive, gain, cap):
    """Up to drives of 128 thresholds at once, more than one event carries."""
    z = off_the_grid(drive * gain)
    assert torch.equal(mapped(z, cap=cap), augmented(z, cap))


@pytest.mark.parametrize("cap", [1, 127])
@pytest.mark.parametrize("v", [-1.0, -2.0, -3.0])
def test_at_a_negative_multiple_of_theta_one_less_is_sent(v, cap):
    """Where the paper's n is v / theta exactly, ours is one less in size: at -theta nothing."""
    z = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, v]).unsqueeze(1)  # five spikes to take back
    theirs = augmented(z, cap) if cap > 1 else ternary(z)
    assert float(theirs[-1]) == max(v, -cap)
    assert float(mapped(z, cap=cap)[-1]) == max(v + 1, -cap)


def spikes(v0: float = 0.5, **numbers) -> torch.Tensor:
    return Signed(torch.tensor(1.0), torch.tensor(v0), **numbers).scan(Z.clone(), None)[0]


@pytest.mark.parametrize("most", [4.0, 24.0])
def test_st_bif(most):
    assert torch.equal(spikes(most=most), st_bif(Z, 0.5, most))


def test_calcium():
    assert torch.equal(spikes(), calcium(Z, 0.5))


def test_snm():
    assert torch.equal(spikes(0.0, low=1.0), snm(Z, -1.0))


def test_fast_snn():
    """Hu et al. 2023: the negative threshold is -1e-3."""
    assert torch.equal(spikes(low=1e-3), snm_from(Z, 0.5, -1e-3))


def snm_from(z, v0, theta_neg):
    return snm(torch.cat([z[:1] + v0, z[1:]]), theta_neg)


def test_a_leaky_relu_to_one_spike():
    """The rate of the imbalanced neuron is the leaky ReLU of the drive, to 1 / T."""
    alpha = 0.25
    assert torch.equal(spikes(0.0, low=4.0, back=4.0, least=None), imbalanced(Z, alpha))
    z = torch.linspace(-1, 1, 101)
    unit = Signed(torch.tensor(1.0), torch.tensor(0.0), low=1 / alpha, back=1 / alpha, least=None)
    expected = torch.nn.functional.leaky_relu(z, alpha)
    assert (unit.dual(z, 64) - expected).abs().max() <= 1 / 64 + 1e-6


def test_silence_after_the_drive_makes_the_count_exact():
    """Any drive in any order: after enough silent steps the count is the quantised sum."""
    steps, v0 = len(Z), 0.5
    silent = torch.zeros(2 * steps, Z.shape[1])
    z = (Z * 64).round() / 64
    unit = Signed(torch.tensor(1.0), torch.tensor(v0), most=float(steps))
    train, _ = unit.scan(torch.cat([z, silent]), None)
    exact = torch.floor(z.sum(0) + v0).clamp(0, steps)
    assert torch.equal(train.sum(0), exact)
    assert not torch.equal(train[:steps].sum(0), exact)
