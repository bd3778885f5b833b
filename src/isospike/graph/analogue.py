"""Functions that no neuron's rate follows, and that may be kept analogue where the user names them.

`run(x, attrs)` is the function itself; on the sum of n frames with mean m it is n f(m), so that
every reading of the network is the function of what has come so far. Weights and biases of a
normalisation are an affine step of their own behind it. What takes two values takes their rows
side by side (`shapes`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Function = Callable[[Tensor, Mapping[str, Any]], Tensor]


def _two(x: Tensor, a: Mapping[str, Any]) -> list[Tensor]:
    widths = [math.prod(shape) for shape in a["shapes"]]
    pieces = zip(x.split(widths, 1), a["shapes"], strict=True)
    return [piece.reshape(-1, *shape) for piece, shape in pieces]


def _product(x: Tensor, a: Mapping[str, Any]) -> Tensor:
    first, second = _two(x, a)
    return first * second


def _quotient(x: Tensor, a: Mapping[str, Any]) -> Tensor:
    first, second = _two(x, a)
    return first / second


def _matmul(x: Tensor, a: Mapping[str, Any]) -> Tensor:
    first, second = _two(x, a)
    return first @ second


def _layer_norm(x: Tensor, a: Mapping[str, Any]) -> Tensor:
    return F.layer_norm(x, tuple(a["shape"]), eps=a["eps"])


FUNCTIONS: dict[str, Function] = {
    "silu": lambda x, a: F.silu(x),
    "gelu": lambda x, a: F.gelu(x, approximate=a["approximate"]),
    "sigmoid": lambda x, a: torch.sigmoid(x),
    "tanh": lambda x, a: torch.tanh(x),
    "hardswish": lambda x, a: F.hardswish(x),
    "elu": lambda x, a: torch.ops.aten.elu(x, a["alpha"], a["scale"], a["input_scale"]),
    "mish": lambda x, a: F.mish(x),
    "softplus": lambda x, a: F.softplus(x, a["beta"], a["threshold"]),
    "softmax": lambda x, a: x.softmax(a["dim"]),
    "layer_norm": _layer_norm,
    "group_norm": lambda x, a: F.group_norm(x, a["groups"], eps=a["eps"]),
    "product": _product,
    "quotient": _quotient,
    "matmul": _matmul,
}
# Functions of one number, which a program of few spikes can stand for (units/few_spike.py).
ELEMENTWISE = ("silu", "gelu", "sigmoid", "tanh", "hardswish", "elu", "mish", "softplus")
# Why it is refused where nobody named it.
NO_NEURON = "It is neither affine nor a function that a neuron's rate can follow."
NAMES = {
    "product": "product of two values that both depend on the input",
    "matmul": "matrix product of two values that both depend on the input",
    "quotient": "division by a computed value",
}
