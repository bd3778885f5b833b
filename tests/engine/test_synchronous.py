"""The fast engines are the step loop done layer by layer: the same spikes, the same readings."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.nets import Builder, graphs, images, network, program
from common.runs import misplaced, same
from isospike.engine import native
from isospike.engine.dense import CHUNK, run_dense
from isospike.engine.events import run_events
from isospike.engine.native.matrix import available
from isospike.engine.steploop import run_steploop
from isospike.program import Program
from isospike.units.binary import IF
from isospike.units.coders import Bernoulli, Constant, IFCoder
from isospike.units.signed import Signed

READINGS = st.lists(st.integers(1, 2 * CHUNK + 5), min_size=1, max_size=3, unique=True).map(sorted)
# A new engine of the synchronous schedule is one line here and gets every law of this file.
ENGINES = {
    "dense, native": (run_dense, True),
    "dense, torch": (run_dense, False),
    "events": (run_events, True),
    "matrix": (partial(run_events, way="multiply"), True),
    "the cheapest way": (partial(run_events, way="cheapest"), True),
}


NEURONS = {
    "burst": partial(IF, cap=3),
    "leaky": partial(IF, leak=0.5),
    "leaky burst": partial(IF, leak=0.5, cap=4),
    "leaky, hard reset": partial(IF, leak=0.5, reset="hard"),
    "drift": partial(IF, drift=torch.tensor([0.5, -0.25, 0.125]).view(3, 1, 1, 1)),
    "drift, hard reset": partial(IF, drift=torch.ones(1, 2, 1, 1) / 4, reset="hard"),
    "drift of each channel, burst": partial(IF, drift=torch.tensor([[0.5, -1], [-0.25, 1]])[
        ..., None, None], cap=2),
    "signed": Signed,
    "signed, drift": partial(Signed, drift=torch.tensor([-0.5, 0.25]).view(2, 1, 1, 1)),
    "signed, low threshold": partial(Signed, low=1.0),
    "signed, no guard": partial(Signed, low=2.0, back=2.0, least=None),
    "signed bursts within bounds": partial(Signed, cap=4, most=6.0),
}  # fmt: skip


@pytest.fixture(scope="module", params=ENGINES.values(), ids=ENGINES)
def engine(request):
    """The engine, with the native kernels or without."""
    run, wanted = request.param
    if wanted and native.kernels is None:
        pytest.skip("no compiler: no native kernels")
    if run is ENGINES["matrix"][0] and not available():
        pytest.skip("this processor has no matrix unit")
    before, native.ENABLED = native.ENABLED, wanted
    yield run
    native.ENABLED = before


@given(graph=graphs, readings=READINGS, reset=st.sampled_from(["soft", "hard"]))
def test_any_network_any_readings(engine, graph, readings, reset):
    """Residual adds, concats, pools and branches of unequal depth, over several time chunks."""
    p = program(graph, reset=reset, bias=torch.tensor(0.125))
    same(engine(p, images(), readings), run_steploop(p, images(), readings))


@pytest.mark.parametrize("kind", ["residual", "long", "concat", "average", "pad", "difference"])
def test_each_structure(engine, kind):
    p = program(network(["layer", kind, "layer"], seed=3))
    readings = [1, 3, CHUNK, CHUNK + 1, 40]
    same(engine(p, images(5), readings), run_steploop(p, images(5), readings))


@pytest.mark.parametrize("coder", [
    Constant(), IFCoder(), IFCoder(compensate=True), Bernoulli(seed=3), Bernoulli(compensate=True)
], ids=str)  # fmt: skip
@given(graph=graphs, readings=READINGS)
def test_any_coder(engine, coder, graph, readings):
    p = program(graph, coder=coder)
    same(engine(p, images(), readings), run_steploop(p, images(), readings))


def of(neuron, graph, bias=None):
    """The graph with that neuron everywhere."""
    numbers = {name: (unit.theta, unit.v0, bias) for name, unit in program(graph).units.items()}
    return Program(graph, {name: neuron(**dict(zip(("theta", "v0", "bias"), each, strict=True)))
                           for name, each in numbers.items()})  # fmt: skip


@pytest.mark.parametrize("neuron", NEURONS.values(), ids=NEURONS)
@settings(max_examples=5)
@given(graph=graphs, biased=st.booleans())
def test_any_neuron(engine, neuron, graph, biased):
    p = of(neuron, graph, torch.tensor(-0.125) if biased else None)
    same(engine(p, images(), [1, 4, 9]), run_steploop(p, images(), [1, 4, 9]))


@pytest.mark.parametrize("neuron", [v for k, v in NEURONS.items() if "leaky" not in k])
def test_any_neuron_over_several_chunks(engine, neuron):
    p = of(neuron, network(["layer", "residual", "average", "concat"], seed=7))
    readings = [3, CHUNK, CHUNK + 1, 40]
    same(engine(p, images(5), readings), run_steploop(p, images(5), readings))


@given(kinds=st.lists(st.sampled_from(["layer", "residual", "concat", "average"]), max_size=2),
       seed=st.integers(0, 99))  # fmt: skip
def test_where_sums_are_rounded_every_spike_is_right_but_for_rounding(engine, kinds, seed):
    """Whatever the weights: given what it received, no neuron spikes, or is silent, that stands
    further from its threshold than float32 sums can err."""
    graph = network(["layer", *kinds], seed)
    random = torch.Generator().manual_seed(seed)
    scaled = {k: t * torch.rand(t.shape, generator=random) for k, t in graph.tensors.items()}
    p = program(graph.with_nodes(graph.nodes, scaled))
    x = torch.rand(1, 2, 4, 4, generator=random)
    counts = engine(p, x, list(range(1, 13))).counts
    assert max(misplaced(p, x, counts).values()) < 1e-5


@pytest.mark.parametrize(("stride", "padding"), [(2, 0), (1, 0), (1, 1)])
def test_gated_pools(engine, stride, padding):
    b = Builder(4)
    x = b.max(b.layer(".0"), stride, padding)
    first = b.max(b.shift(".0"))  # on a current that stands still
    p = program(b.graph(b.node("add", b.head(b.layer(x)), b.head(first))))
    readings = [2, CHUNK, CHUNK + 3]
    same(engine(p, images(), readings), run_steploop(p, images(), readings))


def test_pools_before_their_neurons(engine):
    from isospike.graph.pool import apply_pool_policy

    b = Builder(5)
    graph = apply_pool_policy(b.graph(b.head(b.max(b.layer(b.layer(".0"))))), "pre-neuron")
    assert "max_current" in [node.op for node in graph.nodes]
    p = program(graph)
    same(engine(p, images(), [3, 20]), run_steploop(p, images(), [3, 20]))


def test_a_value_that_stands_still_meets_one_that_moves(engine):
    """Input and constant segments read by the body, by a site and by the read-out."""
    b = Builder(6)
    still = b.conv(".0")
    joined = b.act(b.node("add", b.conv(b.act(still)), still))
    out = b.node("add", b.node("add", joined, still), ".0")
    p = program(b.graph(b.head(out)))
    same(engine(p, images(), [1, 7, 33]), run_steploop(p, images(), [1, 7, 33]))


def test_a_network_without_sites_is_the_network(engine):
    p = program(network(["average"]))
    run = engine(p, images(), [1, 7])
    same(run, run_steploop(p, images(), [1, 7]))
    assert torch.equal(run.outputs[7], p.unspike(7)(images()))


def test_more_images_than_one_piece_of_work(engine):
    p = program(network(["residual"], seed=2))
    x = images(150)
    run = engine(p, x, [2, 5])
    same(run, run_steploop(p, x, [2, 5]))
    parts = [engine(p, part, [2, 5]) for part in x.split(7)]
    for steps in (2, 5):
        assert torch.equal(run.outputs[steps], torch.cat([part.outputs[steps] for part in parts]))


@given(graph=graphs, count=st.integers(1, 6))
def test_one_pass_reads_what_separate_passes_read(engine, graph, count):
    p = program(graph)
    whole = engine(p, images(), [count, 3 * count, 20])
    for steps in (count, 3 * count, 20):
        alone = engine(p, images(), [steps])
        assert torch.equal(whole.outputs[steps], alone.outputs[steps])
        for site in alone.counts:
            assert torch.equal(whole.counts[site][steps], alone.counts[site][steps])


def test_without_tally_nothing_is_counted_and_the_answer_stays(engine):
    p = program(network(["residual", "layer"]))
    quiet = engine(p, images(), [4], tally=False)
    assert quiet.counts == {}
    assert torch.equal(quiet.outputs[4], engine(p, images(), [4]).outputs[4])
