"""The network that training would convert to, as it stands: its accuracy and its gap.

Plain IF neurons, theta of the clips, v(0) = theta / 2: the conversion of QCFS and NQ.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant, SoftLIF
from isospike.convert import convert, plan
from isospike.data.check import unit_range
from isospike.engine import run
from isospike.program import Program

BATCH = 250


def spiking(model: nn.Module, images: Tensor) -> Program | None:
    """The model in eval mode as it would be converted (recipe qcfs, max-pooling exact); None for a
    model without clips, which has nothing to convert by, and for soft LIF, which takes hundreds of
    steps."""
    clips = [module for module in model.modules() if isinstance(module, ClipQuant)]
    if all(isinstance(module, SoftLIF) for module in clips):
        return None
    with warnings.catch_warnings(action="ignore"):  # a layer may be silent on a few images
        planned = plan(model, "qcfs", images[:4], {"pool": "exact"})
        return convert(planned, images[:4], 1).program


@torch.no_grad()
def correct(
    program: Program | None, model: nn.Module, images: Tensor, labels: Tensor, steps: Sequence[int]
) -> dict[str, int]:
    """How many images are right: of the network without noise ("ann"), and after each T."""
    model.eval()
    found = dict.fromkeys(["ann", *map(str, steps if program else [])], 0)
    for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        found["ann"] += int((model(x).argmax(1) == y).sum())
        if program is not None:
            outputs = run(program, x, list(steps)).outputs
            for t in steps:
                found[str(t)] += int((outputs[t].argmax(1) == y).sum())
    return found


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images, uint8 or in [0, 1], whose largest logit is the label, model in eval mode."""
    images = unit_range(images).contiguous(memory_format=torch.channels_last)
    return correct(None, model, images, labels, [])["ann"] / len(images)
