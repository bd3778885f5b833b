"""The noise of NQ: what the spiking network does differently from the clean activation, per layer.

    sigma_l = sqrt(mean over batches of Var(a_l - phi_l(T_v)))

a_l: clean quantised activation, phi_l: average output of the IF network converted as it stands,
v(0) = theta / 2, both run end to end, batch norm in eval. Source: Huang et al. 2024, the authors'
training loop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant
from isospike.engine import run
from isospike.graph.graph import Graph, Node, execute
from isospike.graph.rewrite import rewrite
from isospike.program import Program
from isospike.units.binary import IF


class _Rates:
    """An observer that keeps the mean output of every site over one run."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}

    def spikes(self, site: str, start: int, drive: Tensor, spikes: Tensor, state: Tensor) -> None:
        part = spikes.sum(0)
        self.sums[site] = self.sums[site] + part if start else part


@torch.no_grad()
def residual_sigma(
    model: nn.Module, images: Tensor, steps: int, batch: int = 100
) -> dict[str, float]:
    """Site path -> sigma_l, on images [N, C, H, W] kept from training."""
    graph, _, _ = rewrite(model, images[:4])
    units = {n.name: IF(_theta(graph, n), torch.tensor(0.5)) for n in graph.sites}
    program = Program(graph, units)
    variances: dict[str, list[float]] = {node.name: [] for node in graph.sites}
    for x in images.split(batch):
        rates, clean = _Rates(), {}
        run(program, x, [steps], [rates], engine="steploop")
        execute(graph, x, watch=lambda node, v, into=clean: into.__setitem__(node.name, v))
        for name, unit in units.items():
            gap = clean[name] - rates.sums[name] / steps * unit.theta
            variances[name].append(float(gap.var()))
    return {name: (sum(v) / len(v)) ** 0.5 for name, v in variances.items()}


def set_sigma(model: nn.Module, sigmas: dict[str, float], factor: float = 1.0) -> None:
    """Write the measured noise into the ClipQuant modules of the model, by module path."""
    modules = dict(model.named_modules())
    for path, sigma in sigmas.items():
        module = modules[path.split("@")[0]]
        assert isinstance(module, ClipQuant)
        module.sigma.fill_(factor * sigma)


def _theta(graph: Graph, node: Node) -> Tensor:
    return graph.tensors[node.tensors["theta"]]
