"""A stream is the batch run, frame by frame; two of them know nothing of each other."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import isospike as iso
from common.nets import graphs, images, network, program
from common.units import NEURONS
from isospike.engine import run
from isospike.engine.stream import Stream
from isospike.network import SpikingNetwork
from isospike.schedule import Separated, Settled, Synchronous
from isospike.units.coders import Bernoulli, Frames

KINDS = ["layer", "residual", "average", "layer"]


def movie(count: int, batch: int = 3) -> torch.Tensor:
    """[T, B, ...]"""
    return images(count * batch, seed=count).unflatten(0, (count, batch))


def counted(stream: Stream, expected, steps: int) -> bool:
    return all(torch.equal(n, expected.counts[site][steps]) for site, n in stream.counts.items())


@given(graphs, st.lists(st.integers(1, 20), min_size=1, max_size=4))
def test_holding_an_image_is_the_run_at_every_reading(graph, parts):
    p, x = program(graph, bias=torch.tensor(0.125)), images()
    readings = torch.tensor(parts).cumsum(0).tolist()
    expected = run(p, x, readings, engine="steploop")
    stream = Stream(p)
    for steps, count in zip(readings, parts, strict=True):
        assert torch.equal(stream.hold(x, count), expected.outputs[steps])
        assert stream.steps == steps
        assert counted(stream, expected, steps)


@given(graphs, st.integers(1, 20))
def test_frames_are_the_run_on_frames(graph, count):
    p, frames = replace(program(graph), coder=Frames()), movie(count)
    expected = run(p, frames.transpose(0, 1), [count], engine="steploop")
    one, whole = Stream(p), Stream(p)
    for frame in frames:
        found = one.step(frame)
    assert torch.equal(found, expected.outputs[count])
    assert torch.equal(whole.step(frames), found)
    assert counted(one, expected, count)
    batch = SpikingNetwork(program(graph), 1).run_frames(frames)
    assert torch.equal(batch.outputs[count], found)


def test_a_buffer_that_is_written_over_is_a_new_image():
    p = program(network(KINDS, seed=1))
    buffer, one, two = images(), Stream(p), Stream(p)
    one.hold(buffer, 2)
    two.hold(buffer.clone(), 2)
    assert torch.equal(one.go_on(2), two.hold(buffer, 2))
    buffer.copy_(images(seed=5))
    assert torch.equal(one.hold(buffer), two.hold(images(seed=5)))


def test_two_streams_side_by_side():
    p = program(network(KINDS, seed=1))
    first, second = movie(6), movie(6).flip(0) * 2
    alone = [Stream(p).step(frames) for frames in (first, second)]
    streams = [Stream(p), Stream(p)]
    for a, b in zip(first, second, strict=True):
        together = [streams[0].step(a), streams[1].step(b)]
    assert all(torch.equal(a, b) for a, b in zip(together, alone, strict=True))
    assert not torch.equal(*together)


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
def test_samples_that_leave_change_nothing_for_those_that_go_on(build):
    p = program(network([*KINDS, "layer"], seed=2))
    p = replace(p, units={n: build(u.theta, u.v0) for n, u in p.units.items()})
    x, rows = images(6), torch.tensor([True, False, True, True, False, True])
    whole, fewer = Stream(p), Stream(p)
    whole.hold(x, 5)
    fewer.hold(x, 5)
    fewer.keep(rows)
    torch.testing.assert_close(fewer.hold(x[rows], 7), whole.hold(x, 7)[rows])
    with pytest.raises(iso.DataError, match="4 samples go on, got frames of 6"):
        fewer.hold(x.clone())


def test_a_pool_goes_on_with_fewer_samples():
    from common.nets import Builder

    b = Builder(4)
    p = program(b.graph(b.head(b.max(b.layer(".0")))))
    x, rows = images(4), torch.tensor([False, True, True, False])
    whole, fewer = Stream(p), Stream(p)
    whole.hold(x, 3)
    fewer.hold(x, 3)
    fewer.keep(rows)
    assert torch.equal(fewer.hold(x[rows], 2), whole.hold(x, 2)[rows])


def test_refusals():
    p = program(network(["layer"]))
    for schedule in (Separated(), Settled(), Synchronous(delay=2)):
        with pytest.raises(iso.UsageError, match="synchronous recipe"):
            Stream(replace(p, schedule=schedule))
    with pytest.raises(iso.DataError, match=r"expected images \[B, 2, 4, 4\], got \[2, 4\]"):
        Stream(p).hold(torch.zeros(2, 4))
    with pytest.raises(iso.UsageError, match="coder=direct"):
        Stream(replace(p, coder=Bernoulli()))
    stream = Stream(p)
    for count in (0, -1, 10**9):
        with pytest.raises(iso.UsageError, match="goes on by 1 to 10000000 steps"):
            stream.hold(images(), count)
    with pytest.raises(iso.UsageError, match="nothing is held"):
        stream.go_on()
    with pytest.raises(iso.DataError, match="NaN"):
        stream.step(images() * torch.nan)
    assert stream.steps == 0
    snn = SpikingNetwork(p, 4)
    with pytest.raises(iso.DataError, match="3 frames, and 5 steps"):
        snn.run_frames(movie(3), 5)
    with pytest.raises(iso.UsageError, match="step by step"):
        SpikingNetwork(replace(p, schedule=Separated()), 4).run_frames(movie(3))
