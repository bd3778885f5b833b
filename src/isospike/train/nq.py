"""The noise of NQ: what the spiking network does differently from the clean activation, per layer.

    sigma_l = sqrt(mean over batches of Var(a_l - phi_l(T_v))),   mu_l = mean of a_l - phi_l(T_v)

a_l: clean quantised activation, phi_l: average output of the IF network converted as it stands,
v(0) = theta / 2, both run end to end, batch norm in eval. Source: Huang et al. 2024, the authors'
training loop, which logs mu and leaves it out; as the mean of the noise it is a switch of ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant
from isospike.errors import DataError, UsageError
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
    """Write the measured noise into the ClipQuant modules of the model, by site path; a module that
    is called several times gets the root of the mean of its variances. UsageError as `_pooled`."""
    variances = {path: torch.as_tensor(sigma).square() for path, sigma in sigmas.items()}
    for module, variance in _pooled(model, variances):
        module.sigma = (factor * variance.sqrt()).to(module.sigma)


def set_mu(model: nn.Module, means: Mapping[str, Tensor | float]) -> None:
    """Write the measured mean of the gap into the ClipQuant modules, by site path; a module that is
    called several times gets the mean of its means. UsageError as `_pooled`."""
    for module, mean in _pooled(model, {p: torch.as_tensor(mean) for p, mean in means.items()}):
        module.mu = mean.to(module.mu).clone()


def _pooled(model: nn.Module, found: Mapping[str, Tensor]) -> list[tuple[ClipQuant, Tensor]]:
    """Each module with the mean of what was found at its calls ("act", "act@1", or another name of
    the same module). UsageError where the calls differ in channels and each channel has its own."""
    modules = dict(model.named_modules(remove_duplicate=False))
    calls: dict[nn.Module, list[str]] = {}
    for path in found:
        calls.setdefault(modules[path.split("@")[0]], []).append(path)
    odd = [p for p in calls.values() if len({found[path].shape for path in p}) > 1]
    if odd:
        raise UsageError(
            f"{'; '.join(', '.join(paths) for paths in odd)}: calls of one module with different "
            "channels, which cannot share a noise of each channel: one sigma a layer "
            "(noise_grain=layer), or a module for each call"
        )
    pairs = []
    for module, paths in calls.items():
        assert isinstance(module, ClipQuant)
        pairs.append((module, torch.stack([found[path] for path in paths]).mean(0)))
    return pairs
