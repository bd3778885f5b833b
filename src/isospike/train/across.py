"""Batch norm over the batch of all processes, so that two processes train as one does.

    mean = sum over processes of sum x / n,   var = sum over processes of sum (x - mean)^2 / n

torch's SyncBatchNorm is for accelerators only; this one also works on a CPU (gloo). Its gradient is
that of the formula: the sums are summed over the processes in the backward pass too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, distributed, nn

from isospike.activations import ClipQuant
from isospike.errors import UsageError

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class _Sum(torch.autograd.Function):
    """The sum over the processes, whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        x = x.clone()
        distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx, *grads: Tensor) -> Tensor:
        (grad,) = grads
        grad = grad.contiguous().clone()
        distributed.all_reduce(grad)
        return grad


def across(x: Tensor) -> Tensor:
    return _Sum.apply(x)  # type: ignore[return-value]


class BatchNormAcross(nn.modules.batchnorm._BatchNorm):
    """x [B, C, ...]; as nn.BatchNorm1d/2d/3d, in training over all processes. Half precision is
    computed in float32; the output has the type of the input."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected [B, C, ...], got {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        # Sums of half precision lose what is small beside them, and in fp16 they overflow.
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        axes = [d for d in range(x.dim()) if d != 1]
        extent = (1, -1, *[1] * (x.dim() - 2))
        count = torch.tensor(float(x.numel() // x.shape[1]), device=x.device)
        distributed.all_reduce(count)
        mean = across(x.sum(axes)) / count
        centred = x - mean.view(extent)
        variance = across(centred.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = (variance + self.eps).rsqrt()
        if self.affine:
            y = centred * (scale * self.weight).view(extent) + self.bias.view(extent)
        else:
            y = centred * scale.view(extent)
        return y.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:
            share = 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def largest(z: Tensor) -> Tensor:
    """The largest value of any process."""
    top = z.amax()
    distributed.all_reduce(top, distributed.ReduceOp.MAX)
    return top


def across_processes(model: nn.Module) -> None:
    """Every batch norm and every running maximum of the model works over all processes from now
    on; their tensors and whatever a subclass adds stay. UsageError for subclasses of batch norm
    with a forward of their own, which would see the share of one process; the model is unchanged
    then."""
    norms = {name: m for name, m in model.named_modules() if isinstance(m, NORMS)}
    wrong = [f"{name} ({type(m).__name__})" for name, m in norms.items() if _has_own_forward(m)]
    if wrong:
        raise UsageError(
            "several processes share the statistics of torch's batch norm, and these have a "
            f"forward of their own: {', '.join(wrong)}: train in one process, or put "
            "nn.BatchNorm2d and a module for the rest in their place"
        )
    for module in model.modules():
        if isinstance(module, ClipQuant):
            module.largest = largest  # type: ignore[method-assign]
    for module in norms.values():
        if isinstance(module, BatchNormAcross):
            continue
        kind = type(module)
        # Behind the subclass and before _BatchNorm, whose forward it stands in for.
        module.__class__ = type(kind.__name__, (kind, BatchNormAcross), {})  # type: ignore[assignment]


def _has_own_forward(module: nn.Module) -> bool:
    torchs = (nn.modules.batchnorm._BatchNorm.forward, BatchNormAcross.forward)
    return "forward" in vars(module) or type(module).forward not in torchs


def leaves_unused(model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> bool:
    """Does a trainable parameter get no gradient from `loss`? Tried on a copy in train mode; random
    numbers are drawn. Gradients are summed over the processes as soon as all have come, so those
    that never come must be expected, and looking for them costs time at each step."""
    trial = copy.deepcopy(model).train()
    trial.zero_grad(set_to_none=True)
    loss(trial).backward()
    return any(p.requires_grad and p.grad is None for p in trial.parameters())
