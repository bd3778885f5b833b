"""The read-out by spikes: the right class at the right rate, the same from every engine."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import isospike as iso
from common.nets import graphs, images, program
from isospike.engine import run
from isospike.engine.decoder import softmax_spikes
from isospike.errors import UsageError
from isospike.schedule import Synchronous
from zoo.tiny import converted

DRAWN = Synchronous(decoder="softmax", seed=3)


@pytest.mark.parametrize("engine", ["dense", "steploop", "events"])
@given(graph=graphs)
def test_the_papers_loop(engine, graph):
    """At each step: V += y, a class from softmax(V) by the number of that step."""
    x, steps = images(3), [2, 7]
    logits = run(program(graph), x, list(range(1, 8))).outputs
    u = torch.rand(7, generator=torch.Generator().manual_seed(3)).tolist()
    places = {t: y.movedim(1, -1).flatten(0, -2) for t, y in logits.items()}  # one row each
    fired = torch.zeros_like(places[1])
    found = run(program(graph, DRAWN), x, steps, engine=engine)
    for t in range(1, 8):
        for row, p in zip(fired, (places[t] * t).softmax(1), strict=True):
            first = [i for i, share in enumerate(p.cumsum(0)) if share > u[t - 1]]
            row[first[0] if first else -1] += 1
        if t in steps:
            assert torch.equal(found.outputs[t].movedim(1, -1).flatten(0, -2), fired / t)
    plain = run(program(graph), x, steps, engine=engine)
    for site, at in plain.counts.items():
        assert all(torch.equal(at[t], found.counts[site][t]) for t in steps)


def test_an_image_does_not_know_its_neighbours():
    p = converted(iso.recipe("rueckauer", {"schedule.decoder": "softmax"})).program
    x = torch.rand(9, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    whole = run(p, x, 8).outputs[8]
    assert torch.equal(run(p, x[4:5], 8).outputs[8], whole[4:5])


@given(st.integers(0, 10))
def test_spikes_come_as_often_as_softmax_says(seed):
    y = torch.tensor([[0.3, -0.2, 0.9]])
    means = {t: y / t for t in range(1, 2001)}  # V stays y
    shares = softmax_spikes(means, [2000], seed)[2000]
    torch.testing.assert_close(shares, y.softmax(1), atol=0.06, rtol=0)


def test_places_have_a_class_each():
    means = {t: torch.randn(2, 3, 4, 5) for t in range(1, 5)}
    shares = softmax_spikes(means, [4], 0)[4]
    assert shares.shape == (2, 3, 4, 5)
    assert torch.equal(shares.sum(1), torch.ones(2, 4, 5))


@pytest.mark.parametrize("coder", ["if", "on-off"])
def test_a_coder_of_one_t_has_a_run_for_each(coder):
    chosen = iso.recipe("rueckauer", {"schedule.decoder": "softmax", "coder": coder})
    p, x = converted(chosen).program, torch.rand(5, 2, 8, 8)
    both, alone = run(p, x, [4, 8]), run(p, x, 4)
    assert torch.equal(both.outputs[4], alone.outputs[4])
    assert all(torch.equal(at[4], alone.counts[site][4]) for site, at in both.counts.items())


def test_what_a_drawn_read_out_cannot():
    with pytest.raises(UsageError, match="has no delay"):
        iso.recipe("ltb", {"schedule.decoder": "softmax"})
    with pytest.raises(UsageError, match="any number of steps"):
        converted(iso.recipe("rueckauer", {"schedule.decoder": "softmax"})).stream()
