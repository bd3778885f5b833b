"""The noise of NQ: what the spiking network does differently from the clean activation, per layer.

    sigma_l = sqrt(mean over batches of Var(a_l - phi_l(T_v)))

a_l: clean quantised activation, phi_l: average output of the IF network converted as it stands,
v(0) = theta / 2, both run end to end, batch norm in eval. Source: Huang et al. 2024, the authors'
training loop.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant
from isospike.program import Program
from isospike.train.passes import passages


@torch.no_grad()
def residual_sigma(
    model: nn.Module,
    images: Tensor,
    steps: int,
    batch: int = 100,
    grain: str = "layer",
    program: Program | None = None,
) -> dict[str, Tensor]:
    """Site path -> sigma_l, a number or [C] (grain "channel"), on images [N, C, H, W] that are kept
    from training. `program`: the model's, where it is known (train/validate.py).

    The variance is over batch and positions, and over the channels of a layer.
    """
    variances: dict[str, list[Tensor]] = {}
    for site in passages(model, images, steps, batch, program):
        gap = site.a - site.rate * site.unit.theta
        axes = None if grain == "layer" else [d for d in range(gap.dim()) if d != 1]
        variances.setdefault(site.node.path, []).append(gap.var(axes))
    return {path: torch.stack(v).mean(0).sqrt() for path, v in variances.items()}


def set_sigma(model: nn.Module, sigmas: Mapping[str, Tensor | float], factor: float = 1.0) -> None:
    """Write the measured noise into the ClipQuant modules of the model, by module path."""
    modules = dict(model.named_modules())
    for path, sigma in sigmas.items():
        module = modules[path.split("@")[0]]
        assert isinstance(module, ClipQuant)
        module.sigma = (factor * torch.as_tensor(sigma)).to(module.sigma)
