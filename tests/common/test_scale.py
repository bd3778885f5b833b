"""Weights, bias and threshold times a power of two: the same spikes, bit for bit."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.units import CODES, NEURONS, POOLS, drives, factors, potentials, radix, thetas, trains


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
@given(drive=drives(), theta=thetas(), v0=potentials, factor=factors)
def test_neurons(build, drive, theta, v0, factor):
    bias = torch.tensor(0.25)
    spikes, v = build(theta, torch.tensor(v0), bias).scan(drive, None)
    scaled, u = build(theta * factor, torch.tensor(v0), bias * factor).scan(drive * factor, None)
    assert torch.equal(spikes, scaled)
    assert torch.equal(v, u)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@given(drive=drives(length=st.just(1)), theta=thetas(), factor=factors, steps=st.integers(1, 12))
def test_radix(code, drive, theta, factor, steps):
    dual = radix(code, theta).dual(drive[0], steps)
    assert torch.equal(radix(code, theta * factor).dual(drive[0] * factor, steps), dual * factor)


@pytest.mark.parametrize("name", POOLS)
@given(train=trains(), factor=factors)
def test_gated_pool(name, train, factor):
    passed, _ = POOLS[name].scan(train.clone(), None)
    scaled, _ = POOLS[name].scan(train * factor, None)
    assert torch.equal(scaled, passed * factor)
