"""Networks that come with the package: `load("fashion-relu")`, in commands `zoo:fashion-relu`;
and architectures to train, `build("resnet18")`, whose list is `architectures()`.
"""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from typing import Any

from safetensors.torch import load_file
from torch import nn

from isospike.activations import ClipQuant, without_noise
from isospike.errors import UsageError
from isospike.zoo.networks import architectures as architectures
from isospike.zoo.networks import build as build
from isospike.zoo.normalize import Normalize

FASHION_MEAN, FASHION_STD = (0.2860,), (0.3530,)
LEVELS = 4


BUNDLED = {  # name -> architecture, trained with
    "fashion-relu": ("resnet20", "relu"),
    "fashion-qcfs": ("resnet20", "qcfs"),
    "fashion-nq": ("resnet20", "nq"),
    "fashion-vgg9": ("vgg9", "nq"),
}


def names() -> list[str]:
    return sorted(BUNDLED)


def load(name: str) -> nn.Module:
    """A trained network in eval mode; UsageError lists the known names."""
    if name in architectures():
        raise UsageError(
            f"{name!r} is an architecture, and untrained: train it with "
            f"`isospike train --model zoo:{name}`, or take one of {', '.join(names())}"
        )
    if name not in BUNDLED:
        raise UsageError(f"unknown network {name!r}: one of {', '.join(names())}")
    model = _untrained(*BUNDLED[name])
    with as_file(files(__name__) / f"{name}.safetensors") as path:
        model.load_state_dict(load_file(path))
    return without_noise(model).eval()


def _untrained(architecture: str, activation: str) -> nn.Module:
    """For [B, 1, 28, 28] pixels in [0, 1], normalisation inside."""
    make = nn.ReLU if activation == "relu" else lambda: ClipQuant(levels=LEVELS)
    model = build(architecture, channels=1, activation=make, size=28)
    return nn.Sequential(Normalize(FASHION_MEAN, FASHION_STD), model)


def card(name: str) -> dict[str, Any]:
    """How the network was trained and what it reached on all 10,000 test images."""
    load(name)
    return json.loads((files(__name__) / f"{name}.json").read_text())
