"""Clips for weights that were trained with ReLU."""

import pytest
import torch
from torch import nn

import isospike as iso
from abuse.untouched import untouched
from isospike.activations import ClipQuant
from isospike.train.start import start_thetas
from zoo.tiny import Plain, images, plain, settled


def activations(model, x):
    """Module name -> what the ReLU there gives."""
    found = {}
    hooks = [
        module.register_forward_hook(lambda m, i, out, name=name: found.__setitem__(name, out))
        for name, module in model.named_modules()
        if isinstance(module, nn.ReLU | nn.ReLU6)
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("levels", [2, 4])
def test_the_quantiser_has_the_least_error_on_the_relu_activations(levels):
    source, x = plain(), images(64)
    model = iso.prepare(source, "qcfs", levels)
    thetas = start_thetas(model, x)
    for name, a in activations(source, x).items():

        def loss(theta, a=a):
            return float((ClipQuant(theta, levels)(a) - a).detach().square().mean())

        grid = [float(a.max()) * (0.1 + 0.03 * k) for k in range(31)]
        assert loss(thetas[name]) <= 1.01 * min(loss(theta) for theta in grid)
        assert float(model.get_submodule(name).theta.detach()) == pytest.approx(thetas[name])


def test_without_levels_it_is_a_percentile():
    source, x = plain(), images(64)
    thetas = start_thetas(iso.prepare(source, "tcl"), x)
    for name, a in activations(source, x).items():
        exact = torch.quantile(a[a > 0], 0.999)
        assert thetas[name] == pytest.approx(float(exact), rel=0.02)


def test_relu6_is_measured_with_its_bound():
    source = settled(Plain(nn.ReLU6))
    with torch.no_grad():
        source.conv1.weight.mul_(20)
    model = iso.prepare(source, "tcl")
    thetas = start_thetas(model, images())
    assert thetas["act1"] <= 6.001
    assert model.act1.ceiling == 6.0


def test_a_running_maximum_is_set_too():
    model = iso.prepare(plain(), "rnl")
    thetas = start_thetas(model, images())
    assert float(model.act1.theta.detach()) == pytest.approx(thetas["act1"])


def test_all_or_nothing():
    model = iso.prepare(plain(), "qcfs")
    with untouched(model), pytest.raises(iso.DataError):
        start_thetas(model, torch.full((4, 2, 8, 8), float("nan")))
    with untouched(model), pytest.raises(iso.IsospikeError):
        start_thetas(model, torch.zeros(4, 3, 8, 8))
    with pytest.raises(iso.UsageError, match="no ClipQuant"):
        start_thetas(plain(), images())
