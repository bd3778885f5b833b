"""The dense engine is the step loop done layer by layer: the same spikes, the same readings."""

import pytest
import torch
from hypothesis import strategies as st

from common.nets import images, network, program
from isospike.engine.dense import CHUNK, run_dense
from isospike.engine.steploop import run_steploop

pytestmark = pytest.mark.usefixtures("kernels")

READINGS = st.lists(st.integers(1, 2 * CHUNK + 5), min_size=1, max_size=3, unique=True).map(sorted)


class Sizes:
    """An observer that notes the shape of every train: what the engine holds at a time."""

    def __init__(self) -> None:
        self.largest, self.covered = 0, {}

    def spikes(self, site, start, drive, spikes, *rest) -> None:
        assert start == self.covered.get(site, 0)
        self.covered[site] = start + len(spikes)
        self.largest = max(self.largest, spikes.numel())


def test_memory_does_not_grow_with_the_number_of_steps():
    p = program(network(["residual", "layer"]))
    sizes = {}
    for steps in (CHUNK, 64, 512):
        observer = Sizes()
        run_dense(p, images(2), [steps], [observer])
        assert set(observer.covered.values()) == {steps}
        sizes[steps] = observer.largest
    assert sizes[CHUNK] == sizes[64] == sizes[512]


def test_observers_see_the_spikes_that_are_counted():
    p = program(network(["residual"], seed=1))
    totals = {}

    class Add:
        def spikes(self, site, start, drive, spikes, *rest):
            totals[site] = totals.get(site, 0) + spikes.sum((0, 1)).long()

    for engine in (run_dense, run_steploop):
        totals.clear()
        run = engine(p, images(), [21], [Add()])
        for site, at in run.counts.items():
            assert torch.equal(totals[site], at[21])
