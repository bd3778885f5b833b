"""The network that a training run starts from, and the way back from the weights that it wrote."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isospike import zoo
from isospike.activations import ClipQuant, without_noise
from isospike.cli import normalisation
from isospike.cli.source import existing, from_python, parse_normalize
from isospike.data.check import check_channels, unit_range
from isospike.data.images import ImageSet
from isospike.data.stored import Images
from isospike.errors import DataError, FormatError, UsageError
from isospike.train.checkpoint import misfits, read_facts, read_tensors, seeded
from isospike.train.prepare import prepare
from isospike.train.resume import started_from, written_in
from isospike.train.settings import Settings
from isospike.train.split import SEEN, seen_before, split
from isospike.train.start import start_thetas
from isospike.zoo.networks import ARCHITECTURES

START_IMAGES = 1024  # that the clips are started on


def trainee(
    spec: str, settings: Settings, data: ImageSet, normalize: str | None, init: Path | None
) -> tuple[nn.Module, dict[str, Any]]:
    """The network, prepared for its activation, and the facts that build it again.

    A zoo network takes the channels, size and classes of the data, and its normalisation from the
    weights that it starts from or else the training images; a network of the user's takes none but
    --normalize. DataError for a zoo network and images whose last dimension looks like the
    channels, or that are not square where it needs them so; UsageError for a normalisation other
    than that of `init`.
    """
    zoo_data = data if spec.startswith("zoo:") else None
    if zoo_data is not None:
        check_channels(data.sample_shape, f"{data.name} ({data.split} split)")
        check_square(spec, data)
    torch.manual_seed(seeded(settings.seed))
    weights, known = ({}, {}) if init is None else read_tensors(existing(str(init)))
    channels, size = data.sample_shape[0], data.sample_shape[-1]
    facts: dict[str, Any] = {
        "model": spec, "channels": channels, "size": size, "classes": data.classes,
        "activation": settings.activation, "levels": settings.depth, "pool": settings.pool,
        "normalize": normalisation.chosen(normalize, init, weights, zoo_data),
        **started_from(init), **written_in(spec),
    }  # fmt: skip
    model = build(facts)
    if init is not None:
        numbers, _ = split(data, settings.validation)
        start(model, init, weights, facts, data.images, numbers[:START_IMAGES])
        facts[SEEN] = warn_of_seen(init, known, data, settings.validation)
    return model, facts


def build(facts: dict[str, Any]) -> nn.Module:
    """The untrained network that `facts` describe."""
    spec = facts["model"]
    model = of_zoo(facts) if spec.startswith("zoo:") else from_python(spec)
    if facts["normalize"] is not None:
        model = nn.Sequential(parse_normalize(facts["normalize"]), model)
    if facts["activation"] == "relu" and facts["pool"] == "keep":
        return model
    return prepare(model, facts["activation"], facts["levels"] or None, facts["pool"])


def of_zoo(facts: dict[str, Any]) -> nn.Module:
    """The architecture of the zoo that `facts` name, not prepared."""
    name = facts["model"].removeprefix("zoo:")
    return zoo.build(name, facts["channels"], facts["classes"], size=facts["size"])


def trained(path: Path, spec: str | None = None) -> nn.Module:
    """The network of DIR/model.safetensors in eval mode, without training noise. `spec`: its
    FILE.py:FUNCTION, which is never run by what a weight file says.

    FormatError for a file of another origin or weights that do not fit, told before memory is taken
    for a zoo network that is larger than the file.
    """
    tensors, facts = read_tensors(existing(str(path)))
    try:
        named = facts["model"]
        if named.startswith("zoo:"):
            check_weights(facts, tensors)
        elif spec is None:
            raise UsageError(
                f"{path} holds weights of {named}: give MODEL as FILE.py:FUNCTION and --weights"
            )
        model = build({**facts, "model": spec or named})
        model.load_state_dict(tensors)
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        raise FormatError(f"{path}: not the weights of a training run: {error}") from error
    return without_noise(model).eval()


def check_weights(facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """ValueError where `facts` do not describe a zoo network, or one of more weights than these."""
    try:
        if facts["normalize"] is not None:
            parse_normalize(facts["normalize"])
        with torch.device("meta"):
            bare = of_zoo(facts)
    except UsageError as error:
        raise ValueError(str(error)) from error
    own, there = (sum(t.numel() for t in found.values()) for found in (bare.state_dict(), tensors))
    if own > there:
        raise ValueError(f"{own} weights are needed, {there} are there")


def is_trained(path: Path) -> bool:
    """Did a training run write this file?"""
    return "settings" in read_facts(existing(str(path)))


def start(
    model: nn.Module, init: Path, weights: dict[str, Tensor], facts: dict[str, Any],
    images: Images, numbers: Tensor,
) -> None:  # fmt: skip
    """The weights of `init`, a trained network, without the noise that it trained with; clips that
    it did not have are started on images[numbers]."""
    own = model.state_dict()
    clips = tuple(f"{n}." for n, m in model.named_modules() if isinstance(m, ClipQuant))
    # What a clip adds may be missing; the noise is this run's own.
    noise = {name for name in own if name.startswith(clips) and name.endswith((".sigma", ".mu"))}
    tensors = {name: tensor for name, tensor in weights.items() if name not in noise}
    new = [name for name in own if name.startswith(clips) and name not in {*tensors, *noise}]
    wrong = [name for name in misfits(own, tensors) if name not in {*new, *noise}]
    if wrong:
        raise FormatError(f"{init}: does not fit {facts['model']} at {', '.join(wrong[:8])}")
    model.load_state_dict({**own, **tensors})
    if new:
        start_thetas(model, unit_range(images[numbers]))


def check_square(spec: str, data: ImageSet) -> None:
    """DataError where the weights of a zoo network depend on the size and images are not square."""
    known = ARCHITECTURES.get(spec.removeprefix("zoo:"))
    _, height, width = data.sample_shape
    if known is not None and known.sized and height != width:
        raise DataError(
            f"{spec} takes square images, and those of {data.name} are {height} x {width}: pad or "
            "cut them (folder:DIR@SIZE, hub:NAME@SIZE)"
        )


def warn_of_seen(init: Path, known: dict[str, Any], data: ImageSet, held: int) -> str | None:
    """A warning where the network of `init`, or one that it comes from, may have trained on images
    that validate now; returns why. FormatError for a file whose facts are of another origin."""
    try:
        why = seen_before(known, data, held)
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{init}: not the weights of a training run: {error}") from error
    if why is not None:
        warnings.warn(
            f"{init}: {why}. If it was trained on images of {data.name}, it has seen some of "
            "those that validate now, and validation shows too high an accuracy: judge by the test "
            "images, or train it anew.",
            stacklevel=2,
        )
    return why
