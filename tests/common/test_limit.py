"""More steps bring the rate to the activation: abs(rate - relu) <= (1 + v0) / T * theta."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.units import BURSTS, CODES, SIGNED, UNIT, drives, potentials, radix, thetas

ROUNDING = 1e-6  # of theta; measured 1.2e-7


COUNTING = {"IF soft": UNIT["IF soft"], "ST-BIF": SIGNED["ST-BIF"], "SNM": SIGNED["SNM"], **BURSTS}


@pytest.mark.parametrize("build", COUNTING.values(), ids=COUNTING)
@given(
    drives(low=-2.0, high=1.0, length=st.just(1)), thetas(), potentials,
    st.sampled_from([1, 3, 16, 250, 1024]),
)  # fmt: skip
def test_integrate_and_fire(build, drive, theta, v0, count):
    unit = build(theta, torch.tensor(v0))
    z = drive[0] * theta
    spikes, _ = unit.scan(z.expand(count, *z.shape), None)
    rate = theta * spikes.mean(0)
    nearest = max(v0, 1 - v0)
    assert nearest <= 1 + v0
    assert ((rate - z.relu()).abs() <= (nearest / count + ROUNDING) * theta).all()


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@given(
    drive=drives(low=-2.0, high=1.0, length=st.just(1)), theta=thetas(), count=st.integers(1, 20)
)
def test_radix_is_within_half_a_last_spike(code, drive, theta, count):
    """The last spike is worth theta / gain, which extra steps make smaller."""
    z = drive[0] * theta
    dual = radix(code, theta).dual(z, count)
    assert ((dual - z.relu()).abs() <= (0.5 / code.gain(count) + ROUNDING) * theta).all()
