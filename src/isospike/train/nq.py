"""The noise of NQ: what the spiking network does differently from the clean activation, per layer.

    sigma_l = sqrt(mean over batches of Var(a_l - phi_l(T_v))),   mu_l = mean of a_l - phi_l(T_v)

a_l: clean quantised activation, phi_l: average output of the IF network converted as it stands,
v(0) = theta / 2, both run end to end, batch norm in eval. Source: Huang et al. 2024, the authors'
training loop, which logs mu and leaves it out; as the mean of the noise it is a switch of ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant
from isospike.errors import DataError
from isospike.program import Program
from isospike.train.passes import passages


@torch.no_grad()
def residual_noise(
    model: nn.Module,
    images: Tensor,
    steps: int,
    batch: int = 100,
    grain: str = "layer",
    program: Program | None = None,
) -> dict[str, tuple[Tensor, Tensor]]:
    """Site path -> (sigma_l, mu_l), numbers or [C] (grain "channel"), in the units of a, on images
    [N, C, H, W] that are kept from training. `program`: the model's, where it is known
    (train/validate.py).

    Variance and mean are over batch and positions, and over the channels of a layer. DataError
    where that leaves a single value.
    """
    gaps: dict[str, list[Tensor]] = {}
    single: set[str] = set()
    for site in passages(model, images, steps, batch, program):
        gap, path = site.a - site.rate * site.unit.theta, site.node.path
        axes = [d for d in range(gap.dim()) if grain == "layer" or d != 1]
        if math.prod(gap.shape[d] for d in axes) < 2:
            single.add(path)
            continue
        gaps.setdefault(path, []).append(torch.stack([gap.var(axes), gap.mean(axes)]))
    if single:
        raise DataError(
            f"no variance of the gap at {', '.join(sorted(single))}: one value a batch. Measure on "
            "more images, in batches of several, or with one sigma a layer"
        )
    means = {path: torch.stack(parts).mean(0) for path, parts in gaps.items()}
    return {path: (variance.sqrt(), mean) for path, (variance, mean) in means.items()}


def set_sigma(model: nn.Module, sigmas: Mapping[str, Tensor | float], factor: float = 1.0) -> None:
    """Write the measured noise into the ClipQuant modules of the model, by module path."""
    for module, sigma in _clips(model, sigmas):
        module.sigma = (factor * torch.as_tensor(sigma)).to(module.sigma)


def set_mu(model: nn.Module, means: Mapping[str, Tensor | float]) -> None:
    """Write the measured mean of the gap into the ClipQuant modules, by module path."""
    for module, mean in _clips(model, means):
        module.mu = torch.as_tensor(mean).to(module.mu).clone()


def _clips(
    model: nn.Module, found: Mapping[str, Tensor | float]
) -> Iterator[tuple[ClipQuant, Tensor | float]]:
    modules = dict(model.named_modules())
    for path, value in found.items():
        module = modules[path.split("@")[0]]
        assert isinstance(module, ClipQuant)
        yield module, value
