"""The leaky neuron: Nengo's steps, its rate, its rest, its synapse."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.soft_lif import TAU_RC, TAU_REF
from isospike.units.lif import LIF

ONE = torch.tensor(1.0, dtype=torch.float64)


def nengo(currents: list[float]) -> list[int]:
    """Nengo's LIF.step, dt = 1, one neuron."""
    v, rest, out = 0.0, 0.0, []
    for j in currents:
        rest -= 1.0
        delta = min(max(1.0 - rest, 0.0), 1.0)
        v -= (j - v) * math.expm1(-delta / TAU_RC)
        fired = v > 1.0
        if fired:
            rest = TAU_REF + 1.0 + TAU_RC * math.log1p(-(v - 1) / (j - 1))
        v = 0.0 if fired else max(v, 0.0)
        out.append(int(fired))
    return out


@given(st.lists(st.floats(-2, 6), min_size=1, max_size=200))
def test_the_steps_are_those_of_nengo(drive):
    z = torch.tensor(drive, dtype=torch.float64).reshape(-1, 1, 1)
    spikes, _ = LIF(ONE, 0 * ONE, tau_syn=0.0).scan(z.clone(), None)
    assert spikes.flatten().tolist() == nengo([d * TAU_RC / TAU_REF for d in drive])


@pytest.mark.parametrize("j", [1.05, 1.5, 2.0, 5.0, 50.0])
def test_the_rate_is_the_formula(j):
    steps = 4000
    z = torch.full((steps, 1, 1), j * TAU_REF / TAU_RC, dtype=torch.float64)
    spikes, _ = LIF(ONE, 0 * ONE).scan(z, None)
    rate = 1 / (TAU_REF + TAU_RC * math.log1p(1 / (j - 1)))
    assert float(spikes.sum()) == pytest.approx(rate * steps, abs=1 + 20 * rate)


def test_below_threshold_it_is_silent_and_never_negative():
    z = torch.tensor([0.19, -3.0]).reshape(1, 1, 2).expand(500, 1, 2)
    unit = LIF(torch.tensor(1.0), torch.tensor(0.0))
    spikes, state = unit.scan(z, None)
    assert spikes.sum() == 0
    assert (unit.membrane(state) >= 0).all()


def test_the_synapse_delays_and_loses_nothing():
    """One pulse: what the filter hands on in the end is the pulse."""
    unit = LIF(ONE, 0 * ONE, tau_syn=5.0)
    kept, found, state = math.exp(-1 / 5), [], None
    for t in range(100):
        pulse = torch.full((1, 1, 1), 0.1 if t == 0 else 0.0, dtype=torch.float64)
        _, state = unit.scan(pulse, state, t)
        found.append(float(state[1]))
    assert sum(found) == pytest.approx(0.1, rel=1e-6)
    assert found[1] / found[0] == pytest.approx(kept)
