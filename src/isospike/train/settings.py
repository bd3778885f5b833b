"""How a source network is trained: one frozen value, and the authors' as presets."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from isospike.activations import ACTIVATIONS, OWN, setting
from isospike.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """epochs .. clip belong to the loop, pad .. autoaugment to the images, the rest to the method.

    The learning rate rises over `warmup` of all steps, then falls along a cosine to zero.
    """

    activation: str = "qcfs"
    levels: int = OWN  # L; -1: the activation's own, 0: not quantised
    pool: str = "keep"  # "average": max-pooling becomes average pooling
    epochs: int = 24
    batch: int = 128  # over all processes
    lr: float = 0.2
    warmup: float = 0.2
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    average: float = 0.998  # decay of the weight average per step; 0: none
    clip: float = 0.0  # largest norm of a step's gradient; 0: any
    pad: int = 2  # crop, pixels
    flip: bool = True
    cutout: int = 0
    autoaugment: bool = False
    noise_steps: int = 4  # T_v of NQ
    noise_factor: float = 1.0
    noise_grain: str = "layer"  # or "channel"
    noise_mean: bool = False  # the noise has the mean of the gap too
    residual: tuple[int, ...] = ()  # train under the residual of these T (0: none) instead of noise
    rate_loss: float = (
        0.0  # lambda of RNL's second stage, in place of training the weights; 0: none
    )
    rate_distance: str = "cosine"  # or "mse", between logits there
    validation: int = 2000  # images of the training split that are kept from training
    select_steps: int = 4  # T of the validation accuracy that selects; 0: the last epoch is kept
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "residual", tuple(self.residual))
        wrong = [
            f"{name} must be {span(least, most)}, got {value}"
            for name, (least, most) in RANGES.items()
            if not (
                least <= (value := getattr(self, name)) <= most and value < math.inf
            )  # also nan
        ]
        wrong += [
            f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}"
            for name, known in WORDS.items()
            if getattr(self, name) not in known
        ]
        running = self.activation in ACTIVATIONS and setting(self.activation, "running_max")
        if self.rate_loss and (self.residual or not running):
            wrong.append("rate_loss belongs to a running maximum (rnl), without residual")
        wrong += [
            f"{name} must be below 1, got {getattr(self, name)}"
            for name in ("average", "momentum")
            if getattr(self, name) == 1.0
        ]
        if self.nesterov and self.momentum == 0:
            wrong.append("nesterov needs momentum: set nesterov=false, or momentum above 0")
        if self.residual and (min(self.residual) < 0 or not any(self.residual)):
            wrong.append(f"residual must be steps, and 0 only beside them, got {self.residual}")
        if wrong:
            raise UsageError("training: " + "; ".join(wrong))

    def rate(self, step: int, total: int) -> float:
        """Learning rate of a step, lr at most: that of the step in which a rise of no whole number
        of steps ends."""
        rise = self.warmup * total
        if step + 1 <= rise:
            return self.lr * (step + 1) / rise
        return self.lr * 0.5 * (1 + math.cos(math.pi * max(0.0, step - rise) / (total - rise)))

    @property
    def depth(self) -> int:
        """L as it is trained with; 0 where nothing is quantised."""
        return _depth(self.activation, self.levels)

    def to_json(self) -> dict[str, Any]:
        """With the levels told, whatever an activation's own come to be."""
        return {**asdict(self), "levels": self.depth}


