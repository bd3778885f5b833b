"""phi(T) against a(z): under constant drive the neuron is its dual, which at T = L is a(z)."""

import pytest
import torch
from torch import Tensor

from isospike.train.transfer import WIDTH, Transfer, transfer
from train.test_gap import known
from zoo.tiny import images


def measured(x: Tensor, steps: int) -> dict[str, Transfer]:
    model, program = known()
    return transfer(model, x, steps, program=program)


def test_every_value_is_counted_once_and_halves_are_the_whole():
    x = images(20)
    for path, whole in measured(x, 3).items():
        halves = [measured(part, 3)[path] for part in x.split(10)]
        both = halves[0] + halves[1]
        assert int(whole.counts.sum()) == 20 * (144 if path == "1" else 64)
        assert torch.equal(both.counts, whole.counts)
        for name in ("mean", "std", "clean"):
            ours, theirs = getattr(both, name), getattr(whole, name)
            assert torch.allclose(ours, theirs, atol=1e-6, equal_nan=True)


def test_a_constant_drive_of_as_many_steps_as_levels_is_the_activation():
    first, second = measured(images(20), 4).values()
    seen = first.counts > 0
    assert torch.allclose(first.mean[seen], first.clean[seen], atol=1e-6)
    assert not torch.allclose(second.mean[second.counts > 0], second.clean[second.counts > 0])


@pytest.mark.parametrize("steps", [2, 4, 16])
def test_the_rate_of_a_bin_is_that_of_its_drive(steps):
    """First layer: phi = clip(floor(z T + 1/2), 0, T) / T, z within the bin."""
    first = measured(images(20), steps)["1"]
    inner = slice(1, -1)  # the end bins are open
    for edge, side in ((-WIDTH / 2, "least"), (WIDTH / 2, "most")):
        bound = ((first.z + edge) * steps + 0.5).floor().clamp(0, steps) / steps
        off = (first.mean - bound)[inner][first.counts[inner] > 0]
        assert float(off.min() if side == "least" else -off.max()) > -1e-6


def test_the_spread_is_of_phi_around_its_mean():
    for site in measured(images(20), 4).values():
        seen = site.counts > 0
        assert bool((site.std[seen] >= 0).all())
        assert torch.equal(site.mean.isnan(), ~seen)
    assert float(site.std[seen].max()) > 0.05
