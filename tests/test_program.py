"""A program is data: what is derived from it, and what changing its tensors keeps."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import Builder, graphs, images, network, program
from isospike.graph.graph import execute
from isospike.program import map_unit
from isospike.schedule import Separated


@given(graphs, st.integers(1, 16))
def test_unspike_is_the_network_of_static_transfers(graph, steps):
    p = program(graph)
    expected = execute(graph, images(), lambda node, z: p.units[node.name].dual(z, steps))
    assert torch.equal(p.unspike(steps)(images()), expected)


def test_unspike_of_one_layer_is_what_it_does_under_a_held_image():
    """One site, constant drive: the dual is the whole truth."""
    from isospike.engine import run

    b = Builder(3)
    p = program(b.graph(b.head(b.layer(".0"))))
    for steps in (1, 4, 32):
        assert torch.equal(run(p, images(), steps).outputs[steps], p.unspike(steps)(images()))


def test_every_tensor_is_reached():
    p = program(network(["residual"]), bias=torch.tensor(0.5), source=network(["residual"]))
    double = p.map_tensors(torch.Tensor.double)
    assert all(t.dtype == torch.float64 for t in double.graph.tensors.values())
    assert all(t.dtype == torch.float64 for t in double.source.tensors.values())
    for unit in double.units.values():
        assert {unit.theta.dtype, unit.v0.dtype, unit.bias.dtype} == {torch.float64}
    assert all(t.dtype == torch.float32 for t in p.graph.tensors.values())


def test_other_knobs_of_a_unit_stay():
    unit = next(iter(program(network(["layer"]), reset="hard").units.values()))
    assert map_unit(unit, torch.Tensor.double).reset == "hard"
    radix = next(iter(program(network(["layer"]), Separated(1.5, 2)).units.values()))
    assert map_unit(radix, torch.Tensor.double).code == radix.code


def test_depth_and_latency():
    p = program(network(["long", "layer"]), Separated(2.0, extra=1))
    assert (p.depth, p.latency(4)) == (5, 30)
    assert program(network(["long", "layer"])).latency(4) == 4
