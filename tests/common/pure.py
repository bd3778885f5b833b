"""What a call must leave as it was: a model, and the state of torch."""

from __future__ import annotations

import copy
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def _state(model: nn.Module) -> dict:
    modules = dict(model.named_modules())
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "tensors": {name: t.detach().clone() for name, t in tensors.items()},
        "identity": {name: id(t) for name, t in tensors.items()},
        "strides": {name: t.stride() for name, t in tensors.items()},
        "gradients": {name: (t.requires_grad, t.grad is None) for name, t in tensors.items()},
        "training": {name: m.training for name, m in modules.items()},
        "hooks": {
            name: (list(m._forward_hooks), list(m._forward_pre_hooks), list(m._backward_hooks))
            for name, m in modules.items()
        },
        "attributes": {name: sorted(vars(m)) for name, m in modules.items()},
        "random": torch.random.get_rng_state(),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
    }


def _same(one, other) -> bool:
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one.nan_to_num(), other.nan_to_num())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other


@contextmanager
def untouched(model: nn.Module):
    """Fails with the name of what changed; holds also when the body raises."""
    before = copy.deepcopy(_state(model))
    try:
        yield
    finally:
        after = _state(model)
        changed = [name for name in before if not _same(before[name], after[name])]
        assert not changed, changed
