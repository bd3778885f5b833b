"""The account of time of each schedule."""

from hypothesis import given
from hypothesis import strategies as st

from isospike.schedule import Separated, Synchronous
from isospike.units.radix import RadixCode

depths, counts = st.integers(0, 50), st.integers(1, 64)


@given(depths, counts)
def test_synchronous_answers_after_its_steps(depth, steps):
    schedule = Synchronous()
    assert schedule.latency(depth, steps) == schedule.interval(steps) == steps
    assert schedule.anytime


@given(depths, counts, st.integers(0, 4))
def test_separated_needs_a_phase_a_layer_and_one_more(depth, steps, extra):
    schedule = Separated(2.0, extra)
    assert schedule.phase(steps) == steps + extra
    assert schedule.latency(depth, steps) == (depth + 1) * (steps + extra)
    assert schedule.interval(steps) == 2 * (steps + extra)
    assert not schedule.anytime


def test_a_schedule_brings_its_code():
    assert Separated(1.5, 1).code == RadixCode(1.5, 1)
    assert Separated(2).code.k == 2.0