def trained_with(found: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that a run wrote down, as `to_json` gives them, with the defaults for what it does
    not say. No value is refused: it has trained, whatever the ranges are now."""
    known = asdict(Settings())
    whole = {**known, **{key: value for key, value in found.items() if key in known}}
    if whole["activation"] in ACTIVATIONS:
        whole["levels"] = _depth(whole["activation"], whole["levels"])
    return whole


def _depth(activation: str, levels: int) -> int:
    own = setting(activation, "levels") or 0
    return own if levels == OWN or not own else levels


MOST = math.inf  # any finite number
RANGES = {
    "levels": (OWN, MOST), "epochs": (1, MOST), "batch": (1, MOST), "lr": (0.0, MOST),
    "warmup": (0.0, 1.0), "momentum": (0.0, 1.0), "weight_decay": (0.0, MOST),
    "label_smoothing": (0.0, 1.0), "average": (0.0, 1.0), "clip": (0.0, MOST), "pad": (0, MOST),
    "cutout": (0, MOST), "noise_steps": (1, MOST), "noise_factor": (0.0, MOST),
    "rate_loss": (0.0, MOST), "validation": (1, MOST), "select_steps": (0, MOST), "seed": (0, MOST),
}  # fmt: skip
PRECISIONS = ("no", "fp16", "bf16")
WORDS = {
    "activation": ACTIVATIONS, "pool": ("keep", "average"), "noise_grain": ("layer", "channel"),
    "rate_distance": ("cosine", "mse"),
}  # fmt: skip


def span(least: float, most: float) -> str:
    return f"{least} to {most}" if most < MOST else f"at least {least} and finite"


def check_precision(precision: str) -> None:
    """UsageError lists the known ones."""
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}: one of {', '.join(PRECISIONS)}")


# The loop that the papers share: SGD with momentum, cosine, no average of weights. In ours cutout
# comes before normalisation, so its hole is black and theirs the mean colour; the cosine runs by
# the step, theirs by the epoch; the seed is 0, theirs 42. They select on the test set, we on 5,000
# held images without random changes; QCFS holds none, NQ a tenth, for its noise and with changes.
_PAPER = Settings(
    pool="average", warmup=0.0, nesterov=False, average=0.0, pad=4, cutout=16, autoaugment=True,
    validation=5000,
)  # fmt: skip
# Huang et al. 2024, the authors' code: batches of 256 (CIFAR-10), 128 (CIFAR-100 with VGG-16), 100.
_NQ = replace(_PAPER, activation="nq", levels=4, epochs=400, lr=0.05, batch=256)
# Bu et al. 2022, the authors' newer code: 0.05 on CIFAR-100. Published with L = 4 or 8; that 8 is
# CIFAR-100 with ResNet-20 is reconstructed.
_QCFS = replace(_PAPER, activation="qcfs", levels=4, epochs=300, lr=0.1, batch=300)
_QCFS_100 = replace(_QCFS, lr=0.05)
PRESETS: dict[str, tuple[str, Settings]] = {  # name -> (model, settings)
    "nq-cifar10-vgg16": ("zoo:vgg16", _NQ),
    "nq-cifar10-resnet18": ("zoo:resnet18", _NQ),
    "nq-cifar10-resnet20": ("zoo:resnet20", _NQ),
    "nq-cifar100-vgg16": ("zoo:vgg16", replace(_NQ, batch=128)),
    "nq-cifar100-resnet18": ("zoo:resnet18", replace(_NQ, batch=100)),
    "nq-cifar100-resnet20": ("zoo:resnet20", replace(_NQ, batch=100)),
    "qcfs-cifar10-vgg16": ("zoo:vgg16", _QCFS),
    "qcfs-cifar10-resnet18": ("zoo:resnet18", _QCFS),
    "qcfs-cifar10-resnet20": ("zoo:resnet20", _QCFS),
    "qcfs-cifar100-vgg16": ("zoo:vgg16", _QCFS_100),
    "qcfs-cifar100-resnet18": ("zoo:resnet18", _QCFS_100),
    "qcfs-cifar100-resnet20": ("zoo:resnet20", replace(_QCFS_100, levels=8)),
}


def preset(name: str) -> tuple[str, Settings]:
    """(model, settings); UsageError lists the known names."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"unknown preset {name!r}: {hint}one of {', '.join(PRESETS)}")
    return PRESETS[name]
