"""One pass in place of all steps: the codes and spikes that the pipeline would have sent."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import Builder, graphs, images, network, program
from common.runs import same
from isospike.engine.closed import run_closed
from isospike.engine.steploop import run_steploop
from isospike.errors import UsageError
from isospike.graph.graph import execute
from isospike.schedule import Separated

pytestmark = pytest.mark.usefixtures("kernels")

SCHEDULES = [Separated(k, extra) for k in (1.0, 2.0) for extra in (0, 1)]

structures = pytest.mark.parametrize(
    "kind", ["residual", "long", "concat", "average", "pad", "shift"]
)
schedules = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)


@schedules
@given(graph=graphs, steps=st.integers(1, 8))
def test_any_network(schedule, graph, steps):
    p = program(graph, schedule, bias=torch.tensor(0.125))
    same(run_closed(p, images(), [steps]), run_steploop(p, images(), [steps]))


@schedules
@structures
def test_each_structure(schedule, kind):
    """A shortcut past three sites, branches of depth 0 to 2, pools and constant borders."""
    p = program(network(["layer", kind, "layer"], seed=5), schedule)
    same(run_closed(p, images(), [1, 3, 6]), run_steploop(p, images(), [1, 3, 6]))


@pytest.mark.parametrize("k", [1.25, 1.5])
@given(graph=graphs, steps=st.integers(1, 4), extra=st.integers(0, 1))
def test_bases_between_1_and_2(k, graph, steps, extra):
    """k^T is dyadic too, and exact while it is short."""
    p = program(graph, Separated(k, extra))
    same(run_closed(p, images(), [steps]), run_steploop(p, images(), [steps]))


@given(graphs, st.sampled_from([1, 2, 4, 8, 16]))
def test_k_1_is_the_network_of_quantised_activations(graph, steps):
    """Temporal separation leaves no unevenness: what a layer gets is all that counts."""
    p = program(graph, Separated(1.0))
    answer = run_closed(p, images(), [steps]).outputs[steps]
    assert torch.equal(answer, p.unspike(steps)(images()))


@pytest.mark.parametrize("steps", [23, 25, 30, 38])
def test_long_codes(steps):
    """Codes beyond 24 bits: exact in a float64 network, as good as its weights in a float32 one."""
    b = Builder(7)
    p = program(b.graph(b.head(b.layer(".0"))), Separated(2.0))
    double = p.map_tensors(torch.Tensor.double)
    exact = run_closed(double, images().double(), [steps])
    same(exact, run_steploop(double, images().double(), [steps]))
    narrow = run_closed(p, images(), [steps]).outputs[steps].double()
    assert (narrow - exact.outputs[steps]).abs().max() <= 1e-5 * exact.outputs[steps].abs().max()


def test_steps_beyond_the_grid_change_nothing():
    p = program(network(["residual", "layer"], seed=2), Separated(2.0))
    run = run_closed(p, images(), [52, 64])
    assert torch.equal(run.outputs[52], run.outputs[64])
    for at in run.counts.values():
        assert torch.equal(at[52], at[64])
    steps = run_steploop(p, images(), [64])
    assert torch.allclose(steps.outputs[64], run.outputs[64], rtol=1e-6)


@schedules
def test_the_answer_approaches_the_network_s(schedule):
    """With thresholds above every activation the limit is the network itself."""
    graph = network(["residual", "layer"], seed=1)
    p = program(graph, schedule)
    high = {name: replace(unit, theta=unit.theta * 64) for name, unit in p.units.items()}
    p = replace(p, units=high)
    steps = 4096 if schedule.k == 1.0 else 20
    out, exact = run_closed(p, images(), [steps]).outputs[steps], execute(graph, images())
    assert (out - exact).abs().max() <= 0.01 * exact.abs().max()


def test_a_large_batch_is_its_parts():
    p = program(network(["concat"]), Separated(2.0))
    x = images(150)
    whole = run_closed(p, x, [5])
    parts = [run_closed(p, part, [5]).outputs[5] for part in x.split(11)]
    assert torch.equal(whole.outputs[5], torch.cat(parts))


def test_without_tally_nothing_is_counted_and_the_answer_stays():
    p = program(network(["residual"]), Separated(2.0))
    quiet = run_closed(p, images(), [4], tally=False)
    assert quiet.counts == {}
    assert torch.equal(quiet.outputs[4], run_closed(p, images(), [4]).outputs[4])


def test_other_schedules_and_observers_are_refused_by_name():
    p = program(network(["layer"]))
    with pytest.raises(UsageError, match="engine='dense'"):
        run_closed(p, images(), [4])
    with pytest.raises(UsageError, match="engine='steploop'"):
        run_closed(program(network(["layer"]), Separated()), images(), [4], [object()])
