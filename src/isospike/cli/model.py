"""What MODEL may be: zoo:NAME, FILE.py:FUNCTION, FILE.pt2, and for some commands FILE.iso."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from isospike import zoo
from isospike.errors import FormatError, UsageError
from isospike.graph.capture import quiet
from isospike.network import SpikingNetwork
from isospike.serialise import load
from isospike.zoo.normalize import Normalize


@dataclass(frozen=True)
class Loaded:
    """The model, and the normalisation that was put in front of it (None: its own)."""

    model: Any
    normalize: str | None


def load_model(spec: str, weights: Path | None = None, normalize: str | None = None) -> Loaded:
    """UsageError for an unknown form, FormatError for a file that does not hold what it should."""
    if spec.endswith(".iso"):
        if weights is not None:
            raise UsageError(f"{spec} has its weights inside")
        network = load(existing(spec))
        kept = network.provenance.get("normalize")
        if normalize is not None and normalize != kept:
            raise UsageError(f"{spec} was converted with --normalize {kept}, not {normalize}")
        return Loaded(network, kept)
    if spec.startswith("zoo:"):
        if weights is not None or normalize is not None:
            raise UsageError("bundled networks know their weights and their normalisation")
        return Loaded(zoo.load(spec[4:]), None)
    if spec.endswith(".pt2"):
        if weights is not None:
            raise UsageError("a .pt2 file has its weights inside")
        with quiet():
            model: Any = torch.export.load(existing(spec))
        model = model if normalize is None else model.module()
    else:
        model = from_python(spec)
        if weights is not None:
            load_weights(model, weights)
        model = model.eval()
    if normalize is not None:
        model = nn.Sequential(parse_normalize(normalize), model)
    return Loaded(model, normalize)


def existing(path: str) -> Path:
    if not Path(path).is_file():
        raise UsageError(f"no such file: {path}")
    return Path(path)


def from_python(spec: str) -> nn.Module:
    """`FILE.py:FUNCTION`: runs the file, and calls the function without arguments."""
    file, _, function = spec.rpartition(":")
    if not file.endswith(".py") or not function:
        raise UsageError(f"MODEL {spec!r}: zoo:NAME, FILE.py:FUNCTION, FILE.pt2 or FILE.iso")
    module_spec = importlib.util.spec_from_file_location("isospike_user_model", existing(file))
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module  # where a dataclass of the file looks its types up
    module_spec.loader.exec_module(module)
    if not hasattr(module, function):
        raise UsageError(f"{file} has no {function!r}")
    model = getattr(module, function)()
    if not isinstance(model, nn.Module):
        raise UsageError(f"{spec} returned {type(model).__name__}, not a torch.nn.Module")
    return model


def load_weights(model: nn.Module, path: Path) -> None:
    """All names and shapes are checked before the first weight is changed."""
    try:
        weights = load_file(existing(str(path)))
    except SafetensorError as error:
        raise FormatError(f"{path}: not a safetensors file: {error}") from error
    own = model.state_dict()
    wrong = sorted(set(weights) ^ set(own))
    wrong += [n for n in set(weights) & set(own) if weights[n].shape != own[n].shape]
    if wrong:
        raise FormatError(f"{path}: does not fit the model at {', '.join(wrong[:8])}")
    model.load_state_dict(weights)


def parse_normalize(text: str) -> Normalize:
    """`MEAN,...:STD,...`"""
    try:
        mean, std = ([float(v) for v in part.split(",")] for part in text.split(":"))
        return Normalize(mean, std)
    except ValueError as error:
        raise UsageError(f"--normalize {text!r}: expected MEAN,...:STD,... ({error})") from None


def spiking(loaded: Loaded) -> SpikingNetwork:
    if not isinstance(loaded.model, SpikingNetwork):
        raise UsageError("this command takes a FILE.iso")
    return loaded.model
