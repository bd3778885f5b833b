"""Networks of a thousand layers, and sums of a thousand branches: nothing recurs along a graph."""

import sys

import pytest
import torch

from common.nets import Builder, images
from isospike import methods
from isospike.engine import run
from isospike.engine.run import below_sites
from isospike.fit.calibration import Calibration
from isospike.fit.observe import observe
from isospike.fit.site import Site
from isospike.fit.sweep import fit_program
from isospike.fit.weights import adjustable
from isospike.graph.fold import fold
from isospike.graph.pool import apply_pool_policy
from isospike.units.binary import IF

MANY = sys.getrecursionlimit() + 100


def deep():
    b, x = Builder(), ".0"
    for _ in range(MANY):
        x = b.act(b.node("scale_shift", x, tensors={"shift": torch.full((2, 1, 1), 2.0**-10)}))
    return b.graph(b.head(x))


def wide():
    """A site that so many convolutions of another one feed, added one by one."""
    b = Builder()
    first = b.layer(".0")
    total = b.conv(first)
    for _ in range(MANY):
        total = b.node("add", total, b.conv(first))
    return b.graph(b.head(b.act(total)))


@pytest.mark.parametrize(("make", "sites", "recipe"), [(deep, MANY, "opi"), (wide, 2, "ftbc")])
def test_a_network_larger_than_the_stack(make, sites, recipe, tmp_path):
    graph, x = apply_pool_policy(fold(make()), "exact"), images(2)
    assert len(graph.sites) == sites
    seen = Calibration.collect(images(2), graph.input_shape, torch.float32)
    program = fit_program(graph, methods.recipe(recipe), observe(graph, seen), seen, 2)
    answers = [run(program, x, 2, engine=each).outputs[2] for each in ("steploop", "dense", "auto")]
    for answer in answers:
        torch.testing.assert_close(answer, answers[0], rtol=1e-4, atol=1e-4)


def test_all_branches_of_a_sum_are_fitted_in_order():
    graph = wide()
    (last,) = (node for node in graph.sites if graph.depths()[node.name] == 2)
    site = Site(last, 2, None, graph, torch.tensor(0.5), IF, changing=frozenset(below_sites(graph)))
    names = [node.name for node in adjustable(site)]
    assert names == [node.name for node in graph.nodes if node.op == "conv"][1:]
    assert len(names) == MANY + 1
