"""Weights of a layer by gradient, and by one gain: what they reach on a network that really spikes."""

import pytest
import torch

from common.nets import images, network
from isospike.fit.calibration import Calibration
from isospike.fit.gain_match import GainMatch
from isospike.fit.layer_gradient import LayerGradient, transfer
from isospike.fit.neurons import Binary, Signed
from isospike.fit.observe import observe
from isospike.fit.potentials import Constant
from isospike.fit.sweep import fit_program
from isospike.fit.thresholds import Percentile
from isospike.graph.graph import execute
from isospike.network import SpikingNetwork
from isospike.recipe import Recipe

GRAPH = network(["layer", "residual", "layer"], seed=3)
DATA = Calibration.collect([images(128, seed=5)], (2, 4, 4), torch.float32)
STATS = observe(GRAPH, DATA)
STEPS = 4


def error(*calibrators, neuron=None) -> float:
    """Relative error of the logits on the calibration images."""
    recipe = Recipe(
        "mine", Percentile(99.0), Constant(0.5), neuron or Binary(), calibrators=calibrators
    )
    program = fit_program(GRAPH, recipe, STATS, DATA, STEPS)
    exact = execute(GRAPH, DATA.images)
    answer = SpikingNetwork(program, STEPS)(DATA.images)
    return float((answer - exact).norm() / exact.norm())


@pytest.mark.parametrize("neuron", [Binary(), Signed()], ids=["binary", "signed"])
def test_the_gradient_reduces_the_error(neuron):
    plain = error(neuron=neuron)
    assert error(LayerGradient(lr=3e-3, iterations=100), neuron=neuron) < 0.9 * plain


def test_no_iteration_changes_nothing():
    assert error(LayerGradient(iterations=0)) == error()


def test_the_same_seed_gives_the_same_weights():
    assert error(LayerGradient(iterations=20)) == error(LayerGradient(iterations=20))


def test_the_gradient_of_a_transfer_is_that_of_a_clip():
    from common.sites import noisy_site

    site = noisy_site(1)
    z = torch.tensor([[-1.0, 0.7, 3.0]], requires_grad=True)
    with torch.enable_grad():
        phi = transfer(site, z)
        phi.sum().backward()
    assert torch.equal(phi.detach(), site.unit.dual(z.detach(), site.steps))
    assert z.grad.tolist() == [[0.0, 1.0, 0.0]]


class Sent:
    """Sums of drive that spikes carry on, per site."""

    def __init__(self) -> None:
        self.total: dict[str, float] = {}

    def spikes(self, site, start, drive, spikes, state) -> None:
        self.total[site] = self.total.get(site, 0.0) + float(spikes.double().sum())


def test_a_gain_brings_the_sums_together():
    def sums(*calibrators) -> dict[str, float]:
        recipe = Recipe("mine", Percentile(99.0), Constant(0.0), calibrators=calibrators)
        program = fit_program(GRAPH, recipe, STATS, DATA, STEPS)
        sent = Sent()
        SpikingNetwork(program, STEPS).run(DATA.images, STEPS, [sent])
        wanted: dict[str, float] = {}
        execute(
            GRAPH, DATA.images,
            watch=lambda node, a: wanted.update({node.name: float(a.double().sum())}),
        )  # fmt: skip
        scale = {name: float(unit.theta) / STEPS for name, unit in program.units.items()}
        return {name: sent.total[name] * scale[name] / wanted[name] for name in scale}

    plain, matched = sums(), sums(GainMatch(passes=3))
    off = {name: abs(share - 1) for name, share in matched.items()}
    assert sum(off.values()) < 0.5 * sum(abs(share - 1) for share in plain.values())
