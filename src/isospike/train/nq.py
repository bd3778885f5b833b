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
from isospike.engine import run
from isospike.errors import UsageError
from isospike.graph.graph import execute
from isospike.program import Program
from isospike.train.validate import spiking


class _Rates:
    """An observer that keeps the mean output of every site over one run."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}

    def spikes(self, site: str, start: int, drive: Tensor, spikes: Tensor, state: Tensor) -> None:
        part = spikes.sum(0)
        self.sums[site] = self.sums[site] + part if start else part


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
    program = program or spiking(model, images)
    if program is None:
        raise UsageError("the model has no activation with a clip to measure the gap of")
    graph = program.graph
    variances: dict[str, list[Tensor]] = {node.path: [] for node in graph.sites}
    for x in images.split(batch):
        rates, clean = _Rates(), {}
        run(program, x, [steps], [rates], engine="steploop")
        execute(graph, x, watch=lambda node, v, into=clean: into.__setitem__(node.name, v))
        for node in graph.sites:
            gap = (
                clean[node.name]
                - rates.sums[node.name] / steps * program.units[node.name].amplitude
            )
            axes = None if grain == "layer" else [d for d in range(gap.dim()) if d != 1]
            variances[node.path].append(gap.var(axes))
    return {path: torch.stack(v).mean(0).sqrt() for path, v in variances.items()}


def set_sigma(model: nn.Module, sigmas: Mapping[str, Tensor | float], factor: float = 1.0) -> None:
    """Write the measured noise into the ClipQuant modules of the model, by module path."""
    modules = dict(model.named_modules())
    for path, sigma in sigmas.items():
        module = modules[path.split("@")[0]]
        assert isinstance(module, ClipQuant)
        module.sigma = (factor * torch.as_tensor(sigma)).to(module.sigma)
