"""The normalisation of a network in training: the one given, that of the weights it starts from, or
mean and standard deviation of its images."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from pathlib import Path

import torch
from torch import Tensor

from isospike.cli.source import parse_normalize
from isospike.data.images import ImageSet
from isospike.errors import UsageError

COARSE = 0.01  # a standard deviation of which four decimals say enough
SINGLE = 1e-6  # a share that single precision may have rounded away
ROUNDING = 1e-12  # a variance that a constant channel may seem to have


def chosen(
    given: str | None, init: Path | None, weights: Mapping[str, Tensor], data: ImageSet | None
) -> str | None:
    """MEAN,...:STD,... of a network: `given`, else that of `weights`, which are those of `init`,
    else of `data`; None where neither is given nor `data`. UsageError where `init` was trained with
    another one than is given."""
    if given is None and data is None:
        return None
    own = of_weights(weights)
    if given is None:
        assert data is not None
        return own or of_images(data)
    if own is not None and not _same(given, own):
        raise UsageError(
            f"--normalize {given}: the weights of {init} were trained with {own} and expect that: "
            "leave --normalize out"
        )
    return given


def of_weights(weights: Mapping[str, Tensor]) -> str | None:
    """What stands in front of a network that a training run wrote, with four decimals where they
    say it all; None for other weights."""
    found = [weights[name] for name in ("0.mean", "0.std") if name in weights]
    if len(found) < 2:
        return None
    return ":".join(",".join(map(_short, part.flatten().tolist())) for part in found)


def _short(value: float) -> str:
    brief = format(value, ".4f")
    return brief if isclose(float(brief), value, rel_tol=SINGLE) else format(value, ".6g")


def _same(one: str, other: str) -> bool:
    a, b = (torch.cat([n.mean, n.std]) for n in map(parse_normalize, (one, other)))
    return a.shape == b.shape and torch.allclose(a, b, rtol=10 * SINGLE)


def of_images(data: ImageSet) -> str:
    """MEAN,...:STD,... of the images, with four decimals; with six digits of a channel that varies
    so little that four would say too little of it."""
    pairs = [[format(v, ".4f" if std >= COARSE else ".6g") for v in (mean, std)]
             for mean, std in zip(*moments(data), strict=True)]  # fmt: skip
    return ":".join(",".join(part) for part in zip(*pairs, strict=True))


def moments(data: ImageSet) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of the images in [0, 1]; 1 where it is constant."""
    count = torch.zeros((), dtype=torch.float64)
    sums, squares = torch.zeros(2, data.sample_shape[0], dtype=torch.float64)
    for x, _ in data.batches(1000):
        x = x.double()
        count += x[:, 0].numel()
        sums += x.sum((0, 2, 3))
        squares += x.square().sum((0, 2, 3))
    mean = sums / count
    variance = squares / count - mean.square()
    return mean.tolist(), torch.where(variance > ROUNDING, variance, 1.0).sqrt().tolist()
