"""What would stop a run after its first epoch, or let it end in nothing, stops it before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant
from isospike.convert import captured
from isospike.data.check import unit_range
from isospike.data.images import ImageSet
from isospike.errors import UsageError
from isospike.graph.model import private_copy
from isospike.train.checkpoint import unwritable
from isospike.train.residual import refuse_pools
from isospike.train.settings import Settings
from isospike.train.validate import spiking

SOME = 4  # images that are enough to see a shape
STAGES = {  # settings that need a trained network, and why
    "rate_loss": "is the second stage of RNL and trains no weights but those of the clips, of a "
    "network of the first stage",
    "residual": "trains with the batch norm statistics of a trained network",
}


def check(
    model: nn.Module, data: ImageSet, settings: Settings, trained: bool,
    numbers: tuple[Tensor, Tensor],
) -> None:  # fmt: skip
    """numbers: of the images that train, and that validate. One conversion, and a forward pass in
    eval and in train mode, after which the model is in eval mode and otherwise as it was.
    UsageError with all that settings and weights show, DataError, ConversionError."""
    wrong = [*untrained(settings, trained), *unprepared(model, settings), *misfit(model)]
    if wrong:
        raise UsageError("; ".join(wrong))
    train, held = (unit_range(data.images[part[:SOME]]) for part in numbers)
    program = spiking(model.eval(), held)
    if program is not None:
        refuse_pools(program, settings.residual)
    else:
        captured(model, held)
        if settings.residual:
            raise UsageError("residual is of IF neurons, and the model has no clip to make one of")
    data.check_classes(outputs(model, held, "eval"))
    # Of a copy: a pass in train mode moves the statistics of batch norm.
    data.check_classes(outputs(private_copy(model).train(), train[: settings.batch], "train"))


def untrained(settings: Settings, trained: bool) -> list[str]:
    names = () if trained else STAGES
    return [
        f"{name} {STAGES[name]}: start from one (--init FILE)"
        for name in names if getattr(settings, name)
    ]  # fmt: skip


def unprepared(model: nn.Module, settings: Settings) -> list[str]:
    if settings.activation == "relu" or any(isinstance(m, ClipQuant) for m in model.modules()):
        return []
    return [
        f"activation {settings.activation}: the model has no clip to train: prepare it first "
        "(isospike.prepare makes one of each ReLU), or train it with activation relu"
    ]


def misfit(model: nn.Module) -> list[str]:
    """What of the state cannot be trained with float32 images, or not be written."""
    other = [
        f"{name} ({str(p.dtype).removeprefix('torch.')})" for name, p in model.named_parameters()
        if p.is_floating_point() and p.dtype != torch.float32
    ]  # fmt: skip
    wrong = unwritable(model.state_dict())
    found = []
    if other:
        found.append(
            f"weights train in float32, and {', '.join(other[:8])} are not: model.float(), with "
            "precision bf16 or fp16 for mixed precision"
        )
    if wrong:
        found.append(f"a weight file holds plain tensors alone, not {', '.join(wrong[:8])}")
    return found


@torch.no_grad()
def outputs(model: nn.Module, images: Tensor, mode: str) -> int:
    """How many classes the logits are of; random numbers go on as if none had been drawn."""
    device = next(model.parameters(), images).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        logits = model(images.to(device))
    if isinstance(logits, Tensor) and logits.dim() == 2:
        return logits.shape[1]
    is_tensor = isinstance(logits, Tensor)
    found = list(logits.shape) if is_tensor else f"a {type(logits).__name__}"
    raise UsageError(f"the model must give logits [B, classes], got {found} in {mode} mode")
