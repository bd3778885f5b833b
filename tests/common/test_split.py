"""T1 steps and then T2 with the state handed on are T1 + T2 steps at once, bit for bit."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.units import NEURONS, POOLS, drives, potentials, thetas, trains


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
@given(drive=drives(), theta=thetas(), v0=potentials, rows=st.integers(0, 8), data=st.data())
def test_neurons(build, drive, theta, v0, rows, data):
    """Also with a bias of `rows` steps, which goes on where the first part ended."""
    drift = (torch.arange(rows) % 3 - 1.0).reshape(rows, 1) / 4 * theta if rows else None
    unit = build(theta, torch.tensor(v0), drift=drift)
    cut = data.draw(st.integers(0, len(drive)))
    whole, last = unit.scan(drive * theta, None)
    if cut == 0:
        return
    first, state = unit.scan(drive[:cut] * theta, None)
    second, end = unit.scan(drive[cut:] * theta, state, cut)
    assert torch.equal(torch.cat([first, second]), whole)
    assert torch.equal(end, last)
    _, state = unit.scan(drive[:cut] * theta, None)
    counted = [unit.events(first), unit.events(second, unit.mark(state), cut)]
    assert torch.equal(torch.cat(counted), unit.events(whole))


@pytest.mark.parametrize("name", POOLS)
@given(train=trains(), data=st.data())
def test_gated_pool(name, train, data):
    unit = POOLS[name]
    cut = data.draw(st.integers(1, len(train)))
    whole, last = unit.scan(train.clone(), None)
    first, state = unit.scan(train[:cut].clone(), None)
    if cut == len(train):
        return
    second, end = unit.scan(train[cut:].clone(), state)
    assert torch.equal(torch.cat([first, second]), whole)
    assert torch.equal(end, last)


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
def test_nothing_is_left_behind_between_two_runs(build):
    """The unit holds no membrane, and its inputs and numbers stay as they were."""
    drive, v0 = torch.full((5, 2, 3), 0.75), torch.tensor(0.5)
    unit = build(torch.tensor(2.0), v0)
    first, _ = unit.scan(drive, None)
    second, _ = unit.scan(drive, None)
    assert torch.equal(first, second)
    assert torch.equal(drive, torch.full((5, 2, 3), 0.75))
    assert v0 == 0.5
