"""Weights of one layer by gradient, so that its neuron meets the source activation.

    minimise over W, b   mean (phi(W m + b) - a)^2,     phi the neuron's static transfer

m: mean over time of the spikes that really arrive; the floor of the transfer passes the gradient on
unchanged, inside the range of the neuron. Layer after layer, each on the spikes of those before it.
Source: Li et al., ICML 2021 (advanced pipeline, Adam, cosine); Hu et al., TPAMI 2023 (Fast-SNN:
layer-wise fine-tuning with the value of the spiking network in the forward pass).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isospike.fit.segment import evaluate
from isospike.fit.site import Site
from isospike.fit.weights import adjustable
from isospike.units.neuron import Neuron
from isospike.units.radix import Radix


@dataclass(frozen=True)
class LayerGradient:
    """lr: of Adam, with cosine decay; iterations: batches of `batch` images."""

    lr: float = 1e-4
    iterations: int = 200
    batch: int = 32
    key = "gradient"
    stage = "unit"
    depends_on_steps = True
    needs_drive = True

    def fit(self, site: Site) -> None:
        layers = adjustable(site)
        if not layers or site.means is None or not self.iterations:
            return
        keys = [key for layer in layers for key in layer.tensors.values()]
        values = {key: site.graph.tensors[key].clone().requires_grad_() for key in keys}
        optimiser = torch.optim.Adam(values.values(), self.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.iterations)
        activation, draws = site.activation, torch.Generator().manual_seed(0)
        for _ in range(self.iterations):
            chosen = torch.randint(site.images, (self.batch,), generator=draws)
            with torch.enable_grad():
                means = {name: mean[chosen] for name, mean in site.means.items()}
                before = site.node.inputs[0]
                z = evaluate(site.graph.with_tensors(values), before, means)[before]
                loss = F.mse_loss(transfer(site, z), activation[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        site.graph = site.graph.with_tensors({k: v.detach() for k, v in values.items()})
        site.forget_drive()


def transfer(site: Site, z: Tensor) -> Tensor:
    """phi(z); its gradient is that of a clip."""
    unit = site.unit
    assert isinstance(unit, Neuron | Radix)
    clipped = torch.minimum(z.relu(), unit.top.to(z.dtype))
    with torch.no_grad():
        step = unit.dual(z.detach(), site.steps) - clipped
    return clipped + step
