"""Readings, counters and the choice of an engine."""

import pytest
import torch

from common.nets import Builder, images, network, program
from common.runs import same
from isospike.engine import ENGINES, run
from isospike.engine.run import Run, below_sites, checked_steps, tail
from isospike.errors import UsageError
from isospike.schedule import Separated


@pytest.mark.parametrize("steps", [0, -1, 2.0, True, "4", None, 10_000_001, [4, 0], []])
def test_steps_that_are_no_positive_whole_numbers(steps):
    with pytest.raises((UsageError, TypeError)) as error:
        checked_steps(steps if isinstance(steps, list) else [steps])
    assert error.type is UsageError
    assert "steps" in str(error.value)


def test_steps_are_sorted_and_unique():
    assert checked_steps([32, 4, 4]) == [4, 32]
    assert checked_steps(8) == [8]


def test_readings_come_sorted_whatever_their_order():
    p = program(network(["layer"]))
    same(run(p, images(), [5, 2, 5]), run(p, images(), [2, 5]))


def test_the_schedule_chooses_the_engine():
    graph = network(["residual"])
    for p, engine in ((program(graph), "dense"), (program(graph, Separated()), "closed")):
        same(run(p, images(), 4), ENGINES[engine](p, images(), [4]))
        same(run(p, images(), 4), run(p, images(), 4, engine="steploop"))


@pytest.mark.parametrize(("engine", "schedule", "words"), [
    ("dense", Separated(), "engine='closed'"),
    ("closed", None, "engine='dense'"),
    ("fast", None, "steploop, dense, closed"),
])  # fmt: skip
def test_an_engine_that_cannot_is_refused_by_name(engine, schedule, words):
    with pytest.raises(UsageError, match=words):
        run(program(network(["layer"]), schedule), images(), 4, engine=engine)


def test_counters_do_not_lose_spikes():
    """Whole numbers beyond what float32 and bfloat16 hold."""
    counts = Run()
    counts.tally("a", 1, torch.tensor([2.0**24]))
    counts.tally("a", 1, torch.tensor([1.0]))
    assert counts.counts["a"][1].tolist() == [2**24 + 1]
    assert counts.counts["a"][1].dtype == torch.int64


def test_counts_up_to_each_reading():
    counts = Run()
    for steps, spikes in ((2, 3.0), (4, 1.0), (8, 5.0)):
        counts.tally("a", steps, torch.tensor([spikes]))
    counts.accumulate()
    assert {steps: int(n) for steps, n in counts.counts["a"].items()} == {2: 3, 4: 4, 8: 9}


def test_what_moves_and_what_is_read_out():
    b = Builder()
    still = b.conv(".0")
    site = b.act(still)
    moving = b.conv(site)
    last = b.act(moving)
    out = b.head(b.node("add", last, still))
    graph = b.graph(out)
    assert below_sites(graph) == {n.name for n in graph.nodes} - {".0", still}
    assert tail(graph) == {n.name for n in graph.nodes[5:]}
