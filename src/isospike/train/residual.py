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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant
from isospike.engine.native import clip
from isospike.errors import UsageError
from isospike.program import Program
from isospike.units.kernel import scan, wide

Forward = Callable[[ClipQuant, Tensor], Tensor]


@dataclass
class ResidualForward:
    """Callable `(model, x [B, ...]) -> logits [B, classes]`, with the residual of T steps in it;
    T = 0: none. Behind max-pooling it is the converted network's at T = 1 alone (refuse_pools)."""

    steps: tuple[int, ...] = (1, 2, 4, 8)
    seed: int = 0
    rates: dict[nn.Module, deque[Tensor]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.draws = torch.Generator().manual_seed(self.seed)

    def __call__(self, model: nn.Module, x: Tensor) -> Tensor:
        index = int(torch.randint(len(self.steps), (), generator=self.draws))
        steps = self.steps[index]
        model.eval()
        self.rates.clear()
        if not steps:
            return model(x)
        with torch.no_grad(), _instead(model, self._spiking(steps)):
            model(x.repeat(steps, *[1] * (x.dim() - 1)))
        with _instead(model, self._moved):
            return model(x)

    def _spiking(self, steps: int) -> Forward:
        """The activation as the IF neuron that it converts to; its mean output is kept."""

        def forward(module: ClipQuant, z: Tensor) -> Tensor:
            start = module.shift if module.levels else 0.0
            trains, rate = integrate_and_fire(z.unflatten(0, (steps, -1)), module.theta, start)
            self.rates.setdefault(module, deque()).append(rate)
            return trains.flatten(0, 1)

        return forward

    def _moved(self, module: ClipQuant, z: Tensor) -> Tensor:
        a = type(module).forward(module, z)
        return _WithGradientOf.apply(a, self.rates[module].popleft())


class _WithGradientOf(torch.autograd.Function):
    """The second tensor, with the gradient of the first."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, rate: Tensor) -> Tensor:
        return rate.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def integrate_and_fire(z: Tensor, theta: Tensor, v0: float = 0.5) -> tuple[Tensor, Tensor]:
    """Trains s(t) theta of drives z [T, B, ...] and their mean over time [B, ...]: soft reset,
    v(0) = v0 theta. The membrane is float32 or wider, also where mixed precision made z narrower.
    """
    if clip.serves(theta, z) and z.stride(0) == z[0].numel():
        return clip.spikes(z, theta, v0)
    drive = z.to(wide(z.dtype)) / theta
    spikes, _ = scan(drive, torch.full_like(drive[0], v0))
    rate = spikes.sum(0) * (float(theta) / len(z))
    return spikes.to(z.dtype).mul_(theta), rate.to(z.dtype)


def refuse_pools(program: Program, steps: Sequence[int]) -> None:
    """UsageError where `program` has max-pools and T > 1: ResidualForward pools the spikes of each
    step alone, the converted network passes those of the input that has fired most."""
    pools = [node.path for node in program.graph.nodes if node.op == "max_pool"]
    if pools and max(steps, default=0) > 1:
        raise UsageError(
            f"residual is not the converted network's behind max-pooling ({', '.join(pools)}), "
            "whose spikes depend on the steps before: --set pool=average, or another way to train"
        )


@contextmanager
def _instead(model: nn.Module, forward: Forward) -> Iterator[None]:
    """Every activation computes this one's forward."""
    own = {m: vars(m).get("forward") for m in model.modules() if isinstance(m, ClipQuant)}
    for module in own:
        vars(module)["forward"] = partial(forward, module)
    try:
        yield
    finally:
        for module, before in own.items():
            del vars(module)["forward"]
            if before is not None:
                vars(module)["forward"] = before
