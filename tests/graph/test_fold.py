"""Folding keeps the function, does all it can, and has nothing left to do the second time."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import Builder, dyadic, images, network
from isospike.graph.fold import fold
from isospike.graph.graph import execute


def scale_shift(b: Builder, x: str, roles=("scale", "shift"), shape=(2, 1, 1)) -> str:
    tensors = {role: dyadic(b.random, *shape, unit=2.0, most=4) for role in roles}
    return b.node("scale_shift", x, tensors=tensors)


@st.composite
def chains(draw):
    """Convolutions, activations and every kind of scale and shift in a row."""
    b, x = Builder(draw(st.integers(0, 100))), ".0"
    for kind in draw(
        st.lists(
            st.sampled_from(["conv", "act", "both", "scale", "shift", "place", "one", "add"]),
            min_size=1,
            max_size=7,
        )
    ):
        if kind == "conv":
            x = b.conv(x)
        elif kind == "act":
            x = b.act(x)
        elif kind == "add":
            x = b.node("add", x, scale_shift(b, x))
        elif kind == "place":
            x = scale_shift(b, x, shape=(2, 4, 4))
        elif kind == "one":
            x = scale_shift(b, x, shape=())
        else:
            x = scale_shift(b, x, ("scale", "shift") if kind == "both" else (kind,))
    return b.graph(x)  # fmt: skip


@given(chains())
def test_the_function_is_kept_and_folding_is_idempotent(graph):
    graph = graph.map_tensors(torch.Tensor.double)
    x = images(dtype=torch.float64)
    once = fold(graph)
    assert torch.equal(execute(once, x), execute(graph, x))
    twice = fold(once)
    assert twice.nodes == once.nodes
    assert twice.output == once.output
    assert twice.tensors.keys() == once.tensors.keys()
    assert all(twice.tensors[key] is tensor for key, tensor in once.tensors.items())


@given(chains())
def test_nothing_that_can_fold_is_left(graph):
    graph = fold(graph)
    readers = graph.consumers()
    for node in graph.nodes:
        if node.op == "scale_shift" and len(readers[node.inputs[0]]) == 1:
            before = graph[node.inputs[0]]
            per_place = any(t.numel() > 2 for t in graph.parameters_of(node).values())
            assert before.op not in ("conv", "scale_shift") or per_place


def test_the_graph_given_is_unchanged():
    b = Builder(1)
    graph = b.graph(scale_shift(b, b.conv(".0")))
    before = {key: tensor.clone() for key, tensor in graph.tensors.items()}
    nodes = graph.nodes
    fold(graph)
    assert graph.nodes == nodes
    assert all(torch.equal(graph.tensors[key], tensor) for key, tensor in before.items())


def test_a_layer_that_others_read_keeps_its_weights():
    b = Builder(2)
    x = b.conv(".0")
    graph = b.graph(b.node("add", scale_shift(b, x), b.act(x)))
    folded = fold(graph)
    assert [node.op for node in folded.nodes] == [node.op for node in graph.nodes]


def test_weights_and_bias_of_one_channel():
    """y = (W x + b) s + t, by hand: s goes with the output channels of W."""
    b = Builder(3)
    conv = b.conv(".0")
    graph = b.graph(scale_shift(b, conv))
    w, c, s, t = graph.tensors.values()
    folded = fold(graph)
    found = folded.parameters_of(folded[conv])
    assert torch.equal(found["weight"], w * s.reshape(2, 1, 1, 1))
    assert torch.equal(found["bias"], c * s.flatten() + t.flatten())


def test_a_network_without_scales_stays_itself():
    graph = network(["residual", "concat"])
    assert fold(graph) == graph
