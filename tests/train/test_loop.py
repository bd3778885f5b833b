"""The loop trains, repeats itself bit for bit, and follows its schedule."""

import pytest
import torch
from torch import nn

from isospike.train.loop import Schedule, accuracy, fit


def task(count: int = 256):
    """Which half of the image is brighter."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 1, 8, 8, generator=generator)
    labels = torch.arange(count) % 2
    images[labels == 1, :, 4:] += 0.5
    return images, labels


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)
    )


SCHEDULE = Schedule(epochs=6, lr=0.05, batch=32, pad=0, average=0.5)


def test_it_learns_and_returns_the_average():
    images, labels = task()
    model = net()
    averaged = fit(model, images, labels, SCHEDULE)
    assert accuracy(averaged, images, labels) > 0.95
    assert not torch.equal(averaged[0].weight, model[0].weight)


def test_the_same_seed_gives_the_same_bits():
    images, labels = task()
    results = [fit(net(), images, labels, SCHEDULE)[0].weight for _ in range(2)]
    assert torch.equal(*results)


@pytest.mark.parametrize("total", [10, 1000])
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(total):
    schedule = Schedule(lr=0.3, warmup=0.2)
    rates = [schedule.rate(step, total) for step in range(total)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.3)
    assert abs(peak - 0.2 * total) <= 1
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert schedule.rate(total, total) == pytest.approx(0.0, abs=1e-12)


def test_a_bound_on_the_gradient_bounds_the_first_step():
    images, labels = task(64)
    moved = []
    for clip in (None, 1e-3):
        model = net()
        before = model[4].weight.detach().clone()
        plain = Schedule(epochs=1, lr=1.0, warmup=0.0, batch=64, pad=0, weight_decay=0.0, clip=clip)
        fit(model, images * 100, labels, plain)
        moved.append(float((model[4].weight.detach() - before).norm()))
    assert moved[1] <= 1.9e-3 < moved[0]  # Nesterov: 1 + momentum times the gradient


def test_accuracy_counts_every_image_once():
    images, labels = task(7)

    class Always(nn.Module):
        def forward(self, x):
            return torch.tensor([0.0, 1.0]).expand(len(x), 2)

    assert accuracy(Always(), images, labels, batch=3) == 3 / 7
