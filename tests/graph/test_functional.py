"""Writes in place are followed, or left to torch where a view may see them: never ignored."""

import pytest
import torch
from torch import nn
from torch.export import Dim, export
from torch.nn import functional as F

from isospike.graph.capture import capture
from isospike.graph.functional import functional, names, pure
from isospike.graph.graph import execute
from isospike.graph.model import quiet
from isospike.graph.translate import RULES

aten = torch.ops.aten
X = torch.linspace(-2, 2, 3 * 4 * 5 * 5).sin().reshape(3, 4, 5, 5).double()


class Writes(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.other = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.function = function

    def forward(self, x):
        return self.function(self.conv(x), self.other(x))


def residual(y, z):
    y += z
    y.relu_()
    return y + F.relu_(z)


def read_before(y, z):
    before = y + 1
    y.relu_()
    return before - y + z


def twice(y, z):
    y.mul_(2).relu_().add_(z)
    return torch.cat([y, z.mul_(3)], 1)


def through_a_view(y, z):
    half = y[:, :2]
    half.relu_()
    return y * 2 + z


def a_view_taken_before(y, z):
    flat = y.flatten(1)
    y.relu_()
    return flat - z.flatten(1)


def a_view_taken_after(y, z):
    y.relu_()
    return y.flatten(1) - z.flatten(1)


def through_a_dropout(y, z):
    """In eval mode dropout hands on the very tensor."""
    F.dropout(y, 0.5, training=False).relu_()
    return y + z


def before_a_dropout(y, z):
    same = F.dropout(y, 0.5, training=False)
    y.relu_()
    return same + z


FOLLOWED = {
    f.__name__: f
    for f in (residual, read_before, twice, a_view_taken_after, through_a_dropout, before_a_dropout)
}
LEFT = {f.__name__: f for f in (through_a_view, a_view_taken_before)}


def exported(function):
    with torch.no_grad(), quiet():
        model = Writes(function).double().eval()
        return export(model, (X,), dynamic_shapes=({0: Dim("batch")},), strict=False)


@pytest.mark.parametrize("function", {**FOLLOWED, **LEFT}.values(), ids={**FOLLOWED, **LEFT})
def test_every_later_reader_sees_what_was_written(function):
    model = Writes(function).double().eval()
    graph = capture(model, X)
    with torch.no_grad():
        expected = model(X.clone())
    assert torch.allclose(execute(graph, X), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("function", FOLLOWED.values(), ids=FOLLOWED)
def test_plain_writes_need_no_second_tracing(function):
    program = exported(function)
    assert functional(program, RULES) is program


@pytest.mark.parametrize("function", LEFT.values(), ids=LEFT)
def test_a_write_that_a_view_may_see_is_left_to_torch(function):
    program = exported(function)
    with quiet():
        assert functional(program, RULES) is not program


def test_composite_operators_that_no_rule_knows_are_taken_apart():
    program = exported(lambda y, z: y.narrow(1, 0, 2).relu() + z[:, :2])
    with quiet():
        found = functional(program, RULES)
    targets = {node.target for node in found.graph.nodes}
    assert aten.narrow.default not in targets
    assert functional(program, {*RULES, aten.narrow.default}) is program


def test_the_pure_twin_of_a_write():
    assert pure(aten.relu_.default) is aten.relu.default
    assert pure(aten.add_.Tensor) is aten.add.Tensor
    assert pure(aten.add.Tensor) is None
    assert pure(len) is None


def test_a_chain_of_writes_has_all_its_names():
    program = exported(lambda y, z: y.add_(z).relu_())
    last = [n for n in program.graph.nodes if pure(n.target) is not None][-1]
    found = {str(n.target).removeprefix("aten.") for n in names(last)}
    assert found == {"add_.Tensor", "conv2d.default"}
