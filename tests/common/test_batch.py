"""A sample's answer does not depend on its neighbours in the batch."""

import pytest
import torch
from hypothesis import given

from common.units import NEURONS, POOLS, drives, thetas, trains


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
@given(drive=drives(), theta=thetas())
def test_neurons(build, drive, theta):
    unit = build(theta, torch.tensor(0.5))
    together, v = unit.scan(drive * theta, None)
    for i in range(drive.shape[1]):
        alone, u = unit.scan(drive[:, i : i + 1] * theta, None)
        assert torch.equal(alone, together[:, i : i + 1])
        assert torch.equal(unit.membrane(u), unit.membrane(v)[i : i + 1])
    turned, _ = unit.scan(drive.flip(1) * theta, None)
    assert torch.equal(turned, together.flip(1))


@pytest.mark.parametrize("name", POOLS)
@given(train=trains())
def test_gated_pool(name, train):
    together, _ = POOLS[name].scan(train.clone(), None)
    for i in range(train.shape[1]):
        alone, _ = POOLS[name].scan(train[:, i : i + 1].clone(), None)
        assert torch.equal(alone, together[:, i : i + 1])
    turned, _ = POOLS[name].scan(train.flip(1), None)
    assert torch.equal(turned, together.flip(1))
