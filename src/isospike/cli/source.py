"""The pieces of MODEL: files that exist, a function of a Python file, weights, a normalisation."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from isospike.errors import FormatError, UsageError
from isospike.graph.imported import Imported
from isospike.train.checkpoint import misfits
from isospike.zoo.normalize import Normalize


def existing(path: str) -> Path:
    if not Path(path).is_file():
        raise UsageError(f"no such file: {path}")
    return Path(path)


def from_python(spec: str) -> nn.Module:
    """`FILE.py:FUNCTION`: runs the file, and calls the function without arguments."""
    file, _, function = spec.rpartition(":")
    if not file.endswith(".py") or not function:
        raise UsageError(
            f"MODEL {spec!r}: zoo:NAME, timm:NAME, hf:NAME, FILE.py:FUNCTION, FILE.pt2, FILE.onnx, "
            "FILE.iso or DIR/model.safetensors of a training run"
        )
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


def from_onnx(spec: str, weights: Path | None, normalize: str | None) -> Imported:
    """FILE.onnx, with the normalisation in front of it."""
    from isospike.graph.onnx import read  # an extra of the package

    if weights is not None:
        raise UsageError("an ONNX file has its weights inside")
    model = read(existing(spec))
    if normalize is None:
        return model
    known = parse_normalize(normalize)
    return model.normalised(known.mean.flatten().tolist(), known.std.flatten().tolist())


def load_weights(model: nn.Module, path: Path) -> None:
    """All names and shapes are checked before the first weight is changed."""
    try:
        weights = load_file(existing(str(path)))
    except SafetensorError as error:
        raise FormatError(f"{path}: not a safetensors file: {error}") from error
    wrong = misfits(model.state_dict(), weights)
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
