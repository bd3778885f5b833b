"""Rules of the functions that may be kept analogue: refused unless the user names them."""

from __future__ import annotations

from torch import Tensor

from isospike.graph.translate import Call, Refusal, Value, aten, data_dim, rule, scaled


@rule(aten.silu.default)
def silu(x):
    return Call("silu", (x,))


@rule(aten.gelu.default)
def gelu(x, *, approximate="none"):
    return Call("gelu", (x,), {"approximate": approximate})


@rule(aten.sigmoid.default)
def sigmoid(x):
    return Call("sigmoid", (x,))


@rule(aten.tanh.default)
def tanh(x):
    return Call("tanh", (x,))


@rule(aten.hardswish.default)
def hard_swish(x):
    return Call("hardswish", (x,))


@rule(aten.mish.default)
def mish(x):
    return Call("mish", (x,))


@rule(aten.elu.default)
def elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
    attrs = {"alpha": alpha, "scale": scale, "input_scale": input_scale}
    return Call("elu", (x,), {key: float(value) for key, value in attrs.items()})


@rule(aten.softplus.default)
def softplus(x, beta=1.0, threshold=20.0):
    return Call("softplus", (x,), {"beta": float(beta), "threshold": float(threshold)})


@rule(aten.softmax.int, aten._softmax.default)
def softmax(x, dim, *rest):
    return Call("softmax", (x,), {"dim": data_dim(x, dim, "softmax")})


@rule(aten.layer_norm.default)
def layer_norm(x, shape, weight=None, bias=None, eps=1e-5, cudnn=False):
    made = Call("layer_norm", (x,), {"shape": tuple(shape), "eps": float(eps)})
    return _weighted(made, weight, bias)


@rule(aten.group_norm.default)
def group_norm(x, groups, weight=None, bias=None, eps=1e-5, cudnn=False):
    made = Call("group_norm", (x,), {"groups": groups, "eps": float(eps)})
    return _weighted(made, *[_channels(x, t) for t in (weight, bias)])


def _channels(x: Value, t: object) -> object:
    return t.reshape(-1, *[1] * (x.rank - 2)) if isinstance(t, Tensor) else t


def _weighted(made: Call, weight: object, bias: object) -> Call:
    if isinstance(weight, Value) or isinstance(bias, Value):
        raise Refusal("a normalisation with computed weights", "Not in the table.", "use constants")
    return made if weight is None and bias is None else scaled(made, weight, bias)
