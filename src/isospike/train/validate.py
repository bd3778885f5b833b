"""The network that training would convert to, as it stands: its accuracy and its gap.

Plain IF neurons, theta of the clips, v(0) = the activation's shift: theta / 2 for QCFS and NQ, 0
for CQ and where the activation is continuous (TCL, RNL), as their recipes have it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant, SoftLIF
from isospike.convert import convert, plan
from isospike.data.check import unit_range
from isospike.engine import run
from isospike.fit.potentials import FromShift
from isospike.methods import recipe
from isospike.program import Program

BATCH = 250


def spiking(model: nn.Module, images: Tensor) -> Program | None:
    """The model in eval mode as it would be converted (recipe qcfs with v(0) of FromShift,
    max-pooling gated); None for a model without clips, which has nothing to convert by, and for
    soft LIF, which takes hundreds of steps. On the model's device."""
    clips = [module for module in model.modules() if isinstance(module, ClipQuant)]
    if all(isinstance(module, SoftLIF) for module in clips):
        return None
    with warnings.catch_warnings(action="ignore"):  # a layer may be silent on a few images
        own = replace(recipe("qcfs"), potential=FromShift())
        planned = plan(model, own, images[:4])
        program = convert(planned, images[:4], 1).program
    device = next(model.parameters()).device
    return program if device.type == "cpu" else program.map_tensors(lambda t: t.to(device))


@torch.no_grad()
def divergence(loss: float, model: nn.Module) -> str | None:
    """What tells that training has diverged: the loss of an epoch, or what it made of the model."""
    if not math.isfinite(loss):
        return f"the loss is {loss}"
    moments = [p for p in model.named_buffers() if p[0].endswith(("running_mean", "running_var"))]
    for name, tensor in [*model.named_parameters(), *moments]:
        if not bool(tensor.isfinite().all()):
            return f"{name} is NaN or infinite"
    for name, module in model.named_modules():
        if isinstance(module, ClipQuant) and not 0 < (theta := float(module.theta)) < math.inf:
            return f"theta of {name} is {theta:.4g}, where none but a positive one is a threshold"
    return None


@torch.no_grad()
def correct(
    program: Program | None, model: nn.Module, images: Tensor, labels: Tensor, steps: Sequence[int]
) -> dict[str, int]:
    """How many of the images, uint8 or in [0, 1], are right: of the network without noise ("ann"),
    and after each T. They become float on the model's device batch by batch."""
    model.eval()
    device = next(model.parameters(), images).device
    found = dict.fromkeys(["ann", *map(str, steps if program else [])], 0)
    for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        x, y = unit_range(x).to(device), y.to(device)
        found["ann"] += int((model(x).argmax(1) == y).sum())
        if program is not None:
            outputs = run(program, x, list(steps)).outputs
            for t in steps:
                found[str(t)] += int((outputs[t].argmax(1) == y).sum())
    return found


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images, uint8 or in [0, 1], whose largest logit is the label, model in eval mode."""
    images = images.contiguous(memory_format=torch.channels_last)
    return correct(None, model, images, labels, [])["ann"] / len(images)
