"""Statistics of activations: exact, and the same however the images come."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import Builder, images, network
from common.sites import stats_of
from isospike.errors import DataError
from isospike.fit.calibration import Calibration
from isospike.fit.observe import BINS, channels_first, observe
from isospike.graph.graph import execute


def calibration(loader):
    return Calibration.collect(loader, (2, 4, 4), torch.float32)


def activations(graph, x):
    found = {}
    execute(graph, x, watch=lambda node, value: found.update({node.name: value}))
    return {node.name: found[node.name] for node in graph.sites}


@pytest.mark.parametrize("kind", ["residual", "concat", "average"])
def test_against_a_plain_count(kind):
    graph, x = network(["layer", kind, "layer"], seed=2), images(70, seed=1)
    stats = observe(graph, calibration([x]))
    for name, values in activations(graph, x).items():
        plain = stats_of(values.movedim(1, -1).reshape(-1, values.shape[1]), values.dim() - 1)
        assert torch.equal(stats[name].maxima, plain.maxima)
        assert torch.equal(stats[name].counts, plain.counts)
        assert torch.equal(stats[name].peaks, values.amax(0))
        assert stats[name].values == values[:, 0].numel()


@given(st.integers(1, 40), st.randoms(use_true_random=False))
def test_batch_split_and_order_change_nothing(size, random):
    graph, x = network(["residual"], seed=4), images(100, seed=2)
    order = random.sample(range(100), 100)
    one, other = observe(graph, calibration([x])), observe(graph, calibration(x[order].split(size)))
    for name, stats in one.items():
        assert torch.equal(stats.peaks, other[name].peaks)
        assert torch.equal(stats.maxima, other[name].maxima)
        assert torch.equal(stats.counts, other[name].counts)


def test_more_images_never_lower_a_maximum():
    graph, x = network(["residual", "layer"], seed=5), images(90, seed=3)
    fewer, more = (observe(graph, calibration([x[:n]])) for n in (30, 90))
    for name, stats in fewer.items():
        assert (more[name].maxima >= stats.maxima).all()
        assert more[name].values == 3 * stats.values


def dead(channels):
    """A network whose first activation is never positive in these channels."""
    b = Builder(6)
    x = b.conv(".0")
    b.tensors[f"{x}.bias"][channels] = -100.0
    return b.graph(b.layer(b.act(x)))


def test_a_dead_channel_takes_the_largest_maximum_of_its_site():
    stats = observe(dead([1]), calibration([images(20)]))
    first = next(iter(stats.values()))
    assert first.maxima[1] == first.maxima[0] > 0
    assert first.counts[1].sum() == 0


def test_a_dead_site_is_warned_of_and_gets_one():
    graph = dead([0, 1])
    with pytest.warns(UserWarning, match=f"{graph.sites[0].name}: never active"):
        stats = observe(graph, calibration([images(20)]))
    assert stats[graph.sites[0].name].maxima.tolist() == [1.0, 1.0]


def test_an_overflow_is_told_with_its_first_site():
    b = Builder(7)
    x = b.layer(".0")
    y = b.conv(x)
    b.tensors[f"{y}.weight"] *= 1e38
    graph = b.graph(b.layer(b.act(y)))
    with pytest.raises(DataError, match=rf"{graph.sites[1].name} .*infinite"):
        observe(graph, calibration([images(20)]))


def test_bins_end_at_the_maximum():
    stats = stats_of(torch.tensor([[0.5, 2.0], [3.0, 0.0], [1.0, 0.25]]))
    assert torch.equal(stats.edges[:, -1], stats.maxima)
    assert torch.allclose(stats.edges - stats.centres, stats.maxima[:, None] / BINS / 2, rtol=1e-3)
    assert stats.shaped(stats.maxima).shape == (2,)


def test_channels_come_first():
    assert channels_first(torch.arange(24).reshape(2, 3, 4)).tolist() == [
        [0, 1, 2, 3, 12, 13, 14, 15], [4, 5, 6, 7, 16, 17, 18, 19], [8, 9, 10, 11, 20, 21, 22, 23]
    ]  # fmt: skip
