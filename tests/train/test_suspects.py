"""Where a forward cannot be traced, ReLUs in all the code that it names are found."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import isospike as iso
from isospike.activations import ClipQuant
from zoo.tiny import images


class Branching(nn.Module):
    """Cannot be traced."""

    function = staticmethod(F.relu)

    def __init__(self) -> None:
        super().__init__()
        self.relu, self.act = nn.ReLU(), torch.relu

    def forward(self, x):
        return self.body(self.relu(x)) if x.sum() > 0 else x

    def body(self, x):
        return self.deeper(x)


class Deeper(Branching):
    def deeper(self, x):
        return F.relu(x) if x.sum() > 1 else self.body(x)


class Attribute(Branching):
    def deeper(self, x):
        return self.act(x)


class Static(Branching):
    def deeper(self, x):
        return self.function(x)


class Module(Branching):
    """None but the module."""

    def deeper(self, x):
        return self.relu(x)


@pytest.mark.parametrize(
    ("kind", "name"), [(Deeper, "relu"), (Attribute, "act"), (Static, "function")]
)
def test_helpers_and_functions_of_the_object_are_searched(kind, name):
    with pytest.raises(iso.ConversionError) as caught:
        iso.prepare(kind())
    assert len(caught.value.findings) == 1
    assert re.search(rf"test_suspects.py:\d+: {name}\)", str(caught.value))


def test_modules_are_exchanged():
    assert isinstance(iso.prepare(Module()).relu, ClipQuant)


class Maximum(nn.Module):
    def __init__(self, how) -> None:
        super().__init__()
        self.how = how

    def forward(self, x):
        return self.how(x) + F.relu(x)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (lambda x: torch.maximum(x, torch.zeros(())), True),
        (lambda x: torch.max(torch.zeros_like(x), x), True),
        (lambda x: x.maximum(torch.zeros(1)), True),
        (lambda x: torch.maximum(x, torch.full((), 0.1)), False),
        (lambda x: x.max(1, keepdim=True)[0], False),
    ],
)
def test_a_maximum_with_zeros_is_told(how, told):
    prepared, x = iso.prepare(Maximum(how), levels=None, theta=1e9), images() - 0.5
    assert torch.equal(prepared(x), Maximum(how)(x))
    assert [": write F.relu" in note for note in prepared.report.notes] == [True] * told
