"""The neuron of leaky ReLUs, from the plan to the file: one where other recipes have two."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import isospike as iso
from isospike.engine import run
from isospike.fit.neurons import Binary, Burst, Imbalanced, Leaky
from isospike.graph.graph import Node, execute
from isospike.measure.audit import audit
from isospike.units.binary import IF
from isospike.units.signed import Signed
from zoo.tiny import converted, images, labels, leaky, plain, plan_for

IMAGES, RECIPE, STEPS = images(), "spiking-yolo", 16
DATA = [(IMAGES, labels())]


def network(recipe: str = RECIPE, steps: int = STEPS, **settings) -> iso.SpikingNetwork:
    return iso.convert(leaky(), IMAGES, steps, recipe, settings=settings)


def test_the_rate_is_the_leaky_relu_of_the_drive():
    """To one spike in T, wherever the neuron is not saturated."""
    for slope in (0.01, 0.1, 0.25, 0.5, 0.9):
        site = Node("act", "leaky_relu", attrs={"slope": slope})
        theta = torch.tensor(0.7)
        unit = Imbalanced().at(site).build(theta, torch.tensor(0.0))
        z = theta * torch.linspace(-1 / slope, 1, 501)
        for steps in (64, 512):
            apart = unit.dual(z, steps) - nn.functional.leaky_relu(z, slope)
            assert apart.abs().max() <= theta / steps * (1 + 1e-3)


def test_a_plain_site_has_a_plain_neuron():
    site = Node("act", "relu")
    assert Imbalanced().at(site) == Binary()
    assert Imbalanced().at(replace(site, op="leaky_relu", attrs={"slope": 0.5})) == Leaky(0.5)
    assert Burst(caps="act:3*0.5").at(site) == Burst(3, 0.5)


def test_each_site_has_the_neuron_that_it_needs():
    first, second = network().program.units.values()
    assert isinstance(first, Signed)
    assert (first.low, first.back, first.least) == (8.0, 8.0, None)
    assert isinstance(second, IF)
    assert [type(unit) for unit in network("opi").program.units.values()] == [IF] * 3


def test_one_neuron_is_counted_where_others_have_two():
    one, two = (iso.evaluate(leaky(), DATA, [STEPS], r, IMAGES).rows[0] for r in (RECIPE, "opi"))
    neurons = 4 * 64 + 4 * 16
    assert len(one.site_rates) == 2
    assert len(two.site_rates) == 3
    spikes = run(network().program, IMAGES, STEPS).counts.values()
    total = sum(int(at[STEPS].sum()) for at in spikes)
    assert one.spikes_per_neuron == pytest.approx(total / len(IMAGES) / neurons, rel=1e-6)


def test_the_network_becomes_its_source():
    snn = network(steps=512)
    exact = leaky()(IMAGES).detach()
    torch.testing.assert_close(execute(snn.program.source, IMAGES), exact)  # batch norm is folded
    for found in (snn(IMAGES), snn.unspike()(IMAGES)):
        assert float((found - exact).norm() / exact.norm()) < 0.01


@pytest.mark.parametrize("engine", ["dense", "events", "auto"])
def test_the_engines_agree(engine):
    program = network().program
    slow = run(program, IMAGES, [1, STEPS], engine="steploop")
    fast = run(program, IMAGES, [1, STEPS], engine=engine)
    for steps, out in slow.outputs.items():
        torch.testing.assert_close(fast.outputs[steps], out, rtol=1e-4, atol=1e-4)
    for site, at in slow.counts.items():
        assert (fast.counts[site][STEPS] == at[STEPS]).double().mean() >= 0.999


def test_a_saved_network_answers_bit_for_bit(tmp_path):
    snn = network()
    snn.save(tmp_path / "a.iso")
    again = iso.load(tmp_path / "a.iso")
    assert torch.equal(again(IMAGES), snn(IMAGES))
    assert again.program.units.keys() == snn.program.units.keys()


def test_the_audit_clips_a_leaky_site_on_both_sides():
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(128, 32), nn.LeakyReLU(0.9), nn.Linear(32, 3)
    )  # fmt: skip
    found = audit(iso.convert(model, IMAGES, 512, RECIPE), IMAGES)
    assert found.accuracy["clips"] >= 0.9  # 0.08 with a ReLU for a clip
    (site,) = found.sites
    assert site.quantisation < 0.01  # the dual is within one spike of the clip, below zero too
    assert site.total == pytest.approx(site.clipping, rel=0.01)
    assert site.rate > 0.1  # spikes of both signs count


def test_the_class_is_that_of_the_neurons_that_are_there():
    assert iso.plan(leaky(), RECIPE, IMAGES).hardware_class == "H2"
    assert iso.plan(plain(), RECIPE, IMAGES).hardware_class == "H0"
    assert converted(RECIPE).provenance["hardware_class"] == "H0"
    assert plan_for("burst").hardware_class == iso.recipe("burst").hardware_class


@pytest.mark.parametrize("pool", ["gated", "lateral", "pre-neuron", "average"])
def test_max_pooling_of_values_of_both_signs(pool):
    model = leaky(0.25, nn.MaxPool2d(2))
    snn = iso.convert(model, IMAGES, 256, RECIPE, settings={"pool": pool})
    exact = execute(snn.program.source, IMAGES)
    assert float((snn.unspike()(IMAGES) - exact).norm() / exact.norm()) < 0.02
    assert float((snn(IMAGES) - exact).norm() / exact.norm()) < 0.1


def test_other_parts_work_with_it():
    """Whatever looks for thresholds, weights or biases sees a site like any other."""
    for part in (
        {"threshold": "mmse"}, {"threshold": "spike-max"}, {"weights": "refit"},
        {"bias": "match"}, {"search": "neuron"}, {"drift": "match"}, {"v0": "match"},
        {"gain": "match"},
    ):  # fmt: skip
        assert network(steps=8, **part)(IMAGES).isfinite().all()


def test_combinations_without_a_meaning_are_refused():
    for part in ("separated", "settled", "probed"):
        with pytest.raises(iso.UsageError, match="neuron"):
            iso.recipe(RECIPE, {"schedule": part})
    with pytest.raises(iso.UsageError, match="closed form"):
        iso.recipe(RECIPE, {"potential": "both"})
