"""The network that a training run starts from, and the way back from the weights that it wrote."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isospike import zoo
from isospike.activations import ClipQuant, without_noise
from isospike.cli.source import existing, from_python, misfits, parse_normalize
from isospike.data.check import check_channels, unit_range
from isospike.data.images import ImageSet
from isospike.data.stored import Images
from isospike.errors import FormatError, UsageError
from isospike.train.checkpoint import read_facts, read_tensors, seeded
from isospike.train.prepare import prepare
from isospike.train.resume import started_from
from isospike.train.settings import Settings
from isospike.train.split import SEEN, seen_before, split
from isospike.train.start import start_thetas

START_IMAGES = 1024  # that the clips are started on
COARSE = 0.01  # a standard deviation of which four decimals say enough
ROUNDING = 1e-12  # a variance that a constant channel may seem to have


def trainee(
    spec: str, settings: Settings, data: ImageSet, normalize: str | None, init: Path | None
) -> tuple[nn.Module, dict[str, Any]]:
    """The network, prepared for its activation, and the facts that build it again.

    A zoo network takes the channels, size and classes of the data, and its normalisation from the
    training images; a network of the user's takes none but --normalize. DataError for a zoo network
    and images whose last dimension looks like the channels.
    """
    if spec.startswith("zoo:"):
        check_channels(data.sample_shape, f"{data.name} ({data.split} split)")
    torch.manual_seed(seeded(settings.seed))
    channels, size = data.sample_shape[0], data.sample_shape[-1]
    facts: dict[str, Any] = {
        "model": spec, "channels": channels, "size": size, "classes": data.classes,
        "activation": settings.activation, "levels": settings.depth, "pool": settings.pool,
        "normalize": normalize, **started_from(init),
    }  # fmt: skip
    if normalize is None and spec.startswith("zoo:"):
        facts["normalize"] = normalisation(data)
    model = build(facts)
    if init is not None:
        numbers, _ = split(data, settings.validation)
        start(model, init, facts, data.images, numbers[:START_IMAGES])
        facts[SEEN] = warn_of_seen(init, data, settings.validation)
    return model, facts


def build(facts: dict[str, Any]) -> nn.Module:
    """The untrained network that `facts` describe."""
    spec = facts["model"]
    if spec.startswith("zoo:"):
        model = zoo.build(spec[4:], facts["channels"], facts["classes"], size=facts["size"])
    else:
        model = from_python(spec)
    if facts["normalize"] is not None:
        model = nn.Sequential(parse_normalize(facts["normalize"]), model)
    if facts["activation"] == "relu" and facts["pool"] == "keep":
        return model
    return prepare(model, facts["activation"], facts["levels"] or None, facts["pool"])


def trained(path: Path, spec: str | None = None) -> nn.Module:
    """The network of DIR/model.safetensors in eval mode, without training noise. `spec`: its
    FILE.py:FUNCTION, which is never run by what a weight file says.

    FormatError for a file of another origin or weights that do not fit.
    """
    tensors, facts = read_tensors(existing(str(path)))
    try:
        named = facts["model"]
        if not named.startswith("zoo:") and spec is None:
            raise UsageError(
                f"{path} holds weights of {named}: give MODEL as FILE.py:FUNCTION and --weights"
            )
        model = build({**facts, "model": spec or named})
        model.load_state_dict(tensors)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise FormatError(f"{path}: not the weights of a training run: {error}") from error
    return without_noise(model).eval()


def is_trained(path: Path) -> bool:
    """Did a training run write this file?"""
    return "settings" in read_facts(existing(str(path)))


def start(
    model: nn.Module, init: Path, facts: dict[str, Any], images: Images, numbers: Tensor
) -> None:
    """Weights of a trained network; clips that it did not have are started on images[numbers]."""
    tensors, _ = read_tensors(existing(str(init)))
    own = model.state_dict()
    clips = tuple(f"{n}." for n, m in model.named_modules() if isinstance(m, ClipQuant))
    # What a clip adds may be missing, and its noise may have another extent.
    noise = {name for name in own if name.startswith(clips) and name.endswith((".sigma", ".mu"))}
    new = [name for name in own if name.startswith(clips) and name not in {*tensors, *noise}]
    wrong = [name for name in misfits(own, tensors) if name not in {*new, *noise}]
    if wrong:
        raise FormatError(f"{init}: does not fit {facts['model']} at {', '.join(wrong[:8])}")
    model.load_state_dict({**own, **tensors})
    if new:
        start_thetas(model, unit_range(images[numbers]))


def warn_of_seen(init: Path, data: ImageSet, held: int) -> str | None:
    """A warning where the network of `init`, or one that it comes from, may have trained on images
    that validate now; returns why. FormatError for a file whose facts are of another origin."""
    try:
        why = seen_before(read_facts(init), data, held)
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


def normalisation(data: ImageSet) -> str:
    """MEAN,...:STD,... of the images, with four decimals; with six digits of a channel that varies
    so little that four would say too little of it."""
    pairs = [[format(v, ".4f" if std >= COARSE else ".6g") for v in (mean, std)]
             for mean, std in zip(*moments(data), strict=True)]  # fmt: skip
    return ":".join(",".join(part) for part in zip(*pairs, strict=True))


def moments(data: ImageSet) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of the images in [0, 1]; 1 where it is constant."""
    count = torch.zeros((), dtype=torch.float64)
    sums, squares = torch.zeros(2, data.sample_shape[0], dtype=torch.float64)
    for x, _ in data.batches(1000):
        x = x.double()
        count += x[:, 0].numel()
        sums += x.sum((0, 2, 3))
        squares += x.square().sum((0, 2, 3))
    mean = sums / count
    variance = squares / count - mean.square()
    return mean.tolist(), torch.where(variance > ROUNDING, variance, 1.0).sqrt().tolist()
