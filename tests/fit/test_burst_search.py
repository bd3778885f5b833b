"""The cheapest caps within a budget, against all assignments."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import isospike as iso
from common.nets import images, network
from isospike import methods
from isospike.engine import run
from isospike.fit import burst_search
from isospike.fit.burst_search import BurstSearch, cheapest, sensitivities
from isospike.fit.calibration import Calibration
from isospike.fit.observe import observe
from isospike.fit.sweep import fit_program
from isospike.units.binary import IF
from zoo import tiny

FORMS = list(product(BurstSearch.caps, BurstSearch.ratios))
layers = st.lists(
    st.tuples(*[st.tuples(st.floats(0, 1), st.floats(1, 100)) for _ in FORMS]),
    min_size=1,
    max_size=3,
)


@given(layers, st.floats(0.2, 1.0))
def test_no_assignment_that_sends_as_little_is_better(known, budget):
    choice = {str(i): dict(zip(FORMS, row, strict=True)) for i, row in enumerate(known)}
    taken = cheapest(choice, budget)

    def sums(forms) -> tuple[float, float]:
        rows = [choice[site][form] for site, form in forms.items()]
        return sum(row[0] for row in rows), sum(row[1] for row in rows)

    loss, spikes = sums(taken)
    others = [
        sums(dict(zip(choice, forms, strict=True))) for forms in product(FORMS, repeat=len(known))
    ]
    assert not any(s <= spikes and other < loss - 1e-4 for other, s in others)
    allowed = budget * sum(at[4, 1.0][1] for at in choice.values())
    assert spikes <= allowed or spikes == pytest.approx(min(s for _, s in others))


def test_a_network_gets_a_cap_and_a_threshold_for_each_layer():
    graph = network(["layer", "residual", "layer"], seed=11)
    data = Calibration.collect([images(80, seed=5)], (2, 4, 4), torch.float32)
    stats = observe(graph, data)

    def units(**knobs) -> list[IF]:
        recipe = methods.recipe("adafire", {f"caps.{key}": v for key, v in knobs.items()})
        program = fit_program(graph, recipe, stats, data, 4)
        return [unit for unit in program.units.values() if isinstance(unit, IF)]

    free, tight = units(budget=1.0), units(budget=0.3)
    assert {unit.cap for unit in [*free, *tight]} <= set(BurstSearch.caps)
    sent = [sum(unit.cap / float(unit.theta.mean()) for unit in each) for each in (free, tight)]
    assert sent[1] < sent[0]


def test_forms_are_tried_with_the_biases_that_were_fitted_to_them(monkeypatch):
    """In one graph: what a bias would have been folded into is the same for all."""
    graph = network(["layer", "layer"], seed=11)
    data = Calibration.collect([images(80, seed=5)], (2, 4, 4), torch.float32)
    tried = {}

    def choose(self, fit, x, steps):
        tried.update({cap: fit(cap) for cap in (1, 4)})
        return {node.name: (4, 1.0) for node in graph.sites}

    monkeypatch.setattr(BurstSearch, "choose", choose)
    fit_program(graph, methods.recipe("adafire"), observe(graph, data), data, 4)
    assert all(program.graph is graph for program in tried.values())
    for name, unit in tried[1].units.items():
        assert not torch.equal(unit.bias, tried[4].units[name].bias)


def test_the_network_that_is_built_is_the_one_that_was_tried(monkeypatch):
    """Also where the source clips, which holds a larger threshold back."""
    knobs = {"caps": "none", "bias": "none", "threshold": "activation"}
    start, x = (
        iso.convert(tiny.ending(), tiny.images(), 4, "adafire", settings=knobs),
        tiny.images(),
    )
    tried = []
    monkeypatch.setattr(
        burst_search, "run", lambda program, *rest: (tried.append(program), run(program, *rest))[1]
    )
    sensitivities({4: start.program}, (2.0,), x, 4)
    for number, name in enumerate(start.program.units, 1):
        own = knobs | {"neuron.caps": f"{name}:4*2"}
        built = iso.convert(tiny.ending(), tiny.images(), 4, "adafire", settings=own)
        theta = tried[number].units[name].theta
        torch.testing.assert_close(theta, built.program.units[name].theta)


def test_a_form_is_told_by_site():
    graph = network(["layer", "layer"], seed=11)
    data = Calibration.collect([images(80, seed=5)], (2, 4, 4), torch.float32)
    first, second = (node.name for node in graph.sites)

    def units(caps: str) -> dict[str, IF]:
        recipe = methods.recipe("adafire", {"caps": "none", "bias": "none", "neuron.caps": caps})
        return fit_program(graph, recipe, observe(graph, data), data, 4).units

    plain, own = units(f"{first}:4,{second}:2"), units(f"{first}:4*1.5,{second}:2*2")
    assert [unit.cap for unit in own.values()] == [4, 2]
    for name, ratio in ((first, 1.5), (second, 2.0)):
        assert torch.equal(own[name].theta, plain[name].theta * ratio)
