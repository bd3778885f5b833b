"""Nothing that drives a neuron is lost: drive = spikes + what is left, on any drive in any order."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.units import CODES, EXACT, POOLS, drives, potentials, thetas, trains
from isospike.units.binary import IF

SLACK = 1e-9  # float64, k between 1 and 2: measured 3e-14 at T = 32


@pytest.mark.parametrize("build", EXACT.values(), ids=EXACT)
@given(drives(), thetas(), potentials, st.sampled_from([None, -0.5, 0.25]))
def test_soft_reset_keeps_the_sum_of_any_drive_exactly(build, drive, theta, v0, bias):
    unit = build(theta, torch.tensor(v0), None if bias is None else bias * theta)
    spikes, state = unit.scan(drive * theta, None)
    driven = drive.sum(0) + (bias or 0.0) * len(drive)
    assert torch.equal(driven + v0, spikes.sum(0) + unit.membrane(state))


@pytest.mark.parametrize("build", EXACT.values(), ids=EXACT)
@given(drives(), potentials, st.randoms(use_true_random=False))
def test_soft_reset_keeps_the_sum_in_every_order(build, drive, v0, random):
    unit = build(torch.tensor(0.5), torch.tensor(v0))
    order = random.sample(range(len(drive)), len(drive))
    spikes, state = unit.scan(drive[order] * 0.5, None)
    assert torch.equal(drive.sum(0) + v0, spikes.sum(0) + unit.membrane(state))


@pytest.mark.parametrize("build", EXACT.values(), ids=EXACT)
@given(drive=drives(), theta=thetas(), length=st.integers(1, 8))
def test_a_drift_is_drive_of_its_step(build, drive, theta, length):
    """A table of biases shorter than the run holds its last row."""
    table = (torch.arange(length) % 3 - 1.0).reshape(length, 1) / 4
    unit = build(theta, torch.tensor(0.5), drift=table * theta)
    rows = table[torch.arange(len(drive)).clamp(max=length - 1)].unsqueeze(1)
    plain = build(theta, torch.tensor(0.5))
    spikes, state = unit.scan(drive * theta, None)
    expected, last = plain.scan((drive + rows) * theta, None)
    assert torch.equal(spikes, expected)
    assert torch.equal(state, last)


@given(drives(low=0.0), potentials)
def test_hard_reset_loses_and_never_gains(drive, v0):
    spikes, v = IF(torch.tensor(1.0), torch.tensor(v0), reset="hard").scan(drive, None)
    assert (spikes.sum(0) + v <= drive.sum(0) + v0).all()


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@given(total=st.integers(-64, 1 << 20), steps=st.integers(1, 16), v0=potentials)
def test_a_radix_train_and_its_remainder_are_the_total(code, total, steps, v0):
    """Greedy expansion: what a code leaves is less than the weight of its last spike."""
    reach = code.span(code.digits(steps)) + 1
    value = min(total / 64, reach - v0 - 1 / 64)
    train = code.generate(torch.tensor([value], dtype=torch.float64), torch.tensor(v0), steps)
    left = value + v0 - float(code.decode(train, steps))
    if value + v0 < 0:
        assert train.sum() == 0
    else:
        assert -SLACK <= left < 1 + SLACK


@pytest.mark.parametrize("code", [c for c in CODES.values() if c.k in (1.0, 2.0)], ids=str)
@given(
    digits=st.lists(st.integers(-128, 192), min_size=1, max_size=12),
    v0=st.sampled_from([0.0, 0.5]),
)
def test_accumulated_drive_is_code_and_remainder_exactly(code, digits, v0):
    """Any drive through V <- k V + z, against whole-number arithmetic."""
    steps = len(digits)
    drive = digits + [0] * (code.digits(steps) - steps)
    v, exact = torch.zeros((), dtype=torch.float64), Fraction(0)
    for z in drive:
        v = v * code.k + z / 64
        exact = exact * int(code.k) + Fraction(z, 64)
    train = code.generate(v, torch.tensor(v0), steps)
    most = int(code.span(code.digits(steps)))
    expected = min(max((exact + Fraction(v0)).__floor__(), 0), most)
    assert int(code.decode(train, steps)) == expected


@pytest.mark.parametrize("name", POOLS)
@given(train=trains())
def test_a_gated_pool_keeps_the_sum_of_what_it_compares(name, train):
    _, sums = POOLS[name].scan(train.clone(), None)
    assert torch.equal(sums, train.sum(0))
