"""Training under the residual error itself, in place of a noise that is distributed like it.

NQ adds to each activation a Gaussian with the standard deviation of the gap between the quantised
network and its spiking network. The gap of *these* images is had by running the spiking network:

    forward   a_l = a_l(z_l) + r_l,     r_l = phi_l(T) - a_l(z_l) = what T spiking steps really give
    backward  da_l/dz_l of the clean activation; r_l is a constant, as NQ's noise is

so mean, correlation and dependence on the input are those that the network will meet, for the price
of T more forward passes without gradients. T is drawn for each batch from `steps`, where 0 stands
for no residual: a batch of the clean network. Batch norm uses its running statistics, as the
converted network does. The idea that the forward pass is the spiking network's and the backward
pass the activation's is also behind tandem learning (Wu et al. 2021).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant
from isospike.units.kernel import wide


@dataclass
class ResidualForward:
    """Callable `(model, x [B, ...]) -> logits [B, classes]`, with the residual of T steps in it;
    T = 0: none."""

    steps: tuple[int, ...] = (1, 2, 4, 8)
    seed: int = 0
    rates: dict[nn.Module, deque[Tensor]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.draws = torch.Generator().manual_seed(self.seed)

    def __call__(self, model: nn.Module, x: Tensor) -> Tensor:
        index = int(torch.randint(len(self.steps), (), generator=self.draws))
        steps = self.steps[index]
        model.eval()
        if not steps:
            return model(x)
        with torch.no_grad(), _hooked(model, self._spiking(steps)):
            model(x.repeat(steps, *[1] * (x.dim() - 1)))
        with _hooked(model, self._moved):
            return model(x)

    def _spiking(self, steps: int) -> Callable:
        """The activation as the IF neuron that it converts to; its mean output is kept."""

        def hook(module: ClipQuant, args: tuple[Tensor], a: Tensor) -> Tensor:
            z = args[0].unflatten(0, (steps, -1))
            spikes = integrate_and_fire(z, module.theta, module.shift if module.levels else 0.0)
            self.rates.setdefault(module, deque()).append(spikes.mean(0))
            return spikes.flatten(0, 1)

        return hook

    def _moved(self, module: ClipQuant, args: tuple[Tensor], a: Tensor) -> Tensor:
        return a + (self.rates[module].popleft() - a).detach()


def integrate_and_fire(z: Tensor, theta: Tensor, v0: float = 0.5) -> Tensor:
    """Trains s(t) theta of drives z [T, B, ...], soft reset, v(0) = v0 theta. The membrane is
    float32 or wider, also where mixed precision made z narrower."""
    out = torch.empty_like(z)
    v = torch.full_like(z[0], v0, dtype=wide(z.dtype))
    scale = 1.0 / float(theta)
    for drive, spikes in zip(z, out, strict=True):
        v.add_(drive, alpha=scale)
        torch.ge(v, 1.0, out=spikes)
        v -= spikes
    return out.mul_(theta)


@contextmanager
def _hooked(model: nn.Module, hook: Callable) -> Iterator[None]:
    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, ClipQuant)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
