"""Supervised training of a source network: SGD with Nesterov momentum, one-cycle learning rate,
and an exponential moving average of the weights, which is what is kept.

No checkpoint is selected: the average at the last step is the result, so neither the test images
nor the validation images choose anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isospike.train.augment import crop_flip


@dataclass(frozen=True)
class Schedule:
    epochs: int = 24
    lr: float = 0.2  # peak
    warmup: float = 0.2  # share of the steps that rise to it
    weight_decay: float = 5e-4
    batch: int = 128
    pad: int = 2  # crop, pixels
    average: float = 0.998  # decay of the weight average, per step
    clip: float | None = None  # largest norm of a step's gradient
    seed: int = 0

    def rate(self, step: int, total: int) -> float:
        """Linear rise, then cosine to zero."""
        rise = self.warmup * total
        if step < rise:
            return self.lr * (step + 1) / rise
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - rise) / (total - rise)))


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    schedule: Schedule,
    each_epoch: Callable[[int, nn.Module], None] = lambda epoch, averaged: None,
    forward: Callable[[nn.Module, Tensor], Tensor] = nn.Module.__call__,
) -> nn.Module:
    """Train `model` on float images [N, C, H, W] and labels [N]; returns the averaged model.

    `each_epoch(epoch, averaged)` is called after every epoch with the averaged weights in eval
    mode; NQ measures its noise there.
    """
    generator = torch.Generator().manual_seed(schedule.seed)
    torch.manual_seed(schedule.seed)
    averaged = torch.optim.swa_utils.AveragedModel(
        model,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(schedule.average),
        use_buffers=True,
    )
    optimiser = torch.optim.SGD(
        model.parameters(), schedule.lr, 0.9, weight_decay=schedule.weight_decay, nesterov=True
    )
    per_epoch = len(images) // schedule.batch
    total, step = per_epoch * schedule.epochs, 0
    for epoch in range(schedule.epochs):
        model.train()
        order = torch.randperm(len(images), generator=generator)
        for index in order[: per_epoch * schedule.batch].split(schedule.batch):
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step, total)
            x = crop_flip(images[index], schedule.pad, generator)
            x = x.contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(forward(model, x), labels[index])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if schedule.clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
            optimiser.step()
            averaged.update_parameters(model)
            step += 1
        averaged.module.eval()
        each_epoch(epoch, averaged.module)
    return averaged.module


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor, batch: int = 250) -> float:
    """Share of images whose largest logit is the label, model in eval mode."""
    model.eval()
    correct = 0
    for x, y in zip(images.split(batch), labels.split(batch), strict=True):
        correct += int(
            (model(x.contiguous(memory_format=torch.channels_last)).argmax(1) == y).sum()
        )
    return correct / len(images)
