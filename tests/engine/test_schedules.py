"""Settling steps and a delayed read-out, on every engine that runs them."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import graphs, images, network, program
from common.runs import same
from isospike.engine import run
from isospike.graph.graph import execute
from isospike.schedule import Settled, Synchronous
from isospike.units.signed import Signed


def signed(graph, steps: int, settle: int):
    """Signed neurons that count up to `steps`, thresholds of powers of two."""
    p = program(graph, Settled(settle))
    units = {name: Signed(unit.theta, unit.v0, most=float(steps)) for name, unit in p.units.items()}
    return replace(p, units=units)


@given(graph=graphs, steps=st.integers(1, 20), settle=st.integers(0, 20))
def test_the_engines_agree(graph, steps, settle):
    p, x = signed(graph, steps, settle), images(3)
    same(run(p, x, steps), run(p, x, steps, engine="steploop"))


@pytest.mark.parametrize("steps", [1, 4, 8])
@pytest.mark.parametrize("kinds", [["layer"], ["layer", "residual"], ["long", "concat"]], ids=str)
def test_after_settling_the_network_is_the_quantised_one_exactly(kinds, steps):
    """Every count is that of the static transfer: no unevenness is left."""
    graph = network(kinds, seed=2)
    p = signed(graph, steps, settle=steps * (len(graph.sites) + 1) * 3)
    x = images(5)
    quantised = execute(graph, x, lambda node, z: p.units[node.name].dual(z, steps))
    assert torch.equal(run(p, x, steps).outputs[steps], quantised)


def test_without_settling_it_is_not():
    graph, x = network(["layer", "residual"], seed=2), images(5)
    p = signed(graph, 8, settle=0)
    quantised = execute(graph, x, lambda node, z: p.units[node.name].dual(z, 8))
    assert not torch.equal(run(p, x, 8).outputs[8], quantised)


@given(graph=graphs, delay=st.integers(0, 5), engine=st.sampled_from(["dense", "steploop"]))
def test_a_delayed_reading_is_the_mean_of_the_later_steps(graph, delay, engine):
    x, steps = images(2), [1, 2, 8]
    every = run(program(graph), x, list(range(1, 9))).outputs
    found = run(program(graph, Synchronous(delay)), x, steps, engine=engine)
    for t in steps:
        first = min(delay, t // 2)
        sums = every[t] * t - (every[first] * first if first else 0)
        torch.testing.assert_close(found.outputs[t], sums / (t - first))
    plain = run(program(graph), x, steps, engine=engine)
    for site, at in plain.counts.items():
        assert all(torch.equal(at[t], found.counts[site][t]) for t in steps)
