"""The networks of the census: their names, and each with random weights and statistics."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from isospike import Packed, zoo

Shapes = list[tuple[int, ...]]
SIZES = (64, 96, 128, 224, 256, 299, 384)  # image sides, tried in this order


@dataclass
class Made:
    model: nn.Module
    example: Tensor


@cache
def torchvision() -> Any:
    """torchvision, also beside a build of torch that its compiled operators do not fit: the names
    that its import expects are declared first."""
    with suppress(RuntimeError):  # declared by the operators themselves where these load
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        DECLARED.append(library)
    import torchvision.models

    return torchvision


DECLARED: list[Any] = []  # a library's definitions live as long as it does


def listed() -> list[str]:
    """`source:name` of every network of what is installed."""
    found = [f"zoo:{name}" for name in (*zoo.names(), *zoo.architectures())]
    with suppress(ImportError):
        found += [f"torchvision:{n}" for n in torchvision().models.list_models() if runs(n)]
    with suppress(ImportError):
        torchvision()
        import timm

        found += [f"timm:{name}" for name in timm.list_models()]
    with suppress(ImportError):
        from transformers.models.auto import modeling_auto

        kinds = modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
        found += [f"transformers:{kind}" for kind in sorted(kinds)]
    return found


def runs(name: str) -> bool:
    return not name.startswith("quantized")  # int8 networks are refused as such


def families(name: str) -> str:
    """`timm:resnet` of `timm:resnet50d.a1`: the letters that a name begins with."""
    source, _, rest = name.partition(":")
    return f"{source}:{re.match(r'[a-z]+', rest.lower()).group()}"  # type: ignore[union-attr]


def build(name: str) -> Made:
    source, _, rest = name.partition(":")
    model, shapes = BUILDERS[source](rest)
    made = fitting(model.eval(), shapes)
    randomise(made)
    return made


def _zoo(name: str) -> tuple[nn.Module, Shapes]:
    if name in zoo.names():
        return zoo.load(name), [(1, 28, 28)]
    side = 224 if name.endswith("imagenet") else 32
    return zoo.build(name), [(3, side, side)]


def _torchvision(name: str) -> tuple[nn.Module, Shapes]:
    models = torchvision().models
    options: dict[str, Any] = {"weights": None}
    with suppress(TypeError):
        return models.get_model(name, weights_backbone=None, **options), images(3)
    model = models.get_model(name, **options)
    if ".video" in type(model).__module__:
        return model, [(3, frames, side, side) for side in (64, 112, 224) for frames in (8, 16)]
    return model, images(3)


def _timm(name: str) -> tuple[nn.Module, Shapes]:
    torchvision()
    import timm

    model = timm.create_model(name, pretrained=False)
    config = model.pretrained_cfg
    fixed = [tuple(config["input_size"])] if config.get("fixed_input_size") else []
    return model, fixed or images(config["input_size"][0])


def _transformers(kind: str) -> tuple[nn.Module, Shapes]:
    """The default configuration with two layers where it has a number of layers and no stages."""
    torchvision()
    from transformers import AutoConfig, AutoModelForImageClassification

    config = AutoConfig.for_model(kind)
    if getattr(config, "num_hidden_layers", 0) and not hasattr(config, "depths"):
        config.num_hidden_layers = 2
    config.architectures = []  # some have None, which from_config walks through
    side = getattr(config, "image_size", None)
    channels = getattr(config, "num_channels", 3)
    fixed: Shapes = [(channels, side, side)] if isinstance(side, int) else []
    return AutoModelForImageClassification.from_config(config), [*fixed, *images(channels)]


def images(channels: int) -> Shapes:
    return [(channels, side, side) for side in SIZES]


BUILDERS = {"zoo": _zoo, "torchvision": _torchvision, "timm": _timm, "transformers": _transformers}


def randomise(made: Made) -> None:
    """Zero weights drawn at random; batch norms as training might leave them.

    Their statistics are those of random images, times noise: with statistics out of the blue a
    signal dies out on its way, and any graph would pass for equal.
    """
    for parameter in made.model.parameters():
        if parameter.numel() and not parameter.any():
            nn.init.normal_(parameter, 0, 0.02)
    norms = [m for m in made.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    norms = [norm for norm in norms if norm.running_var is not None]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
        if norm.affine:
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.2)
    with torch.no_grad(), suppress(ValueError):  # one value a channel has no variance
        made.model(made.example)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.running_var.clamp_(min=1e-3).mul_(torch.empty_like(norm.running_var).uniform_(0.5, 2))
        norm.eval()


def fitting(model: nn.Module, shapes: Shapes) -> Made:
    """The model, packed where it takes two images or returns no tensor, and random inputs, two, of
    the first shape that it runs on."""
    error: Exception = ValueError("no size fits")
    pair = "image2" in signature(model.forward).parameters
    for shape in shapes:
        x = torch.rand(2, *shape)
        try:
            if pair:
                two = x, x.flip(0)
                packed = Packed(model, two)
                return Made(packed, packed.pack(two))
            with torch.no_grad():
                y = model(x)
            if isinstance(y, Tensor):
                return Made(model, x)
            return Made(Packed(model, x, "logits" if "logits" in y else None), x)
        except Exception as found:  # whatever a model says to a small image
            error = found
    raise error
