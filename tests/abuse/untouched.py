"""The source network, and the world around it, must be as they were, also after an error."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
    "_state_dict_hooks", "_load_state_dict_pre_hooks",
)  # fmt: skip


@contextmanager
def untouched(model: nn.Module, *tensors: Tensor) -> Iterator[None]:
    """Asserts on the way out, whether the block ended or raised, that nothing has changed."""
    before, world = _snapshot(model, tensors), _world()
    try:
        yield
    finally:
        after = _snapshot(model, tensors)
        assert after.keys() == before.keys()
        for key, value in before.items():
            assert _same(value, after[key]), f"{key} changed"
        for key, value in _world().items():
            assert _same(value, world[key]), f"{key} changed"


def _snapshot(model: nn.Module, tensors: tuple[Tensor, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    named = [*model.named_parameters(), *model.named_buffers()]
    for name, tensor in [*named, *((f"argument {i}", t) for i, t in enumerate(tensors))]:
        found[f"{name} (values)"] = tensor.detach().clone()
        found[f"{name} (identity)"] = (id(tensor), tensor.data_ptr(), tensor.stride())
        found[f"{name} (flags)"] = (tensor.requires_grad, tensor.dtype, tensor.device)
        found[f"{name} (gradient)"] = None if tensor.grad is None else tensor.grad.clone()
    for name, module in model.named_modules():
        found[f"{name} (training)"] = module.training
        found[f"{name} (attributes)"] = sorted(vars(module))
        found[f"{name} (forward)"] = getattr(module.forward, "__func__", module.forward)
        for hooks in HOOKS:
            found[f"{name} ({hooks})"] = list(getattr(module, hooks).items())
    return found


def _world() -> dict[str, Any]:
    numpy = np.random.get_state(legacy=False)["state"]
    return {
        "torch's generator": torch.get_rng_state(),
        "numpy's generator": (numpy["key"].tobytes(), numpy["pos"]),
        "python's generator": random.getstate(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "default type": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one.nan_to_num(7), other.nan_to_num(7))
    return one == other
