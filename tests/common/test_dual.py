"""Every unit does under constant drive what its static transfer says."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.units import (
    CODES,
    EXACT_CODES,
    NEURONS,
    POOLS,
    drives,
    held,
    potentials,
    radix,
    steps,
    thetas,
    trains,
)
from isospike.activations import ClipQuant, clip_quant
from isospike.units.binary import IF


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
@given(drive=drives(length=st.just(1)), theta=thetas(), v0=potentials, count=steps)
def test_counts_are_the_dual(build, drive, theta, v0, count):
    unit = build(theta, torch.tensor(v0))
    spikes, _ = unit.scan(held(drive, count) * theta, None)
    assert torch.equal(unit.dual(drive[0] * theta, count), unit.amplitude * (spikes.sum(0) / count))


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
@given(drive=drives(length=st.just(1)), bias=st.sampled_from([-0.5, 0.125]), count=steps)
def test_counts_are_the_dual_with_a_bias(build, drive, bias, count):
    theta = torch.tensor(2.0)
    unit = build(theta, torch.tensor(0.5), torch.tensor(bias))
    spikes, _ = unit.scan(held(drive, count), None)
    assert torch.equal(unit.dual(drive[0], count), unit.amplitude * (spikes.sum(0) / count))


@given(drives(length=st.just(1)), thetas(), steps)
def test_soft_reset_from_a_half_is_the_quantised_activation(drive, theta, count):
    """IF with v(0) = 1/2 over T steps is QCFS with L = T, bit for bit."""
    unit = IF(theta, torch.tensor(0.5))
    spikes, _ = unit.scan(held(drive, count) * theta, None)
    expected = clip_quant(drive[0] * theta, theta, count, 0.5)
    assert torch.equal(unit.amplitude * (spikes.sum(0) / count), expected)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@given(drive=drives(length=st.just(1)), theta=thetas(), count=st.integers(1, 12))
def test_a_radix_train_carries_the_dual(code, drive, theta, count):
    """The train that accumulation and generation give under constant drive, decoded."""
    unit = radix(code, theta)
    total = unit.total(drive[0] * theta, 1.0).clamp(-1, 2 + code.extra)
    total = total.to(code.dtype(count)) * code.gain(count)
    train = code.generate(total, unit.v0, count)
    value = theta * (code.decode(train, count) / code.gain(count)).float()
    assert torch.equal(unit.dual(drive[0] * theta, count), value)


@pytest.mark.parametrize("code", EXACT_CODES.values(), ids=EXACT_CODES)
@given(total=st.integers(-(1 << 10), 1 << 20), count=st.integers(1, 14), v0=potentials)
def test_radix_generate_is_encode(code, total, count, v0):
    total, v0 = torch.tensor([total / 64]), torch.tensor(v0)
    train = code.generate(total, v0, count)
    value, spikes = code.tally(total, v0, count)
    assert torch.equal(code.decode(train, count), value)
    assert torch.equal(train.sum((0, 1)), spikes.to(train.dtype))


@given(drives(length=st.just(1)), thetas(), st.integers(1, 64))
def test_radix_1_is_the_quantised_activation(drive, theta, count):
    """k = 1, v(0) = 1/2 is QCFS with L = T on the same drive, bit for bit."""
    dual = radix(CODES["k=1.0 extra=0"], theta).dual(drive[0] * theta, count)
    assert torch.equal(dual, clip_quant(drive[0] * theta, theta, count, 0.5))
    if theta.dim() == 0:
        source = ClipQuant(theta.item(), levels=count).eval()
        assert torch.equal(dual, source(drive[0] * theta))


@given(drives(length=st.just(1)), thetas(), st.integers(1, 12))
def test_radix_2_rounds_to_2_to_the_t_minus_1_levels(drive, theta, count):
    dual = radix(CODES["k=2.0 extra=0"], theta).dual(drive[0] * theta, count)
    assert torch.equal(dual, clip_quant(drive[0] * theta, theta, 2**count - 1, 0.5))


@pytest.mark.parametrize("name", POOLS)
@given(train=trains(), count=st.integers(1, 6))
def test_a_gated_pool_passes_the_largest_of_constant_inputs(name, train, count):
    values = train.cumsum(0)[-1]  # small whole numbers
    passed, _ = POOLS[name].scan(values.expand(count, *values.shape).clone(), None)
    assert torch.equal(passed.sum(0), count * POOLS[name].dual(values, count))
