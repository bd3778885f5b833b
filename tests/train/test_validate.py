"""A run is judged by the conversion of its own activation."""

import pytest
import torch
from torch import nn

import isospike as iso
from isospike.train.residual import ResidualForward
from isospike.train.validate import divergence, spiking
from train.task import net
from zoo.tiny import Plain, Residual, images, settled

NAMES = ["qcfs", "nq", "slip-relu", "cq", "tcl", "rnl"]  # each has a recipe of that name


def trained(name: str, source: nn.Module | None = None) -> nn.Module:
    torch.manual_seed(0)
    return settled(iso.prepare(source or Residual(), name, theta=1.5))


@pytest.mark.parametrize("pool", [None, nn.MaxPool2d(2)])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_recipe_of_the_activation(name, pool):
    model, x = trained(name, pool and Plain(pool=pool)), images(6)
    program = spiking(model, x)
    assert program is not None
    for steps in (1, 3, 4):
        expected = iso.convert(model, x, steps, name)(x)
        assert torch.equal(iso.SpikingNetwork(program, steps)(x), expected)


@pytest.mark.parametrize("name", ["cq", "tcl"])
def test_the_residual_is_that_of_the_same_neurons(name):
    model, x = trained(name), images(6)
    expected = iso.convert(model, x, 3, name)(x)
    assert torch.allclose(ResidualForward((3,))(model, x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("0.weight", float("nan"), "0.weight is NaN"), ("1.running_var", float("inf"), "1.running_var"),
     ("2.theta", -2.0, "theta of 2 is -2"), ("2.theta", 0.0, "theta of 2 is 0")],
)  # fmt: skip
def test_what_no_network_has_after_an_epoch_is_divergence(name, value, said):
    model = net()
    model.register_buffer("mask", torch.tensor(-torch.inf))  # of the user's, untrained
    assert divergence(0.5, model) is None
    assert divergence(float("inf"), model) == "the loss is inf"
    model.state_dict()[name].fill_(value)
    assert str(divergence(0.5, model)).startswith(said)
