"""No neuron fires more than it can, and none keeps more than it may."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.units import (
    BINARY,
    BURSTS,
    CODES,
    PHASES,
    POOLS,
    SIGNED,
    UNIT,
    drives,
    potentials,
    thetas,
    trains,
)


@pytest.mark.parametrize("build", BINARY.values(), ids=BINARY)
@given(drive=drives(), theta=thetas(), v0=potentials)
def test_spikes_are_zero_or_one(build, drive, theta, v0):
    spikes, _ = build(theta, torch.tensor(v0)).scan(drive * theta, None)
    assert ((spikes == 0) | (spikes == 1)).all()
    assert spikes.shape == drive.shape


@pytest.mark.parametrize("build", SIGNED.values(), ids=SIGNED)
@given(drive=drives(), theta=thetas(), v0=potentials)
def test_a_signed_count_never_falls_below_nothing_or_rises_above_its_levels(
    build, drive, theta, v0
):
    unit = build(theta, torch.tensor(v0))
    spikes, _ = unit.scan(drive * theta, None)
    assert torch.equal(spikes, spikes.round().clamp(-unit.cap, unit.cap))
    assert (spikes.cumsum(0) >= 0).all()
    assert unit.most is None or (spikes.cumsum(0) <= unit.most).all()
    assert torch.equal(unit.events(spikes), spikes.abs())


@pytest.mark.parametrize("build", BURSTS.values(), ids=BURSTS)
@given(drive=drives(high=6.0), theta=thetas(), v0=potentials)
def test_a_burst_is_a_whole_number_up_to_its_cap(build, drive, theta, v0):
    unit = build(theta, torch.tensor(v0))
    spikes, _ = unit.scan(drive * theta, None)
    assert torch.equal(spikes, spikes.round().clamp(0, unit.cap))
    assert torch.equal(unit.events(spikes), spikes)


@pytest.mark.parametrize("build", PHASES.values(), ids=PHASES)
@given(drive=drives(), theta=thetas(), v0=potentials)
def test_a_phase_spike_weighs_what_its_step_says(build, drive, theta, v0):
    unit = build(theta, torch.tensor(v0))
    spikes, _ = unit.scan(drive * theta, None)
    weights = torch.tensor([unit.weight(t) for t in range(len(drive))]).reshape(-1, 1, 1)
    assert ((spikes == 0) | (spikes == weights)).all()
    assert torch.equal(unit.events(spikes), (spikes > 0).float())


@pytest.mark.parametrize("build", UNIT.values(), ids=UNIT)
@given(drive=drives(high=1.0), theta=thetas(), v0=st.sampled_from([0.0, 0.25, 0.5]))
def test_the_potential_stays_below_threshold_when_the_drive_does(build, drive, theta, v0):
    unit = build(theta, torch.tensor(v0))
    _, state = unit.scan(drive * theta, None)
    if getattr(unit, "most", None) is None:  # a full count fires no more
        assert (unit.membrane(state) < 1).all()


@pytest.mark.parametrize("build", UNIT.values(), ids=UNIT)
@given(count=st.integers(1, 64), v0=potentials)
def test_no_drive_gives_no_spikes(build, count, v0):
    unit = build(torch.tensor(1.0), torch.tensor(min(v0, 0.5)))
    spikes, state = unit.scan(torch.zeros(count, 2, 3), None)
    assert not spikes.any()
    left = min(v0, 0.5) * getattr(unit, "leak", 1.0) ** count
    torch.testing.assert_close(unit.membrane(state), torch.full((2, 3), left), rtol=1e-6, atol=0)


@pytest.mark.parametrize("build", UNIT.values(), ids=UNIT)
def test_the_neuron_fires_when_the_threshold_is_met_exactly(build):
    unit = build(torch.tensor(2.0), torch.tensor(0.0))
    spikes, state = unit.scan(torch.tensor([[2.0], [1.0]]), None)
    assert spikes.tolist() == [[1.0], [0.0]]
    assert unit.membrane(state).tolist() == [0.5]


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@given(total=st.floats(-1e6, 1e6), steps=st.integers(1, 16))
def test_a_code_lies_between_nothing_and_a_full_train(code, total, steps):
    value, spikes = code.tally(torch.tensor([total]), torch.tensor(0.5), steps)
    assert 0 <= value <= code.span(code.digits(steps))
    assert 0 <= spikes <= code.digits(steps)


@pytest.mark.parametrize("name", [name for name in POOLS if name.startswith("gated")])
@given(train=trains())
def test_a_gated_pool_passes_spikes_of_its_window_only(name, train):
    unit = POOLS[name]
    passed, _ = unit.scan(train.clone(), None)
    most = torch.stack([unit.dual(frame, 1) for frame in train])
    assert ((passed == 0) | (passed == 1)).all()
    assert (passed <= most).all()


@pytest.mark.parametrize("name", [name for name in POOLS if name.startswith("lateral")])
@given(train=trains())
def test_lateral_inhibition_passes_the_largest_sum_at_every_step(name, train):
    """Where the gated pool may pass more than its largest input has sent."""
    unit = POOLS[name]
    passed, _ = unit.scan(train.clone(), None)
    for t in range(len(train)):
        assert torch.equal(passed[: t + 1].sum(0), unit.dual(train[: t + 1].sum(0), 1))
    assert (passed >= 0).all()
