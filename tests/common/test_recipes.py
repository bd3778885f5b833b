"""Every recipe that the package finds, through the same laws."""

from dataclasses import replace
from functools import cache

import pytest
import torch

import isospike.methods as methods
from common.nets import clipped, gated, images, network, softened
from isospike.engine import run
from isospike.fit.calibration import Calibration
from isospike.fit.observe import observe
from isospike.fit.sweep import fit_program
from isospike.fit.thresholds import FromActivation, FromSoftLIF
from isospike.graph.graph import execute
from isospike.graph.pool import apply_pool_policy
from isospike.recipe import Recipe
from isospike.schedule import Separated, Synchronous
from isospike.units.few_spike import FewSpike

STEPS = 8
ROUNDING = 2e-5  # of a potential of up to 30 thresholds in float32; measured 1.9e-6
recipes = pytest.mark.parametrize("name", methods.names())


@cache
def source(name: str):
    graph = network(["layer", "residual", "average", "layer"], seed=11)
    recipe = methods.recipe(name)
    if isinstance(recipe.threshold, FromSoftLIF):
        graph = softened(graph)
    elif isinstance(recipe.threshold, FromActivation):
        graph = clipped(graph)
    graph = gated(graph) if recipe.few_spike else graph
    return apply_pool_policy(graph, recipe.pool)


@cache
def calibration():
    return Calibration.collect([images(80, seed=5)], (2, 4, 4), torch.float32)


def quick(name: str) -> Recipe:
    """A recipe that tunes or searches, doing little of it."""
    recipe = methods.recipe(name)
    little = {"tune": {"tune.passes": 4}, "few_spike": {"few_spike.rounds": 5}}
    settings = [changes for part, changes in little.items() if getattr(recipe, part) is not None]
    return recipe.override({key: value for changes in settings for key, value in changes.items()})


@cache
def fitted(name: str, steps: int = STEPS):
    graph = source(name)
    return fit_program(graph, quick(name), observe(graph, calibration()), calibration(), steps)


def numbers(program):
    found = dict(program.graph.tensors)
    for name, unit in program.units.items():
        found |= {f"{name} {key}": value for key, value in vars(unit).items()}
    return {key: value for key, value in found.items() if isinstance(value, torch.Tensor)}


def equal(one, other) -> bool:
    one, other = numbers(one), numbers(other)
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@recipes
def test_the_engines_agree(name):
    """Weights are no dyadic numbers any more: equal but for a spike in ten thousand."""
    p, x = fitted(name), images(40, seed=6)
    reference = run(p, x, [2, STEPS], engine="steploop")
    found = run(p, x, [2, STEPS], engine="closed" if isinstance(p.schedule, Separated) else "dense")
    for steps, expected in reference.outputs.items():
        close = (found.outputs[steps] - expected).abs() <= 1e-5 * expected.abs().max()
        assert close.float().mean() >= 0.99
        for site, at in reference.counts.items():
            total = at[steps].sum().clamp(min=10_000)
            assert (found.counts[site][steps] - at[steps]).abs().sum() <= total / 10_000


class Membranes:
    def __init__(self) -> None:
        self.drive, self.spikes_, self.state = {}, {}, {}

    def spikes(self, site, start, drive, spikes, state) -> None:
        self.drive[site] = self.drive.get(site, 0) + drive.double().sum(0)
        self.spikes_[site] = self.spikes_.get(site, 0) + spikes.double().sum(0)
        self.state[site] = state.double()


@recipes
def test_what_drives_a_neuron_is_spikes_and_what_is_left(name):
    p = fitted(name)
    if isinstance(p.schedule, Separated):
        return  # its identity is tested with the codes
    p = replace(p, schedule=Synchronous())  # a probe sets potentials of its own
    seen = Membranes()
    run(p, images(20, seed=7), STEPS, [seen])
    for site, unit in p.units.items():
        if getattr(unit, "leak", 1.0) != 1.0:
            continue  # what leaks is not counted
        driven = seen.drive[site] + unit.constant(STEPS).double()
        lost = (driven / unit.theta).double() - seen.spikes_[site] - seen.state[site] + unit.v0
        assert lost.min() >= -ROUNDING
        if unit.lossless:
            assert lost.max() <= ROUNDING


@recipes
def test_fitting_twice_gives_the_same_bits(name):
    again = fit_program(
        source(name),
        quick(name),
        observe(source(name), calibration()),
        calibration(),
        STEPS,
    )
    assert equal(fitted(name), again)


@recipes
def test_a_recipe_says_whether_it_depends_on_the_steps(name):
    assert equal(fitted(name, 4), fitted(name, 16)) != methods.recipe(name).depends_on_steps


@recipes
def test_samples_do_not_know_each_other(name):
    p, x = fitted(name), images(9, seed=8)
    together = run(p, x, STEPS).outputs[STEPS]
    alone = torch.cat([run(p, x[i : i + 1], STEPS).outputs[STEPS] for i in range(9)])
    turned = run(p, x.flip(0), STEPS).outputs[STEPS].flip(0)
    tolerance = 1e-5 * together.abs().max()
    assert (together - alone).abs().max() <= tolerance
    assert (together - turned).abs().max() <= tolerance


@recipes
def test_more_steps_bring_the_network_nearer_to_its_source(name):
    x = images(60, seed=9)
    exact = execute(source(name), x)
    errors = {}
    for steps in (2, 64):
        answer = run(fitted(name, steps), x, steps).outputs[steps]
        errors[steps] = float((answer - exact).norm() / exact.norm())
    assert errors[64] < errors[2]
    neuron = methods.recipe(name).neuron
    if neuron.reset == "soft" and getattr(neuron, "leak", 1.0) == 1.0:
        assert errors[64] < 0.2


@recipes
def test_thresholds_and_potentials_are_sound(name):
    for unit in fitted(name).units.values():
        assert (unit.theta > 0).all()
        assert unit.theta.isfinite().all()
        if isinstance(unit, FewSpike):
            continue
        assert unit.v0.isfinite().all()
        if methods.recipe(name).hardware_class == "H0":
            assert ((unit.v0 >= 0) & (unit.v0 <= 1)).all()


@recipes
def test_the_static_network_runs(name):
    """Every neuron replaced by its transfer: finite, and no further from the source than 2 steps."""
    p, x = fitted(name), images(10, seed=10)
    assert p.unspike(STEPS)(x).isfinite().all()


@recipes
def test_a_recipe_is_data_and_has_a_card(name):
    recipe = methods.recipe(name)
    assert isinstance(recipe, Recipe)
    assert recipe.name == name
    assert recipe == methods.recipe(recipe)
    assert recipe.hardware_class in ("H0", "H1", "H2", "H3", "H4")
    assert methods.card(name).startswith(name.partition("-")[0])
    assert "Source" in methods.card(name) or name == "iso"
    knobs = {key: value for key, value in recipe.settings().items() if "." in key}
    assert recipe.override(knobs) == recipe
