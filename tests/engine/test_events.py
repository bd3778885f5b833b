"""Walking the spikes gives the spikes of the step loop, bit for bit where sums are exact."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from common.nets import Builder, block, dyadic, images, network, program
from common.runs import misplaced, same
from isospike.engine import native, run
from isospike.engine.cost import Cost
from isospike.engine.dense import CHUNK
from isospike.engine.events import run_events
from isospike.engine.layers import prepared
from isospike.engine.native.matrix import available
from isospike.engine.native.trains import Room, Trains
from isospike.engine.steploop import run_steploop
from isospike.errors import UsageError
from isospike.program import Program
from isospike.schedule import Separated
from isospike.units.binary import IF
from isospike.units.signed import Signed

pytestmark = pytest.mark.skipif(native.kernels is None, reason="no compiler: no native kernels")

WAYS = [
    "walk",
    pytest.param("multiply", marks=pytest.mark.skipif(not available(), reason="no matrix unit")),
]
READINGS = st.lists(st.integers(1, 2 * CHUNK + 5), min_size=1, max_size=3, unique=True).map(sorted)


sizes = st.integers(1, 40)


@st.composite
def windows(draw):
    pair = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))  # noqa: E731
    return {
        "kernel": pair(1, 3),
        "stride": pair(1, 2),
        "padding": pair(0, 2),
        "dilation": pair(1, 2),
    }


def convolved(b, x, out, kernel, stride, padding, dilation, groups=1):
    """A convolution of x with weights of eighths, and the size of what it gives."""
    inside, *size = b.shapes[x]
    after = [
        (s + 2 * p - d * (k - 1) - 1) // step + 1
        for s, k, step, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    ]
    assume(min(after) > 0)
    weight = dyadic(b.random, out, inside // groups, *kernel)
    tensors = {"weight": weight, "bias": dyadic(b.random, out)}
    return b.node(
        "conv", x, tensors=tensors, stride=stride, padding=padding, dilation=dilation,
        groups=groups, becomes=(out, *after),
    )  # fmt: skip


def neurons(graph, shapes, seed, neuron=IF):
    """One threshold, bias and first potential per channel, all dyadic."""
    random, units = torch.Generator().manual_seed(seed), {}
    for node in graph.sites:
        each = (shapes[node.name][0], *[1] * (len(shapes[node.name]) - 1))
        theta = 2.0 ** torch.randint(-1, 3, each, generator=random)
        v0 = dyadic(random, *shapes[node.name], unit=4, most=3)
        unit = neuron(theta=theta, v0=v0, bias=dyadic(random, *each))
        if unit.drift is not None:
            drift = unit.drift.view(-1, *[1] * len(each))
            unit = replace(unit, drift=drift + dyadic(random, *each))
        units[node.name] = unit
    return units


KINDS = [
    IF, partial(IF, cap=3), partial(IF, drift=torch.tensor([0.5, -0.25]).view(2, 1, 1, 1)), Signed,
    partial(Signed, low=0.5, cap=2),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@given(sizes, sizes, windows(), st.booleans(), st.booleans(), st.sampled_from(KINDS),
       st.integers(0, 99))  # fmt: skip
def test_any_convolution(way, inside, out, window, depthwise, pooled, neuron, seed):
    """Stride, padding, dilation, width; depthwise; behind an average pooling; then a linear layer."""
    b = Builder(seed)
    x = b.act(convolved(b, ".0", inside, (3, 3), (1, 1), (3, 3), (1, 1)))
    x = b.avg(x) if pooled else x
    out, groups = (inside, inside) if depthwise else (out, 1)
    y = b.act(convolved(b, x, out, *window.values(), groups=groups))
    graph = b.graph(b.act(b.head(y)))
    p = Program(graph, neurons(graph, b.shapes, seed, neuron))
    same(run_events(p, images(2), [1, 5, 18], way=way), run_steploop(p, images(2), [1, 5, 18]))


@pytest.mark.parametrize("way", WAYS)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 9), windows(), st.booleans(),
       st.sampled_from(KINDS), st.integers(0, 99))  # fmt: skip
def test_any_grouped_convolution(way, groups, inside, out, window, pooled, neuron, seed):
    """Groups that fill blocks of channels, share one or reach over its end."""
    b = Builder(seed)
    x = b.act(convolved(b, ".0", groups * inside, (3, 3), (1, 1), (3, 3), (1, 1)))
    x = b.avg(x) if pooled else x
    y = b.act(convolved(b, x, groups * out, *window.values(), groups=groups))
    graph = b.graph(b.act(b.head(y)))
    p = Program(graph, neurons(graph, b.shapes, seed, neuron))
    layers = prepared(p).at
    assert len(layers) == 3
    assert not any(layer.segment.frames for layer in layers.values())
    same(run_events(p, images(2), [1, 18], way=way), run_steploop(p, images(2), [1, 18]))


@pytest.mark.parametrize("way", WAYS)
@given(sizes, sizes, st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.integers(1, 2),
       st.booleans(), st.sampled_from(KINDS), st.integers(0, 99))  # fmt: skip
def test_any_convolution_along_one_dimension(
    way, inside, out, kernel, stride, padding, dilation, pooled, neuron, seed
):
    b = Builder(seed)
    x = b.node("reshape", ".0", shape=(2, 16), becomes=(2, 16))
    x = b.act(convolved(b, x, inside, (3,), (1,), (1,), (1,)))
    if pooled:
        x = b.node(
            "avg_pool", x, kernel=(2,), stride=(2,), padding=(0,), ceil_mode=False,
            count_include_pad=True, divisor=None, becomes=(inside, 8),
        )  # fmt: skip
    y = b.act(convolved(b, x, out, (kernel,), (stride,), (padding,), (dilation,)))
    z = b.act(b.node("add", convolved(b, y, out, (1,), (1,), (0,), (1,)), y))
    graph = b.graph(b.act(b.head(z)))
    p = Program(graph, neurons(graph, b.shapes, seed, neuron))
    layers = prepared(p).at
    assert len(layers) == 4
    assert not any(layer.segment.frames for layer in layers.values())
    same(run_events(p, images(2), [1, 18], way=way), run_steploop(p, images(2), [1, 18]))


@pytest.mark.parametrize("way", WAYS)
@given(st.integers(17, 70), st.integers(0, 99))
def test_wide_layers_whose_sums_are_rounded(way, channels, seed):
    """As in test_synchronous, for layers that collect."""
    b = Builder(seed)
    x = b.act(convolved(b, ".0", channels, (3, 3), (1, 1), (1, 1), (1, 1)))
    y = b.act(convolved(b, x, channels, (3, 3), (1, 1), (1, 1), (1, 1)))
    graph, random = b.graph(b.head(y)), torch.Generator().manual_seed(seed)
    scaled = {k: t * torch.rand(t.shape, generator=random) for k, t in graph.tensors.items()}
    p = program(graph.with_nodes(graph.nodes, scaled))
    p = replace(p, units=neurons(graph, b.shapes, seed))
    x = torch.rand(1, 2, 4, 4, generator=random)
    counts = run_events(p, x, list(range(1, 9)), way=way).counts
    assert max(misplaced(p, x, counts).values()) < 2e-5


def test_segments_that_have_a_kernel_walk():
    """Convolution, shortcut, concat, pooling and linear layers never fall back to the dense way."""
    b = Builder(3)
    x = block(b, "residual", block(b, "concat", b.layer(".0")))
    x = b.act(b.head(b.layer(b.avg(x))))
    p = program(b.graph(x))
    p = replace(p, units=neurons(p.graph, b.shapes, 1))
    layers = prepared(p).at
    assert set(layers) == {node.name for node in p.graph.sites}
    assert not any(layer.segment.frames for layer in layers.values())
    assert [bool(layer.segment.steady) for layer in layers.values()].count(True) == 1
    same(run_events(p, images(), [9]), run_steploop(p, images(), [9]))


@pytest.mark.parametrize("way", ["walk", "cheapest"])
def test_other_neurons_and_types_run_as_in_the_dense_engine(way):
    p = program(network(["residual", "layer"], seed=4))
    unit = p.units[p.graph.sites[1].name]
    each = {p.graph.sites[1].name: replace(unit, theta=unit.theta.expand(2, 4, 4).contiguous())}
    mixed = replace(p, units={**p.units, **each})
    assert len(prepared(mixed).at) == len(p.units) - 1
    same(run_events(mixed, images(), [7], way=way), run_steploop(mixed, images(), [7]))
    double = p.map_tensors(torch.Tensor.double)
    x = images().double()
    same(run_events(double, x, [7], way=way), run_steploop(double, x, [7]))


def test_a_network_written_over_is_read_again():
    p = program(network(["layer", "layer"], seed=5))
    before = run_events(p, images(), [6])
    for tensor in p.graph.tensors.values():
        tensor.mul_(0.5)
    after = run_events(p, images(), [6])
    same(after, run_steploop(p, images(), [6]))
    assert not torch.equal(before.outputs[6], after.outputs[6])


def test_no_images_and_no_spikes():
    p = program(network(["residual", "layer"]))
    assert run_events(p, images(0), [3]).outputs[3].shape[0] == 0
    silent = {n: replace(u, theta=torch.tensor(1024.0)) for n, u in p.units.items()}
    p = replace(p, units=silent)
    same(run_events(p, images(), [3]), run_steploop(p, images(), [3]))


def test_what_it_cannot_do_is_refused_by_name(monkeypatch):
    p = program(network(["layer"]))
    with pytest.raises(UsageError, match="engine='dense'"):
        run_events(p, images(), [4], [object()])
    with pytest.raises(UsageError, match="engine='closed'"):
        run(program(network(["layer"]), Separated()), images(), 4, engine="events")
    monkeypatch.setattr(native, "ENABLED", False)
    with pytest.raises(UsageError, match="ISOSPIKE_NATIVE"):
        run(p, images(), 4, engine="events")
    same(run(p, images(), 4), run_steploop(p, images(), [4]))


def test_the_dense_way_where_it_is_cheaper():
    p = program(network(["layer", "layer"], seed=1))
    layer = prepared(p).at[p.graph.sites[1].name]
    trains = Trains.empty((4, 2, 4, 4, 2), torch.ones(2), 3, Room())
    trains.spikes.fill_(1)
    full = {p.graph.sites[0].name: trains}
    assert Cost(1.0, 0.0, 0.1, 0.0).prefers_dense(layer, full, 8)
    assert not Cost(1.0, 0.0, 1.0, 0.0).prefers_dense(layer, full, 8)
    assert not Cost(0.0, 1.0, 0.0, 1.0).prefers_dense(layer, full, 8)
    assert layer.synops(full) == 8 * 16 * 2 * 9 * 2  # every weight, once a frame and pixel


@pytest.mark.skipif(not available(), reason="no matrix unit")
@pytest.mark.parametrize(("out", "wanted"), [(128, [False, True]), (64, [False, False])])
def test_the_matrix_unit_where_spikes_and_channels_are_many(out, wanted):
    b = Builder(0)
    graph = b.graph(b.head(b.layer(b.layer(".0", 64), out)))
    p = Program(graph, neurons(graph, b.shapes, 0))
    layer = prepared(p).at[p.graph.sites[1].name]
    trains = Trains.empty((4, 2, 4, 4, 64), torch.ones(64), 3, Room())
    found = []
    for each in (0, 1):
        trains.spikes.fill_(each)
        found.append(
            layer.multiply_is_faster({p.graph.sites[0].name: replace(trains, _lists={})}, 8)
        )
    assert found == wanted


def test_without_a_matrix_unit_the_engine_of_that_name_is_refused(monkeypatch):
    monkeypatch.setattr("isospike.engine.events.available", lambda: False)
    with pytest.raises(UsageError, match=r"AMX.*engine='auto'"):
        run(program(network(["layer"])), images(), 4, engine="matrix")
