"""Walking the spikes gives the spikes of the step loop, bit for bit where sums are exact."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import Builder, graphs, images, network, program
from common.runs import same
from isospike.engine import native
from isospike.engine.dense import CHUNK
from isospike.engine.events import run_events
from isospike.engine.steploop import run_steploop
from isospike.units.coders import Bernoulli, Constant, IFCoder

pytestmark = pytest.mark.skipif(native.kernels is None, reason="no compiler: no native kernels")

READINGS = st.lists(st.integers(1, 2 * CHUNK + 5), min_size=1, max_size=3, unique=True).map(sorted)


@given(graphs, READINGS, st.sampled_from(["soft", "hard"]), st.booleans())
def test_any_network_any_readings(graph, readings, reset, choose):
    p = program(graph, reset=reset, bias=torch.tensor(0.125))
    same(run_events(p, images(), readings, choose=choose), run_steploop(p, images(), readings))


@pytest.mark.parametrize("kind", ["residual", "long", "concat", "average", "pad", "difference"])
def test_each_structure(kind):
    p = program(network(["layer", kind, "layer"], seed=3))
    readings = [1, 3, CHUNK, CHUNK + 1, 40]
    same(run_events(p, images(5), readings), run_steploop(p, images(5), readings))


@pytest.mark.parametrize("coder", [
    Constant(), IFCoder(), IFCoder(compensate=True), Bernoulli(seed=3), Bernoulli(compensate=True)
], ids=str)  # fmt: skip
@given(graph=graphs, readings=READINGS)
def test_any_coder(coder, graph, readings):
    p = program(graph, coder=coder)
    same(run_events(p, images(), readings), run_steploop(p, images(), readings))


@pytest.mark.parametrize(("stride", "padding"), [(2, 0), (1, 0), (1, 1)])
def test_gated_pools(stride, padding):
    b = Builder(4)
    x = b.max(b.layer(".0"), stride, padding)
    first = b.max(b.shift(".0"))  # on a current that stands still
    p = program(b.graph(b.node("add", b.head(b.layer(x)), b.head(first))))
    readings = [2, CHUNK, CHUNK + 3]
    same(run_events(p, images(), readings), run_steploop(p, images(), readings))


def test_a_value_that_stands_still_meets_one_that_moves():
    b = Builder(6)
    still = b.conv(".0")
    joined = b.act(b.node("add", b.conv(b.act(still)), still))
    out = b.node("add", b.node("add", joined, still), ".0")
    p = program(b.graph(b.head(out)))
    same(run_events(p, images(), [1, 7, 33]), run_steploop(p, images(), [1, 7, 33]))


def test_a_network_without_sites_is_the_network():
    p = program(network(["average"]))
    same(run_events(p, images(), [1, 7]), run_steploop(p, images(), [1, 7]))


def test_more_images_than_one_piece_of_work():
    p = program(network(["residual"], seed=2))
    x = images(150)
    same(run_events(p, x, [2, 5]), run_steploop(p, x, [2, 5]))


def test_without_tally_nothing_is_counted_and_the_answer_stays():
    p = program(network(["residual", "layer"]))
    quiet = run_events(p, images(), [4], tally=False)
    assert quiet.counts == {}
    assert torch.equal(quiet.outputs[4], run_events(p, images(), [4]).outputs[4])
