"""The plain data of a graph and its execution."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import Builder, graphs, images, network
from isospike.graph.graph import apply, execute, last_uses


@given(graphs)
def test_execution_is_node_by_node(graph):
    values = {graph.input: images()}
    for node in graph.nodes[1:]:
        values[node.name] = apply(graph, node, [values[name] for name in node.inputs])
    seen = {}
    out = execute(graph, images(), watch=lambda node, value: seen.update({node.name: value}))
    assert torch.equal(out, values[graph.output])
    assert all(torch.equal(seen[name], value) for name, value in values.items())


@given(graphs, st.integers(1, 9))
def test_the_gain_of_a_sum_of_frames(graph, count):
    """An affine segment on the sum of n frames with gain n is the sum of n runs."""
    first = graph.sites[0].name if graph.sites else graph.output
    segment = graph.with_nodes(graph.nodes, graph.tensors)
    frames = [images(seed=seed) for seed in range(count)]
    stop = segment[first].inputs[0] if graph.sites else graph.output
    affine = type(graph)(graph.nodes, graph.tensors, stop, graph.input_shape)
    affine = affine.with_nodes(affine.nodes, affine.tensors)
    assert not affine.sites
    total = sum(execute(affine, frame) for frame in frames)
    assert torch.equal(execute(affine, sum(frames), gain=float(count)), total)


@given(graphs)
def test_a_site_function_stands_in_for_every_site(graph):
    seen = []

    def zero(node, z):
        seen.append(node.name)
        return torch.zeros_like(z)

    execute(graph, images(), zero)
    assert seen == [node.name for node in graph.sites]


def test_depth_counts_the_sites_of_the_longest_path():
    graph = network(["long", "residual", "average"])
    assert graph.depths()[graph.output] == 6
    assert graph.depths()[graph.input] == 0


def test_values_are_kept_until_their_last_reader():
    b = Builder()
    x = b.layer(".0")
    y = b.node("add", b.layer(x), x)
    graph = b.graph(b.node("add", y, ".0"))
    dead = last_uses(graph)
    assert dead[graph.output] == [".0", y]
    assert x in dead[y]


def test_nodes_and_tensors_nobody_needs_are_dropped():
    b = Builder()
    x = b.layer(".0")
    b.layer(x)
    graph = b.graph(x)
    kept = graph.with_nodes(graph.nodes, graph.tensors)
    assert [node.op for node in kept.nodes] == ["input", "conv", "relu"]
    assert set(kept.tensors) == {".1.weight", ".1.bias"}


def test_readers_are_listed_once_a_reading():
    b = Builder()
    graph = b.graph(b.node("add", ".0", ".0"))
    assert graph.consumers()[".0"] == [graph.output] * 2
    assert torch.equal(execute(graph, images()), 2 * images())
