"""The cheapest caps within a budget, against all assignments."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import images, network
from isospike import methods
from isospike.fit.burst_search import BurstSearch, cheapest
from isospike.fit.calibration import Calibration
from isospike.fit.observe import observe
from isospike.fit.sweep import fit_program
from isospike.units.binary import IF

CAPS = (1, 2, 4)
layers = st.lists(
    st.tuples(*[st.tuples(st.floats(0, 1), st.floats(1, 100)) for _ in CAPS]),
    min_size=1,
    max_size=4,
)


@given(layers, st.floats(0.2, 1.0))
def test_no_assignment_that_sends_as_little_is_better(known, budget):
    choice = {str(i): dict(zip(CAPS, row, strict=True)) for i, row in enumerate(known)}
    taken = cheapest(choice, budget)

    def sums(caps) -> tuple[float, float]:
        rows = [choice[site][cap] for site, cap in caps.items()]
        return sum(row[0] for row in rows), sum(row[1] for row in rows)

    loss, spikes = sums(taken)
    others = [
        sums(dict(zip(choice, caps, strict=True))) for caps in product(CAPS, repeat=len(known))
    ]
    assert not any(s <= spikes and other < loss - 1e-4 for other, s in others)
    allowed = budget * sum(at[4][1] for at in choice.values())
    assert spikes <= allowed or spikes == pytest.approx(min(s for _, s in others))


def test_a_network_gets_a_cap_for_each_layer():
    graph = network(["layer", "residual", "layer"], seed=11)
    data = Calibration.collect([images(80, seed=5)], (2, 4, 4), torch.float32)
    stats = observe(graph, data)

    def caps(budget: float) -> list[int]:
        recipe = methods.recipe("adafire", {"caps.budget": budget})
        program = fit_program(graph, recipe, stats, data, 4)
        return [unit.cap for unit in program.units.values() if isinstance(unit, IF)]

    free, tight = caps(1.0), caps(0.3)
    assert sum(tight) < sum(free)
    assert set(free) <= set(BurstSearch.caps)
