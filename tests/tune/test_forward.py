"""The differentiable forward pass against the engine and against its own full gradient."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings

from common.nets import Builder, graphs, images, network, program
from isospike.engine import run
from isospike.errors import UsageError
from isospike.graph.graph import Graph, apply
from isospike.tune.forward import Trainable
from isospike.tune.surrogate import Surrogate
from isospike.units.coders import IFCoder

STEPS = 5


def trainable(p, mean=False, steps=STEPS, **settings):
    return Trainable(p, steps, Surrogate(), mean, **settings)


def weighted(logits):
    weight = torch.linspace(-1, 1, logits[0].numel()).reshape(logits.shape[1:])
    return (logits * weight).sum()


def gradients(net, x, feature=1.0):
    logits, rates = net(x)
    loss = weighted(logits) + feature * sum(rate.square().sum() for rate in rates.values())
    named = net.parameters
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {name: g for name, g in zip(named, found, strict=True) if g is not None}


@settings(max_examples=15, deadline=None)
@given(graphs)
def test_the_output_is_that_of_the_engine(graph: Graph):
    p, x = program(graph), images(4)
    expected = run(p, x, STEPS)
    for mean in (False, True):
        logits, rates = trainable(p, mean)(x)
        torch.testing.assert_close(logits, expected.outputs[STEPS])
        for name, rate in rates.items():
            count = expected.counts[name][STEPS]
            got = (rate * STEPS / p.units[name].theta).sum(0).round().to(torch.int64)
            assert torch.equal(got, count)


@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_also_with_coders_pooling_and_a_bias(reset):
    b = Builder(3)
    graph = b.graph(b.head(b.layer(b.max(b.layer(".0")))))
    bias = torch.tensor(0.125)
    p, x = program(graph, reset=reset, bias=bias, coder=IFCoder()), images(4)
    for mean in [False, True] if reset == "soft" else [False]:
        net = trainable(p, mean)
        torch.testing.assert_close(net(x)[0], run(p, x, STEPS).outputs[STEPS])
        assert any(name.startswith("bias.") for name in net.parameters)
        assert all(g.isfinite().all() for g in gradients(net, x).values())


def test_untouched_parameters_are_the_same_program():
    p = program(network(["layer", "residual", "concat"], seed=1))
    again = trainable(p).program()
    for key, tensor in p.graph.tensors.items():
        assert torch.equal(again.graph.tensors[key], tensor)
    for name, unit in p.units.items():
        assert torch.equal(again.units[name].theta, unit.theta)
        assert bool((again.units[name].v0 == unit.v0).all())


def test_every_parameter_has_a_gradient():
    p = program(network(["layer", "residual", "average", "concat"], seed=2))
    for mean in (False, True):
        net = trainable(p, mean)
        found = gradients(net, images(8))
        assert found.keys() == net.parameters.keys()
        # On means, a threshold that nothing exceeds has none.
        assert all(bool(g.any()) for name, g in found.items() if not (mean and "theta" in name))


def test_the_mean_gradient_is_that_of_clipped_activations():
    """Where the output is linear in them: the read-out and one layer before it."""
    b = Builder(5)
    graph = b.graph(b.head(b.layer(".0")))
    p, x = program(graph), images(8)
    net = trainable(p, mean=True)
    found = gradients(net, x, feature=0.0)
    (site,) = graph.sites
    unit = p.units[site.name]
    named = {key: t.clone().requires_grad_() for key, t in graph.tensors.items()}
    theta = unit.theta.clone().requires_grad_()

    values = {graph.input: x}
    tuned = replace(graph, tensors=named)
    for node in graph.nodes[1:]:
        inputs = [values[n] for n in node.inputs]
        z = theta * (inputs[0] / theta).clamp(0, 1) if node.is_site else None
        values[node.name] = apply(tuned, node, inputs) if z is None else z
    wanted = torch.autograd.grad(weighted(values[graph.output]), [*named.values(), theta])
    conv = next(n for n in graph.nodes if n.op == "conv")
    key = conv.tensors["weight"]
    torch.testing.assert_close(found[f"graph.{key}"], wanted[list(named).index(key)])
    # theta.* is a logarithm.
    torch.testing.assert_close(found[f"theta.{site.name}"], wanted[-1] * unit.theta)


def test_layers_may_stay_as_they_are():
    p = program(network(["layer"]))
    names = trainable(p, weights=False).parameters
    assert names
    assert not any(name.startswith("graph.") for name in names)


@pytest.mark.parametrize(("start", "highest"), [(0.5, 1.5), (2.0, 2.0)])
def test_potentials_are_kept_in_range(start, highest):
    p = program(network(["layer"]))
    units = {n: replace(unit, v0=torch.tensor(start)) for n, unit in p.units.items()}
    net = trainable(replace(p, units=units))
    with torch.no_grad():
        for name, value in net.parameters.items():
            value.fill_(3.0 if name.startswith("v0.") else -2.0)
    net.clamp()
    (unit,) = net.program().units.values()
    assert (unit.v0 == highest).all()
    assert (unit.theta > 0).all()


def test_the_mean_gradient_is_for_neurons_that_lose_nothing():
    p = program(network(["layer"]), reset="hard")
    with pytest.raises(UsageError, match="soft reset and no leak"):
        trainable(p, mean=True)
