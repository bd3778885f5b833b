"""Codes of the inverse-leaky neuron: bases, extra steps, and what 52 bits can hold."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.units import CODES
from isospike.units.radix import MANTISSA, Radix, RadixCode


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@pytest.mark.parametrize("steps", [1, 2, 7, 16])
def test_gain_is_what_a_constant_of_theta_accumulates_to(code, steps):
    """V <- k V + 1 in the first T of T + extra steps."""
    v = 0.0
    for t in range(steps + code.extra):
        v = code.k * v + (t < steps)
    assert code.gain(steps) == pytest.approx(v, rel=1e-12)
    assert code.digits(steps) == steps + code.extra


@given(st.integers(1, 52), st.data())
def test_two_to_the_t_codes_are_exact_up_to_52_steps(steps, data):
    code = RadixCode(2.0)
    value = data.draw(st.integers(0, 2**steps - 1))
    total = torch.tensor([value], dtype=torch.float64)
    found, spikes = code.tally(total, torch.tensor(0.5), steps)
    train = code.generate(total, torch.tensor(0.5), steps)
    assert found.item() == value
    assert spikes.item() == value.bit_count()
    assert [int(s) for s in train.flatten()] == [int(bit) for bit in f"{value:0{steps}b}"]
    assert code.decode(train, len(train)).item() == value


@given(st.integers(2, 52), st.data())
def test_one_code_and_the_next_are_told_apart(steps, data):
    """A total half a unit below a code rounds down to the one before, at the half up."""
    value = data.draw(st.integers(1, 2 ** min(steps, 51) - 1))
    code, half = RadixCode(2.0), torch.tensor(0.5)
    for offset, expected in ((-0.5, value), (-0.75, value - 1), (0.25, value)):
        total = torch.tensor([value + offset], dtype=torch.float64)
        assert code.encode(total, half, steps).item() == expected


@pytest.mark.parametrize("steps", [53, 64, 1000])
@pytest.mark.parametrize("k", [2.0, 1.5])
def test_later_steps_than_the_grid_tells_apart_are_silent_and_not_wrong(k, steps):
    code = RadixCode(k)
    most = int(MANTISSA / math.log2(k))
    capped = min(steps, most)
    assert code.capped(steps) == capped
    assert code.gain(steps) == code.gain(capped)
    assert math.isfinite(code.gain(steps))
    unit = Radix(torch.tensor(2.0).double(), torch.tensor(0.5), code)
    z = torch.linspace(-1, 3, 101, dtype=torch.float64)
    dual = unit.dual(z, steps)
    assert torch.equal(dual, unit.dual(z, capped))
    # Half a unit of the code, and what float64 rounds.
    assert (dual - z.clamp(0, 2)).abs().max() <= 2.0 * 0.6 / code.gain(capped) + 2e-14


def test_extra_steps_share_the_bits():
    code = RadixCode(2.0, extra=4)
    assert code.capped(64) == 48
    assert code.digits(64) == 52


@pytest.mark.parametrize(
    ("k", "extra"), [(0.9, 0), (2.1, 0), (2.0, -1), (2.0, 52), (float("nan"), 0)]
)
def test_bases_and_steps_that_make_no_code_are_refused(k, extra):
    with pytest.raises(ValueError, match=r"extra|k in"):
        RadixCode(k, extra)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_extra_steps_refine_the_grid(code):
    finer = RadixCode(code.k, code.extra + 3)
    z = torch.linspace(0, 1, 201, dtype=torch.float64)
    half = torch.tensor(0.5).double()
    coarse = (Radix(torch.tensor(1.0).double(), half, code).dual(z, 4) - z).abs().mean()
    fine = (Radix(torch.tensor(1.0).double(), half, finer).dual(z, 4) - z).abs().mean()
    assert fine < coarse or code.k == 1.0
    if code.k == 1.0:  # k = 1 weighs every spike the same: more room, no finer grid
        assert fine == coarse


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_total_is_never_narrowed(dtype):
    code = RadixCode(2.0)
    for steps in (4, 24, 40):
        found = code.encode(torch.ones(1, dtype=dtype), torch.tensor(0.5), steps)
        assert torch.finfo(found.dtype).eps <= torch.finfo(dtype).eps


def test_the_bias_flows_with_the_gain():
    unit = Radix(torch.tensor(2.0), torch.tensor(0.5), RadixCode(2.0), torch.tensor(0.5))
    assert unit.total(torch.tensor([3.0]), 4.0).tolist() == [2.5]
    assert unit.dual(torch.tensor([1.5]), 3).item() == 2.0
