"""What one module's own forward calls, as a torch.fx graph, and which of the calls are ReLUs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from isospike.activations import ClipQuant

THRESHOLDS = (F.threshold, torch.threshold, torch.threshold_)


def _relu(input, inplace=False):
    return math.inf


def _relu6(input, inplace=False):
    return 6.0


def _clamp(input, min=None, max=None):
    if isinstance(min, int | float) and min == 0 and (max is None or isinstance(max, int | float)):
        return math.inf if max is None else float(max)
    return None


def _hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    return _clamp(input, min_val, max_val)


def _threshold(input, threshold, value, inplace=False):
    return math.inf if threshold == value == 0 else None


# Function, or name of a tensor's method -> largest value, from the arguments; None: no ReLU.
RELUS: dict[Any, Callable[..., float | None]] = {
    **dict.fromkeys([F.relu, torch.relu, torch.relu_, "relu", "relu_"], _relu),
    F.relu6: _relu6,
    **dict.fromkeys([F.hardtanh, F.hardtanh_], _hardtanh),
    **dict.fromkeys([torch.clamp, torch.clip, torch.clamp_, torch.clip_], _clamp),
    **dict.fromkeys(["clamp", "clip", "clamp_", "clip_"], _clamp),
    **dict.fromkeys([torch.clamp_min, torch.clamp_min_, "clamp_min", "clamp_min_"], _clamp),
    **dict.fromkeys(THRESHOLDS, _threshold),
}
AVERAGES = {nn.MaxPool1d: nn.AvgPool1d, nn.MaxPool2d: nn.AvgPool2d, nn.MaxPool3d: nn.AvgPool3d}
ADAPTIVE = {
    nn.AdaptiveMaxPool1d: nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool2d: nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool3d: nn.AdaptiveAvgPool3d,
}  # fmt: skip
# Activations that are no ReLUs, as functions and as names of a tensor's methods.
OTHERS: set[Any] = {
    F.gelu, F.silu, F.mish, F.elu, F.elu_, F.selu, F.celu, F.leaky_relu, F.leaky_relu_, F.prelu,
    F.softplus, F.hardswish, F.hardsigmoid, F.logsigmoid, F.sigmoid, F.tanh, torch.sigmoid,
    torch.tanh, torch.selu, torch.celu, torch.prelu, "sigmoid", "sigmoid_", "tanh", "tanh_",
    *THRESHOLDS,
}  # fmt: skip
MAXIMA = (torch.maximum, torch.max, torch.fmax, "maximum", "max", "fmax")
ZEROS = (torch.zeros_like, torch.zeros, "new_zeros")
NO_ACTIVATIONS = (nn.MultiheadAttention, nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d)


@dataclass(frozen=True)
class Relu:
    """ceiling: largest value, infinite for a plain ReLU; inplace: its input is written over."""

    old: str
    ceiling: float
    inplace: bool


def relu_module(module: object) -> Relu | None:
    if not isinstance(module, nn.Module) or not is_torchs(module):
        return None
    kind = type(module).__name__
    if isinstance(module, nn.ReLU):
        return Relu(kind, math.inf, module.inplace)
    if isinstance(module, nn.Hardtanh) and module.min_val == 0:  # ReLU6 is one
        return Relu(kind, float(module.max_val), module.inplace)
    if isinstance(module, nn.Threshold) and module.threshold == module.value == 0:
        return Relu(kind, math.inf, module.inplace)
    return None


def relu_call(node: fx.Node, modules: dict[str, nn.Module]) -> Relu | None:
    """What the node is, if it is a ReLU, by module or by function."""
    if node.op == "call_module":
        return relu_module(modules.get(str(node.target)))
    rule = RELUS.get(node.target) if node.op in ("call_function", "call_method") else None
    if rule is None:
        return None
    try:
        ceiling = rule(*node.args, **node.kwargs)
    except TypeError:
        return None
    if ceiling is None:
        return None
    name = node.target if isinstance(node.target, str) else node.target.__name__  # type: ignore
    name = name.lstrip("_")  # F.threshold is `_threshold` by name
    inplace = name.endswith("_") or node.kwargs.get("inplace") is True
    return Relu(name, ceiling, inplace)


def others(graph: fx.Graph) -> list[str]:
    """Names of the functions that are activations and no ReLUs."""
    calls = [n for n in graph.nodes if n.op in ("call_function", "call_method")]
    found = [n.target for n in calls if n.target in OTHERS and not relu_call(n, {})]
    return [getattr(f, "__name__", str(f)).lstrip("_") for f in found]


def maxima(graph: fx.Graph) -> list[str]:
    """Names of the calls that take the maximum with zeros that the forward makes: ReLUs that are
    written as something else."""
    calls = [n for n in graph.nodes if n.target in MAXIMA]
    return [n.name for n in calls if any(_is_zeros(node) for node in n.all_input_nodes)]


def _is_zeros(node: fx.Node) -> bool:
    made = node.meta.get("constant")
    return node.target in ZEROS or (made is not None and not made.any())


def is_other(module: nn.Module) -> bool:
    """An activation of torch that is no ReLU; read-outs and attention are none."""
    own = type(module).__module__ == "torch.nn.modules.activation"
    return own and not isinstance(module, NO_ACTIVATIONS) and relu_module(module) is None


def built_in(module: nn.Module) -> str | None:
    """Name of the activation in the code of one of torch's own layers, where nothing is exchanged.
    Of a recurrent layer, a ReLU alone."""
    if isinstance(module, nn.RNN | nn.RNNCell):
        return "relu" if module.nonlinearity == "relu" else None
    if not isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
        return None
    inner = module.activation
    if isinstance(inner, nn.Module):  # where the user's forward calls it, it is exchanged
        return type(inner).__name__ if relu_module(inner) and not is_container(module) else None
    return getattr(inner, "__name__", repr(inner))


def averaged(module: nn.Module) -> nn.Module | str | None:
    """Average-pooling of the same window for a max-pool, or why there is none."""
    make = next(
        (new for old, new in (AVERAGES | ADAPTIVE).items() if isinstance(module, old)), None
    )
    if make is None or not is_torchs(module):
        return None
    if isinstance(module, tuple(ADAPTIVE)) and not module.return_indices:
        return make(module.output_size)  # type: ignore[call-arg]
    if getattr(module, "dilation", 1) not in (1, (1,), (1, 1), (1, 1, 1)):
        return "Average-pooling has no dilation."
    if module.return_indices:
        return "Average-pooling has no indices to return."
    return make(module.kernel_size, module.stride, module.padding, module.ceil_mode)  # type: ignore


def is_torchs(module: nn.Module) -> bool:
    """Is its forward torch's own, and not a subclass's or the object's?"""
    home = getattr(type(module).forward, "__module__", None) or ""  # none for a traced forward
    return "forward" not in vars(module) and home.startswith("torch.nn.")


def is_container(module: object) -> bool:
    """Has a forward of its own that may hold ReLUs."""
    if not isinstance(module, nn.Module) or isinstance(module, ClipQuant):
        return False
    return isinstance(module, nn.Sequential) or not is_torchs(module)
