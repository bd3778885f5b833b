"""What MODEL may be: zoo:NAME, FILE.py:FUNCTION, FILE.pt2, FILE.onnx, timm:NAME, hf:NAME, the
model.safetensors of a training run, and for some commands FILE.iso."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from isospike import zoo
from isospike.cli.source import existing, from_onnx, from_python, load_weights, parse_normalize
from isospike.cli.trainee import is_trained, trained
from isospike.errors import UsageError
from isospike.graph.model import quiet
from isospike.network import SpikingNetwork
from isospike.serialise import load
from isospike.zoo import libraries


@dataclass(frozen=True)
class Loaded:
    """The model, and the normalisation that was put in front of it (None: its own)."""

    model: Any
    normalize: str | None


def load_model(spec: str, weights: Path | None = None, normalize: str | None = None) -> Loaded:
    """UsageError for an unknown form, FormatError for a file that does not hold what it should."""
    model: Any
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
    if spec.endswith(".safetensors"):
        if weights is not None or normalize is not None:
            raise UsageError(f"{spec} has its weights and its normalisation inside")
        return Loaded(trained(Path(spec)), None)
    if weights is not None and is_trained(weights):
        if normalize is not None:
            raise UsageError(f"{weights} knows the normalisation that it was trained with")
        return Loaded(trained(weights, spec), None)
    if spec.endswith(".onnx"):
        return Loaded(from_onnx(spec, weights, normalize), normalize)
    if spec.startswith(libraries.PREFIXES):
        model = libraries.from_spec(spec, pretrained=weights is None)
        if weights is not None:
            load_weights(libraries.weighted(model), weights)
    elif spec.endswith(".pt2"):
        if weights is not None:
            raise UsageError("a .pt2 file has its weights inside")
        with quiet():
            model = torch.export.load(existing(spec))
        model = model if normalize is None else model.module()
    else:
        model = from_python(spec)
        if weights is not None:
            load_weights(model, weights)
        model = model.eval()
    if normalize is not None:
        model = nn.Sequential(parse_normalize(normalize), model)
    return Loaded(model, normalize)


def spiking(loaded: Loaded) -> SpikingNetwork:
    if not isinstance(loaded.model, SpikingNetwork):
        raise UsageError("this command takes a FILE.iso")
    return loaded.model
