"""The sweep: every site on the spikes that the fitted prefix really sends, and no run again."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import isospike.fit.sweep as sweeping
from common.nets import Builder, images, network
from isospike.engine import run
from isospike.engine.dense import run_dense
from isospike.errors import DataError
from isospike.fit.bias import BiasMatch
from isospike.fit.calibration import Calibration
from isospike.fit.observe import observe
from isospike.fit.potentials import Constant, FromTrainingSet
from isospike.fit.sweep import fit_program
from isospike.fit.thresholds import MMSE, Percentile
from isospike.fit.weights import WeightRefit
from isospike.graph.graph import execute
from isospike.recipe import Recipe
from isospike.schedule import Separated
from isospike.units.coders import IFCoder

STEPS = 5
RECIPES = {
    "statistics": Recipe("a", threshold=Percentile(99.0)),
    "bias": Recipe("b", threshold=MMSE(), calibrators=(BiasMatch(2),)),
    "weights": Recipe("c", threshold=MMSE(), calibrators=(WeightRefit(), BiasMatch(1))),
    "potential": Recipe("d", threshold=MMSE("layer"), potential=FromTrainingSet(rounds=1)),
    "coder": Recipe("e", threshold=MMSE(), calibrators=(BiasMatch(1),), coder=IFCoder(compensate=True)),
    "separated": Recipe(
        "f", threshold=MMSE(), calibrators=(WeightRefit(), BiasMatch(1)), schedule=Separated(2.0), pool="exact"
    ),
}  # fmt: skip
recipes = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def fitted(graph, recipe, loader, steps=STEPS):
    calibration = Calibration.collect(loader, graph.input_shape, torch.float32)
    return fit_program(graph, recipe, observe(graph, calibration), calibration, steps)


def numbers(program):
    found = dict(program.graph.tensors)
    for name, unit in program.units.items():
        found |= {f"{name} {key}": value for key, value in vars(unit).items()}
    return {key: value for key, value in found.items() if isinstance(value, torch.Tensor)}


def equal(one, other):
    assert one.keys() == other.keys()
    return [key for key, value in one.items() if not torch.equal(value, other[key])]


@recipes
@settings(max_examples=4)
@given(size=st.integers(1, 90), random=st.randoms(use_true_random=False))
def test_batch_split_and_order_change_no_bit(recipe, size, random):
    graph, x = network(["residual", "average", "layer"], seed=2), images(90, seed=1)
    order = random.sample(range(90), 90)
    one, other = fitted(graph, recipe, [x]), fitted(graph, recipe, x[order].split(size))
    assert equal(numbers(one), numbers(other)) == []


@recipes
def test_the_source_graph_is_unchanged_and_kept(recipe):
    graph = network(["residual", "concat"], seed=3)
    before = {key: tensor.clone() for key, tensor in graph.tensors.items()}
    program = fitted(graph, recipe, [images(70)])
    assert all(torch.equal(graph.tensors[key], tensor) for key, tensor in before.items())
    assert program.source is graph


class Drives:
    def __init__(self):
        self.found = {}

    def spikes(self, site, start, drive, spikes, state):
        self.found.setdefault(site, []).append(drive.clone())


@pytest.mark.parametrize(
    "recipe", [RECIPES[name] for name in ("bias", "weights", "potential", "coder")]
)
@pytest.mark.parametrize("kind", ["layer", "residual", "long", "concat", "difference"])
def test_every_site_sees_the_drive_of_the_finished_network(monkeypatch, recipe, kind):
    """What the calibrators saw at a site is what the whole program gives there in the end."""
    graph, x = network(["layer", kind], seed=4), images(70, seed=2)
    seen = {}
    release = sweeping.Site.release

    def keep(site):
        seen[site.node.name] = site.drive.clone()
        release(site)

    monkeypatch.setattr(sweeping.Site, "release", keep)
    monkeypatch.setattr(sweeping, "fold_biases", lambda program: program)
    program = fitted(graph, recipe, [x])
    calibration = Calibration.collect([x], graph.input_shape, torch.float32)
    found = Drives()
    program = replace(program, coder=recipe.coder)
    run_dense(program, calibration.images, [STEPS], [found])
    assert set(seen) == {node.name for node in graph.sites}
    for name, drive in seen.items():
        real = torch.cat(found.found[name])
        assert torch.allclose(drive.expand_as(real), real, atol=1e-4)


def test_nothing_is_run_again_from_the_input(monkeypatch):
    """Every node is computed once for the source and once for the spikes, however deep it lies."""
    counts = {}
    plain = sweeping.evaluate

    def counted(graph, target, known):
        values = plain(graph, target, known)
        for name in values.keys() - known.keys():
            counts[name] = counts.get(name, 0) + 1
        return values

    monkeypatch.setattr(sweeping, "evaluate", counted)
    graph = network(["layer"] * 6, seed=5)
    fitted(graph, RECIPES["bias"], [images(64)])
    body = {node.name for node in graph.nodes[1:-2] if not node.is_site}
    assert {counts[name] for name in body} == {2}


def test_trains_that_no_later_site_reads_are_forgotten(monkeypatch):
    most = []
    forget = sweeping._Sweep.forget

    def watched(self, node):
        forget(self, node)
        most.append(len(self.trains))

    monkeypatch.setattr(sweeping._Sweep, "forget", watched)
    fitted(network(["layer"] * 5), RECIPES["bias"], [images(64)])
    assert set(most) == {1}


def test_gated_pools_are_passed_in_the_sweep():
    b = Builder(6)
    graph = b.graph(b.head(b.layer(b.max(b.layer(".0")))))
    program = fitted(graph, RECIPES["weights"], [images(64)])
    assert run(program, images(), STEPS).outputs[STEPS].isfinite().all()


@pytest.mark.parametrize("name", ["bias", "weights", "potential"])
def test_recipes_that_simulate_need_images(name):
    graph = network(["layer"])
    calibration = Calibration.collect([images(64)], graph.input_shape, torch.float32)
    with pytest.raises(DataError, match="needs calibration images"):
        fit_program(graph, RECIPES[name], observe(graph, calibration), None, STEPS)


def test_progress_ends_at_the_number_of_sites():
    graph, seen = network(["residual"]), []
    calibration = Calibration.collect([images(64)], graph.input_shape, torch.float32)
    stats = observe(graph, calibration)
    fit_program(
        graph,
        Recipe("a", potential=Constant(0.0)),
        stats,
        calibration,
        4,
        lambda *a: seen.append(a),
    )
    assert [done for _, done, _ in seen] == [0, 1, 2]
    assert {total for _, _, total in seen} == {2}


def test_a_refit_reads_out_better():
    """The layers behind the last site are fitted to the logits of the source network."""
    graph, x = network(["residual", "layer"], seed=7), images(120, seed=3)
    plain = RECIPES["bias"]
    errors = {}
    for recipe in (plain, replace(plain, calibrators=(WeightRefit(), *plain.calibrators))):
        program = fitted(graph, recipe, [x])
        answer = run(program, x, STEPS).outputs[STEPS]
        errors[len(recipe.calibrators)] = float((answer - execute(graph, x)).norm())
    assert errors[2] < errors[1]
