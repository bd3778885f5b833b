"""A run is judged by the conversion of its own activation."""

import pytest
import torch
from torch import nn

import isospike as iso
from isospike.train.residual import ResidualForward
from isospike.train.validate import spiking
from zoo.tiny import Residual, images, settled

NAMES = ["qcfs", "nq", "slip-relu", "cq", "tcl", "rnl"]  # each has a recipe of that name


def trained(name: str) -> nn.Module:
    torch.manual_seed(0)
    return settled(iso.prepare(Residual(), name, theta=1.5, pool="average"))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_recipe_of_the_activation(name):
    model, x = trained(name), images(6)
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
