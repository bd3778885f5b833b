"""Piecewise-linear functions as sites, exactly: ReLUs and clips of shifted and mirrored values.

    clamp(x, a, b)  = clip(x - a, 0, b - a) + a          clamp(x, max=b) = b - relu(b - x)
    leaky(x; s)     = relu(x) - s relu(-x)               |x| = relu(x) + relu(-x)
    max(x, y)       = relu(x - y) + y                    min(x, y) = x - relu(x - y)

A pair of neurons of opposite sign stands for a signed one (leaky.py: one neuron, where the recipe
has such). The hard sigmoid is a clip of x/6 + 1/2.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from isospike.graph.translate import Call, Refusal, Value, aten, rule, scaled, sub, wide


@rule(aten.relu.default)
def relu(x, label: str = "") -> Call:
    return Call("relu", (x,), label=label)


def clip(x: Value | Call, high: float) -> Call:
    return Call("clip", (x,), {"high": float(high)})


@rule(aten.clamp.default, aten.clip.default, aten.hardtanh.default)
def clamp(x, low=None, high=None):
    shown = f"clip to [{low}, {high}]"
    if not all(bound is None or isinstance(bound, int | float) for bound in (low, high)):
        raise Refusal(shown, "Its bounds are computed.", "give its bounds as numbers")
    if low is not None and high is not None and not low < high:
        raise Refusal(
            shown, "Nothing is left between its bounds.", "give a lower bound below the upper"
        )
    if low is None:
        return scaled(relu(scaled(x, scale=-1, shift=high)), scale=-1, shift=high)
    moved = scaled(x, shift=-low) if low else x
    bent = relu(moved) if high is None else clip(moved, high - low)
    return scaled(bent, shift=low) if low else bent


@rule(aten.relu6.default)
def relu6(x):
    return clip(x, 6.0)


@rule(aten.hardsigmoid.default)
def hard_sigmoid(x):
    return clip(scaled(x, scale=1 / wide(6), shift=0.5), 1.0)


@rule(aten.clamp_min.default)
def clamp_min(x, low):
    return clamp(x, low, None)


@rule(aten.clamp_max.default)
def clamp_max(x, high):
    return clamp(x, None, high)


@rule(aten.leaky_relu.default)
def leaky(x, slope: Any = 0.01):
    negative = relu(scaled(x, scale=-1), "negative")
    return Call("sub", (relu(x), scaled(negative, scale=slope)))


@rule(aten.prelu.default)
def prelu(x, slope):
    if not isinstance(slope, Tensor):
        raise Refusal("prelu with a computed slope", "Not in the table.", "use nn.PReLU")
    return leaky(x, slope.reshape(-1, *[1] * (x.rank - 2)) if slope.numel() > 1 else slope)


@rule(aten.abs.default)
def absolute(x):
    return Call("add", (relu(x), relu(scaled(x, scale=-1), "negative")))


@rule(aten.maximum.default, aten.max.other)
def maximum(x, y):
    x, y = (x, y) if isinstance(x, Value) else (y, x)
    if isinstance(y, Tensor) and not y.any():
        return relu(x)
    return add_to(relu(minus(x, y)), y)


@rule(aten.minimum.default, aten.min.other)
def minimum(x, y):
    x, y = (x, y) if isinstance(x, Value) else (y, x)
    return Call("sub", (x, relu(minus(x, y))))


def minus(x: Value, y: Any) -> Call | Value:
    if isinstance(y, Value) and x.shape != y.shape:
        what = f"comparison of {list(x.shape)} with {list(y.shape)}"
        raise Refusal(what, "Not in the table.", "expand the smaller one first")
    return sub(x, y)


def add_to(x: Call | Value, y: Any) -> Call | Value:
    return Call("add", (x, y)) if isinstance(y, Value) else scaled(x, shift=y)
