"""A forward is prepared as it is called: a branch on an argument is the one that runs."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import isospike as iso
from isospike.activations import ClipQuant
from isospike.train.arguments import constants
from zoo.tiny import images


class Two(nn.Module):
    """A branch of its own for each way it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.r1, self.r2 = nn.ReLU(), nn.ReLU()

    def forward(self, x, skip=None):
        return self.r1(x) if skip is None else self.r2(x + skip)


class Functional(Two):
    def forward(self, x, skip=None):
        y = F.relu(x)
        if skip is not None:
            y = y + skip
        return y


class Flag(Two):
    def forward(self, x, *, flat=False, scale=2.0):
        x = F.relu(x) * scale
        return x.flatten(1) if flat is True else x


class Settings(Two):
    def forward(self, x, **settings):
        skip = settings.get("skip")
        return F.relu(x) if skip is None else F.relu(x + skip) + skip


class Power(Two):
    def forward(self, x, power=1):
        return F.relu(x) if power == 1 else F.relu(x) ** power


class Outer(nn.Module):
    def __init__(self, inner, how) -> None:
        super().__init__()
        self.inner, self.how = inner, how

    def forward(self, x):
        return self.how(self.inner, x)


WAYS = {
    "left out": lambda inner, x: inner(x),
    "given": lambda inner, x: inner(x, skip=x * 2),
    "None": lambda inner, x: inner(x, skip=None),
    "both": lambda inner, x: inner(inner(x), skip=x),
}
FLAGS = {
    "flat": lambda inner, x: inner(x, flat=True),
    "not flat": lambda inner, x: inner(x, flat=False, scale=3.0),
}
POWERS = {"squared": lambda inner, x: inner(x, 2), "one": lambda inner, x: inner(x)}
CASES = [
    *((kind, way) for kind in (Two, Functional) for way in WAYS.values()),
    *((Settings, WAYS[way]) for way in ("left out", "None", "both")),
    *((Flag, way) for way in FLAGS.values()),
    *((Power, way) for way in POWERS.values()),
]


def huge(model: nn.Module) -> nn.Module:
    """The same function, prepared."""
    return iso.prepare(model.double(), levels=None, theta=1e9)


@pytest.mark.parametrize(("kind", "how"), CASES)
def test_it_stays_the_function_as_it_is_called(kind, how):
    model, x = Outer(kind(), how), images().double() - 0.5
    prepared = huge(model)
    for mode in (True, False):
        torch.testing.assert_close(prepared.train(mode)(x), model.train(mode)(x))


def test_keywords_that_a_call_computes_are_refused():
    with pytest.raises(iso.ConversionError, match="settings is not one constant"):
        iso.prepare(Outer(Settings(), WAYS["given"]))


@pytest.mark.parametrize("kind", [Two, Functional, Settings, Flag, Power])
def test_the_model_itself_is_prepared_without_what_may_be_left_out(kind):
    model, x = kind(), images().double() - 0.5
    prepared = huge(model)
    torch.testing.assert_close(prepared(x), model(x))
    torch.testing.assert_close(copy.deepcopy(prepared)(x), model(x))


@pytest.mark.parametrize("how", ["left out", "given"])
def test_the_relu_that_runs_is_exchanged_and_the_other_is_told(how):
    prepared = iso.prepare(Outer(Two(), WAYS[how]))
    runs, other = ("r1", "r2") if how == "left out" else ("r2", "r1")
    assert isinstance(prepared.get_submodule(f"inner.{runs}"), ClipQuant)
    assert isinstance(prepared.get_submodule(f"inner.{other}"), nn.ReLU)
    assert prepared.report.notes == (f"inner.{other}: no call found, so it stays a ReLU",)


def test_another_value_than_it_was_prepared_with_is_refused():
    x = images()
    prepared = iso.prepare(Functional())
    assert torch.equal(prepared(x, None), prepared(x, skip=None))
    with pytest.raises(iso.UsageError, match="skip was None"):
        prepared(x, skip=x)
    flag = iso.prepare(Flag(), levels=None, theta=1e9)
    with pytest.raises(iso.UsageError, match="flat was False"):
        flag(x, flat=True)
    torch.testing.assert_close(flag(x, scale=5.0), 5 * x)  # no branch depends on it
    with pytest.raises(iso.UsageError, match="power was 1"):
        iso.prepare(Power())(x, power=2)


class Shared(nn.Module):
    """One module, called by two parents."""

    def __init__(self, kind, ways) -> None:
        super().__init__()
        inner = kind()
        self.a, self.b = (Outer(inner, how) for how in ways)

    def forward(self, x):
        return self.b(self.a(x))


def test_places_that_call_one_module_in_two_ways_are_refused():
    for ways in (("left out", "given"), ("given", "left out")):
        with pytest.raises(iso.ConversionError, match=r"b\.inner.*other constants"):
            iso.prepare(Shared(Functional, [WAYS[way] for way in ways]))
    for way in ("left out", "given"):
        model, x = Shared(Functional, [WAYS[way]] * 2).double(), images().double() - 0.5
        torch.testing.assert_close(huge(model)(x), model(x))


class Opaque(Outer):
    def forward(self, x):
        return self.how(self.inner, x if x.sum() > 0 else -x)


def test_where_the_callers_are_not_known_functions_are_refused_and_modules_exchanged():
    with pytest.raises(iso.ConversionError, match="who may leave out skip"):
        iso.prepare(Opaque(Functional(), WAYS["given"]))
    model = iso.prepare(Opaque(Two(), WAYS["given"]))
    assert all(isinstance(m, ClipQuant) for m in (model.inner.r1, model.inner.r2))


def test_it_trains_and_converts():
    prepared = iso.prepare(nn.Sequential(nn.Conv2d(2, 4, 3), Functional()), "nq")
    plan = iso.plan(prepared, "nq", images())
    assert plan.gate.float64 <= 1e-12
    assert len(plan.graph.sites) == 1


def test_constants_are_what_every_call_gives():
    def forward(x, a, b=1, *c, d="d", **e): ...

    def found(*calls):
        return constants(forward, calls)

    assert found(((), {})) == {"b": 1, "*c": (), "d": "d", "**e": {}}
    assert found(((0, 0, 2), {}), ((0, 0), {"b": 2})) == {"x": 0, "a": 0, "b": 2} | {
        "*c": (), "d": "d", "**e": {}
    }  # fmt: skip
    assert "b" not in found(((0, 0, 2), {}), ((0, 0, 3), {}))
    for calls in ((((0, None), {}), ((0, 1), {})), (((), {"f": 1}), ((), {}))):
        with pytest.raises(TypeError, match="is not one constant"):
            found(*calls)
