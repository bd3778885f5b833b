"""No neuron fires more than it can, and none keeps more than it may."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.units import CODES, NEURONS, drives, gated, potentials, thetas, trains


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
@given(drive=drives(), theta=thetas(), v0=potentials)
def test_spikes_are_zero_or_one(build, drive, theta, v0):
    spikes, _ = build(theta, torch.tensor(v0)).scan(drive * theta, None)
    assert ((spikes == 0) | (spikes == 1)).all()
    assert spikes.shape == drive.shape


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
@given(drive=drives(high=1.0), theta=thetas(), v0=st.sampled_from([0.0, 0.25, 0.5]))
def test_the_potential_stays_below_threshold_when_the_drive_does(build, drive, theta, v0):
    _, v = build(theta, torch.tensor(v0)).scan(drive * theta, None)
    assert (v < 1).all()


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
@given(count=st.integers(1, 64), v0=potentials)
def test_no_drive_gives_no_spikes(build, count, v0):
    unit = build(torch.tensor(1.0), torch.tensor(min(v0, 0.5)))
    spikes, v = unit.scan(torch.zeros(count, 2, 3), None)
    assert not spikes.any()
    assert torch.equal(v, torch.full((2, 3), min(v0, 0.5)))


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
def test_the_neuron_fires_when_the_threshold_is_met_exactly(build):
    spikes, v = build(torch.tensor(2.0), torch.tensor(0.5)).scan(torch.tensor([[1.0], [1.0]]), None)
    assert spikes.tolist() == [[1.0], [0.0]]
    assert v.tolist() == [0.5]


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@given(total=st.floats(-1e6, 1e6), steps=st.integers(1, 16))
def test_a_code_lies_between_nothing_and_a_full_train(code, total, steps):
    value, spikes = code.tally(torch.tensor([total]), torch.tensor(0.5), steps)
    assert 0 <= value <= code.span(code.digits(steps))
    assert 0 <= spikes <= code.digits(steps)


@pytest.mark.parametrize("name", ["plain", "overlapping", "dilated, ceil"])
@given(train=trains())
def test_a_gated_pool_passes_spikes_of_its_window_only(name, train):
    unit = gated(name)
    passed, _ = unit.scan(train.clone(), None)
    most = torch.stack([unit.dual(frame, 1) for frame in train])
    assert ((passed == 0) | (passed == 1)).all()
    assert (passed <= most).all()
