"""A bias moved into the layer before its neuron changes no spike."""

from dataclasses import replace

import pytest
import torch

from common.nets import Builder, dyadic, images, network, program
from common.runs import same
from isospike.engine import run
from isospike.fit.fold_bias import fold_biases
from isospike.graph.graph import Graph, execute
from isospike.program import Program
from isospike.schedule import Separated


def biased(graph: Graph, schedule=None) -> Program:
    """A dyadic bias of its own for every channel of every site."""
    p, generator = program(graph, schedule), torch.Generator().manual_seed(1)
    shapes = {}
    execute(graph, images(1), watch=lambda node, value: shapes.update({node.name: value.shape[1:]}))
    units = {
        name: replace(unit, bias=dyadic(generator, shapes[name][0], *[1] * (len(shapes[name]) - 1)))
        for name, unit in p.units.items()
    }
    return replace(p, units=units)


@pytest.mark.parametrize("schedule", [None, Separated(2.0)], ids=str)
@pytest.mark.parametrize("kind", ["layer", "residual", "concat", "shift", "difference"])
def test_the_same_spikes(kind, schedule):
    p = biased(network(["layer", kind, "layer"], seed=3), schedule)
    folded = fold_biases(p)
    same(run(folded, images(), [1, 5]), run(p, images(), [1, 5]))
    assert any(unit.bias is None for unit in folded.units.values())


def test_all_of_a_plain_network_moves():
    folded = fold_biases(biased(network(["layer", "residual"], seed=3)))
    assert all(unit.bias is None for unit in folded.units.values())


def test_a_layer_without_bias_gets_one():
    b = Builder(4)
    x = b.conv(".0")
    del b.nodes[-1].tensors["bias"], b.tensors[f"{x}.bias"]
    p = biased(b.graph(b.act(x)))
    folded = fold_biases(p)
    same(run(folded, images(), 6), run(p, images(), 6))
    assert folded.graph.parameters_of(folded.graph[x])["bias"].shape == (2,)


def test_where_there_is_no_layer_of_its_own_the_neuron_keeps_it():
    """Another reader of the layer, a shift between, the input itself."""
    b = Builder(5)
    x = b.conv(".0")
    out = b.node("add", b.act(x), x)
    for graph in (b.graph(out), network(["shift"]), Builder(6).graph(".0")):
        p = biased(graph)
        folded = fold_biases(p)
        same(run(folded, images(), 4), run(p, images(), 4))
        for name, unit in p.units.items():
            assert folded.units[name].bias is unit.bias


@pytest.mark.parametrize("width", [4, 2])
def test_a_linear_layer_over_rows_has_other_channels(width):
    """Its outputs lie along the last axis, the channels of the site along the first."""
    b = Builder(7)
    rows = b.node(
        "linear",
        b.layer(".0"),
        tensors={"weight": dyadic(b.random, width, 4)},
        becomes=(2, 4, width),
    )
    p = biased(b.graph(b.act(rows)))
    folded = fold_biases(p)
    same(run(folded, images(), 4), run(p, images(), 4))
