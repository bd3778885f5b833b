"""RNL's second stage: the clips alone are trained, so that firing rates settle sooner.

    loss = d(y, y0) + lambda * mean over layers and images of Omega_l
    Omega_l = sum r_l / |r_l|^2,   r_l = a_l / theta_l in [0, 1],   theta_l = m_l sigmoid(p_l)

y, y0: logits now and of the network as the first stage left it; d: 1 - cosine, or the mean squared
error. m_l and all weights are locked, batch norm is in eval; only p_l moves. Omega_l bounds how
slowly a layer's rates are inferred (K < 2 Omega / t): larger rates are seen sooner, and d holds
what a lower clip takes away.

Source: Ding et al., IJCAI 2021, and the authors' code (lambda = 0.1), as we read it: that Omega is
taken image by image, and that y0 is the first stage's network, are reconstructed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isospike.activations import ClipQuant
from isospike.errors import UsageError


def omega(rates: Tensor) -> Tensor:
    """[B] from rates [B, ...]; 0 for an image that a layer is silent on."""
    r = rates.flatten(1)
    power = r.square().sum(1)
    silent = power == 0
    return torch.where(silent, 0.0, r.sum(1) / power.masked_fill(silent, 1.0))


class RateInference:
    """Callable `(model, x [B, ...]) -> loss`. Making one locks everything in `model` but the p of
    its clips; UsageError where it has no clip with a running maximum."""

    def __init__(self, model: nn.Module, weight: float, distance: str = "cosine") -> None:
        clips = {name: m for name, m in model.named_modules() if _running(m)}
        if not clips:
            raise UsageError("the rate loss needs clips with a running maximum: activation rnl")
        self.weight, self.distance = weight, distance
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for clip in clips.values():
            clip.p.requires_grad_(True)  # type: ignore[union-attr]
        self.first = copy.deepcopy(model).eval().requires_grad_(False)
        self.start = {f"{name}.p": self.first.get_parameter(f"{name}.p") for name in clips}

    @classmethod
    def of(cls, model: nn.Module, weight: float, distance: str) -> RateInference | None:
        """None, and nothing locked, without a weight."""
        return cls(model, weight, distance) if weight else None

    def __call__(self, model: nn.Module, x: Tensor) -> Tensor:
        model.eval()
        rates: list[Tensor] = []

        def keep(module: ClipQuant, args: Any, a: Tensor) -> None:
            rates.append(omega(a / module.theta))

        with ExitStack() as hooks:
            for module in filter(_running, model.modules()):
                hooks.enter_context(module.register_forward_hook(keep))  # type: ignore[arg-type]
            y = model(x)
        with torch.no_grad():
            y0 = self.first.to(x.device)(x)
        return self._apart(y, y0) + self.weight * torch.stack(rates).mean()

    def _apart(self, y: Tensor, y0: Tensor) -> Tensor:
        if self.distance == "mse":
            return F.mse_loss(y, y0)
        return 1 - F.cosine_similarity(y, y0).mean()

    def go_on(self, model: nn.Module, start: Mapping[str, Tensor]) -> None:
        """After a run was cut off: the first stage's network is `model` with the p of `start`."""
        self.first.load_state_dict({**model.state_dict(), **start})


def _running(module: nn.Module) -> bool:
    return isinstance(module, ClipQuant) and "running_max" in module._buffers
