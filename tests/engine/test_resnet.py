"""A real network, ResNet-20, whose weights are no dyadic numbers: the engines agree all the same."""

from functools import cache

import pytest
import torch
from torch import nn

from isospike.engine import run
from isospike.engine.pipeline import run_pipelined
from isospike.fit.calibration import Calibration
from isospike.fit.observe import observe
from isospike.fit.sweep import fit_program
from isospike.fit.thresholds import Percentile
from isospike.graph.rewrite import rewrite
from isospike.recipe import Recipe
from isospike.schedule import Separated, Synchronous
from isospike.zoo.resnet import ResNet

EQUAL = 0.9999  # of the spikes; measured: all of 100,000
SCHEDULES = {
    "synchronous": Synchronous(), "k=1": Separated(1.0), "k=2": Separated(2.0),
    "k=2, extra 1": Separated(2.0, 1), "k=1.25": Separated(1.25),
}  # fmt: skip


def pictures(count: int, seed: int) -> torch.Tensor:
    return torch.rand(count, 1, 12, 12, generator=torch.Generator().manual_seed(seed))


@cache
def source():
    torch.manual_seed(0)
    net = ResNet(channels=1).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2.0)
    graph = rewrite(net, pictures(2, 0))[0]
    calibration = Calibration.collect([pictures(64, 1)], (1, 12, 12), torch.float32)
    return graph, observe(graph, calibration), calibration


def converted(schedule):
    pool = "exact" if isinstance(schedule, Separated) else "gated"
    recipe = Recipe("plain", threshold=Percentile(99.0), schedule=schedule, pool=pool)
    graph, stats, calibration = source()
    return fit_program(graph, recipe, stats, calibration, 6)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_equal_spikes(schedule):
    p, x = converted(schedule), pictures(3, 2)
    one, other = run(p, x, 6), run(p, x, 6, engine="steploop")
    total = sum(int(at[6].sum()) for at in other.counts.values())
    apart = sum(int((one.counts[site][6] - at[6]).abs().sum()) for site, at in other.counts.items())
    assert total > 50_000
    assert apart <= (1 - EQUAL) * total
    assert torch.allclose(
        one.outputs[6], other.outputs[6], atol=1e-3 * float(one.outputs[6].abs().max())
    )
    assert len(p.units) == 19
    assert p.depth == 19


def test_three_images_in_flight():
    p = converted(Separated(2.0))
    batches = [pictures(1, seed) for seed in (3, 4, 5)]
    for x, together in zip(batches, run_pipelined(p, batches, 4), strict=True):
        alone = run(p, x, 4, engine="steploop")
        assert torch.equal(together.outputs[4], alone.outputs[4])
        for site, at in alone.counts.items():
            assert torch.equal(together.counts[site][4], at[4])
