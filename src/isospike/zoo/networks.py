"""Untrained networks by name: `build("resnet18", classes=100)`, in commands `zoo:resnet18`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from isospike.errors import UsageError
from isospike.zoo.mobilenet import MobileNetV2
from isospike.zoo.resnet import Activation, ResNet
from isospike.zoo.vgg import VGG


@dataclass(frozen=True)
class Architecture:
    """How a network is made, and what it is where the caller does not say.

    make        takes channels, classes and activation by name, and size where `sized`
    classes     number of logits
    size        side of the images that it was designed for, in pixels
    sized       whether the weights depend on the size
    """

    make: Callable[..., nn.Module]
    classes: int = 10
    size: int = 32
    activation: Activation = nn.ReLU
    sized: bool = False


_RESNET18 = partial(ResNet, blocks=(2, 2, 2, 2), width=64)
_RESNET34 = partial(ResNet, blocks=(3, 4, 6, 3), width=64)
ARCHITECTURES = {
    "resnet20": Architecture(ResNet),
    "resnet8x4": Architecture(partial(ResNet, blocks=(1, 1, 1), width=64)),
    "resnet18": Architecture(_RESNET18),
    "resnet34": Architecture(_RESNET34),
    "vgg16": Architecture(VGG, sized=True),
    "vgg9": Architecture(partial(VGG, blocks=(2, 2, 2), hidden=512), sized=True),
    "mobilenetv2": Architecture(MobileNetV2, activation=nn.ReLU6),
    "resnet18-imagenet": Architecture(partial(_RESNET18, imagenet=True), 1000, 224),
    "resnet34-imagenet": Architecture(partial(_RESNET34, imagenet=True), 1000, 224),
    "vgg16-imagenet": Architecture(partial(VGG, imagenet=True), 1000, 224, sized=True),
}


def architectures() -> list[str]:
    return sorted(ARCHITECTURES)


def build(
    name: str,
    channels: int = 3,
    classes: int | None = None,
    activation: Activation | None = None,
    size: int | None = None,
) -> nn.Module:
    """`x [B, channels, size, size] -> logits [B, classes]` with fresh weights.

    activation: called without arguments once for each site, such as `nn.ReLU` or
    `lambda: ClipQuant(levels=4)`; a module cannot stand for a factory, since sites would share it.
    None stands for what the architecture was designed with: ReLU (ReLU6 in mobilenetv2), 10 classes
    and 32 pixels (1000 and 224 in the ImageNet forms). Only VGG depends on the size.
    UsageError for an unknown name, with the nearest known one, and for values out of range.
    """
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(name, ARCHITECTURES, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        known = ", ".join(architectures())
        raise UsageError(f"unknown architecture {name!r}: {hint}one of {known}")
    found = ARCHITECTURES[name]
    classes = found.classes if classes is None else classes
    size = found.size if size is None else size
    activation = found.activation if activation is None else activation
    _check(name, activation, channels=channels, classes=classes, size=size)
    options = {"size": size} if found.sized else {}
    return found.make(channels=channels, classes=classes, activation=activation, **options)


def _check(name: str, activation: Activation, **counts: int) -> None:
    problems = [
        f"{what} must be a whole number of at least 1, got {count!r}"
        for what, count in counts.items()
        if not isinstance(count, int) or count < 1
    ]
    if isinstance(activation, nn.Module) or not callable(activation):
        kind = type(activation).__name__
        problems.append(f"activation must be a function that makes a module, got a {kind}")
    if problems:
        raise UsageError(f"{name}: {'; '.join(problems)}")
