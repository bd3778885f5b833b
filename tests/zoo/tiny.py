"""The networks of the tests: two channels of 8 x 8 pixels in, three classes out, fixed weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import isospike as iso
from isospike.activations import ClipQuant, SoftLIF
from isospike.fit.thresholds import FromActivation, FromSoftLIF

SHAPE, CLASSES = (2, 8, 8), 3


def images(count: int = 24, seed: int = 0) -> Tensor:
    """[B, 2, 8, 8], sixteenths in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 17, (count, *SHAPE), generator=generator).float() / 16


def labels(count: int = 24) -> Tensor:
    return torch.arange(count) % CLASSES


class Plain(nn.Module):
    """Convolution, batch norm, activation, pooling, convolution, activation, linear."""

    def __init__(self, activation=nn.ReLU, pool: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.act1 = activation()
        self.pool = pool or nn.AvgPool2d(2)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.act2 = activation()
        self.fc = nn.Linear(4 * 4 * 4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act1(self.bn1(self.conv1(x))))
        return self.fc(self.act2(self.conv2(x)).flatten(1))


class Residual(nn.Module):
    """One block with a shortcut; one activation module is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (
            nn.Conv2d(inside, 4, 3, stride, padding=1)
            for inside, stride in ((2, 2), (4, 1), (4, 1))
        )
        self.act = nn.ReLU()
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv1(x))
        x = self.act(self.conv3(F.relu(self.conv2(x))) + x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Refused(nn.Module):
    """Three things that no spiking network computes, on three lines."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.act = nn.GELU()
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(x))
        x = x * torch.sigmoid(x)
        return self.fc(x.mean((2, 3)))


def settled(model: nn.Module, seed: int = 0) -> nn.Module:
    """Weights from `seed`, batch norms with statistics of their own, eval mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            leaf = name.rpartition(".")[2]
            if leaf in ("weight", "bias", "running_mean"):
                fan = value[0].numel() if value.dim() > 1 else 4
                value.copy_(torch.randn(value.shape, generator=generator) / fan**0.5)
            elif leaf == "running_var":
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    return model.eval()


def plain(pool: nn.Module | None = None) -> nn.Module:
    return settled(Plain(pool=pool))


def leaky(slope: float = 0.125, pool: nn.Module | None = None) -> nn.Module:
    """A leaky ReLU, and a ReLU after it."""
    kinds = iter((lambda: nn.LeakyReLU(slope), nn.ReLU))
    return settled(Plain(lambda: next(kinds)(), pool))


def residual() -> nn.Module:
    return settled(Residual())


def quantised(levels: int | None = 4, theta: float = 2.0) -> nn.Module:
    return settled(Plain(lambda: ClipQuant(theta, levels)))


def ending() -> nn.Module:
    """Activations that end low: a quarter of the first layer, a seventh of the second are at the end."""
    return quantised(None, 0.4)


def deep() -> nn.Module:
    """Four quantised layers one upon the other: spikes come unevenly, counts go wrong."""
    layers = [
        layer for inside in (2, 6, 6, 6)
        for layer in (nn.Conv2d(inside, 6, 3, padding=1), ClipQuant(1.0, 4))
    ]  # fmt: skip
    return settled(nn.Sequential(*layers, nn.Flatten(), nn.Linear(6 * 64, CLASSES)))


def clipped(recipe: iso.Recipe) -> bool:
    """Does it take its thresholds from the source activation?"""
    return isinstance(recipe.threshold, FromActivation)


def soft() -> nn.Module:
    return settled(Plain(lambda: SoftLIF(0.5)))


def suited(recipe: iso.Recipe) -> Callable[[], nn.Module]:
    """What makes a network that suits a recipe."""
    if isinstance(recipe.threshold, FromSoftLIF):
        return soft
    return quantised if clipped(recipe) else plain


def source(recipe: str) -> nn.Module:
    return suited(iso.recipe(recipe))()


@cache
def planned(make: Callable[[], nn.Module]) -> iso.Plan:
    """Capturing takes a third of a second: once for all recipes."""
    return iso.plan(make(), "opi", images())


def plan_for(recipe: str | iso.Recipe) -> iso.Plan:
    """A fresh plan of the network that suits a recipe."""
    chosen = iso.recipe(recipe)
    if chosen.tune is not None:
        chosen = chosen.override({"tune.passes": min(4, chosen.tune.passes)})
    return replace(planned(suited(chosen)), recipe=chosen, fitted={})


@cache
def converted(recipe: str | iso.Recipe = "opi", steps: int = 8) -> iso.SpikingNetwork:
    """Shared by many tests: none may change it (`copy.deepcopy` it first)."""
    return iso.convert(plan_for(recipe), images(), steps)
