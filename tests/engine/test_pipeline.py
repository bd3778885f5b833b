"""Several images in flight, each in its own phase, and none disturbs another."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import Builder, graphs, images, network, program
from common.runs import same
from isospike.engine.pipeline import phases, run_pipelined
from isospike.engine.steploop import run_steploop
from isospike.schedule import Separated

SCHEDULES = [Separated(k, extra) for k in (1.0, 1.5, 2.0) for extra in (0, 1)]
schedules = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)


def in_flight(p, steps, count=3):
    batches = [images(2, seed) for seed in range(count)]
    together = run_pipelined(p, batches, steps)
    assert len(together) == count
    for x, run in zip(batches, together, strict=True):
        same(run, run_steploop(p, x, [steps]))


@schedules
@pytest.mark.parametrize("kind", ["layer", "residual", "long", "concat", "average", "difference"])
def test_three_images_in_flight_are_three_single_runs(schedule, kind):
    in_flight(program(network(["layer", kind, "layer"], seed=4), schedule), 3)


@given(graphs, st.sampled_from(SCHEDULES), st.integers(1, 4))
def test_any_network(graph, schedule, steps):
    in_flight(program(graph, schedule), steps)


def test_one_early_value_read_twice_by_one_node():
    """Each input of a node has a delay line of its own."""
    b = Builder(2)
    deep = b.layer(b.layer(".0"))
    out = b.node("cat", deep, ".0", ".0", dim=1, becomes=(6, 4, 4))
    in_flight(program(b.graph(b.head(b.layer(out, 2))), Separated(2.0)), 4)


def test_a_capped_phase():
    """T = 60 at k = 2: eight steps of each phase are silent, and the phases stay in step."""
    in_flight(program(network(["residual"], seed=3), Separated(2.0)), 60)


def test_phases_are_the_sites_above():
    b = Builder(1)
    first = b.layer(".0")
    second = b.layer(first)
    joined = b.node("add", second, first)
    graph = b.graph(b.head(joined))
    assert phases(graph)[".0"] == 0
    assert [phases(graph)[name] for name in (first, second, joined, graph.output)] == [1, 2, 2, 2]


def test_the_program_accounts_for_every_step():
    """(D + 1) phases until the answer, one image every two."""
    p = program(network(["long", "layer"]), Separated(2.0, extra=1))
    assert p.depth == 5
    assert p.latency(4) == 6 * 5
    assert p.schedule.interval(4) == 2 * 5
    assert torch.equal(
        run_pipelined(p, [images()], 4)[0].outputs[4], run_steploop(p, images(), [4]).outputs[4]
    )
