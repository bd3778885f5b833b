"""From ATen operators to the operators of this package: one table entry an operator.

An entry takes the arguments of the ATen call, with captured values as `Value` and everything that
does not depend on the input already computed, and returns (op, inputs, attributes, tensors). It
raises `Refusal` when the call is one this package has no meaning for. Calls whose arguments are
all constants never come here: they are evaluated once at capture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from isospike.graph.analogue import NO_NEURON

aten = torch.ops.aten


@dataclass(frozen=True)
class Value:
    """A captured value: the name of its node and its shape without the batch."""

    name: str
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.shape) + 1


@dataclass(frozen=True)
class Call:
    """One node to be; an input may be a Call itself, whose value has the shape that it `gives`, or
    else that of its own first input. `label` tells the sites of one operator apart."""

    op: str
    inputs: tuple[Value | Call, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    gives: tuple[int, ...] | None = None
    label: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.inputs[0].shape if self.gives is None else self.gives

    @property
    def rank(self) -> int:
        return len(self.shape) + 1


class Refusal(Exception):  # noqa: N818  a finding in the making
    """what, why, fix: becomes a Finding with the place added."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        self.what, self.why, self.fix = what, why, fix
        super().__init__(what)


MIXES = "Time is folded into the batch, so an operator that mixes samples would be silently wrong."
RULES: dict[Any, Callable[..., Call | Value]] = {}


def rule(*targets: Any):
    def register(function: Callable[..., Call | Value]):
        for target in targets:
            RULES[target] = function
        return function

    return register


def spread(values: Any, rank: int) -> tuple[int, ...]:
    """`3` or `[3]` as (3, 3) for rank 2."""
    values = [values] if isinstance(values, int) else list(values)
    return tuple(int(v) for v in (values * rank if len(values) == 1 else values))


def data_dim(x: Value | Call, dim: int, what: str) -> int:
    """A dimension counted from the front; refused when it is the batch."""
    dim = dim % x.rank
    if dim == 0:
        raise Refusal(f"{what} over the batch dimension", MIXES, "keep the batch first")
    return dim


def data_dims(x: Value, dims: Any, what: str) -> tuple[int, ...]:
    if dims is None or dims == []:
        raise Refusal(f"{what} over all dimensions", MIXES, "name the dimensions, not the batch")
    return tuple(data_dim(x, dim, what) for dim in ([dims] if isinstance(dims, int) else dims))


def weighted(op: str, x: Any, weight: Any, bias: Any, **attrs: Any) -> Call:
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        raise Refusal(
            "product of two values that both depend on the input",
            "No neuron multiplies two spike trains.",
            "replace it by a sum or a concat",
        )
    tensors = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return Call(op, (x,), attrs, tensors)


@rule(aten.conv1d.default, aten.conv2d.default, aten.conv3d.default)
def conv(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    rank = x.rank - 2
    return weighted(
        "conv", x, weight, bias, stride=spread(stride, rank), padding=spread(padding, rank),
        dilation=spread(dilation, rank), groups=groups,
    )  # fmt: skip


@rule(aten.conv1d.padding, aten.conv2d.padding, aten.conv3d.padding)
def conv_padding(x, weight, bias=None, stride=1, padding="valid", dilation=1, groups=1):
    rank = x.rank - 2
    return weighted(
        "conv", x, weight, bias, stride=spread(stride, rank), padding=padding,
        dilation=spread(dilation, rank), groups=groups,
    )  # fmt: skip


@rule(aten.conv_transpose1d.default, aten.conv_transpose2d.input, aten.conv_transpose3d.input)
def conv_transpose(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    rank = x.rank - 2
    return weighted(
        "conv_transpose", x, weight, bias, stride=spread(stride, rank),
        padding=spread(padding, rank), output_padding=spread(output_padding, rank),
        groups=groups, dilation=spread(dilation, rank),
    )  # fmt: skip


@rule(aten.linear.default)
def linear(x, weight, bias=None):
    return weighted("linear", x, weight, bias)


@rule(aten.addmm.default)
def addmm(bias, x, weight):
    if isinstance(bias, Value):
        raise Refusal("addmm with a computed bias", "It is no affine map.", "use nn.Linear")
    return weighted("linear", x, weight.t() if isinstance(weight, Tensor) else weight, bias)


@rule(aten.mm.default, aten.matmul.default, aten.bmm.default)
def matmul(x, weight):
    if isinstance(x, Value) and isinstance(weight, Value) and x.rank == weight.rank:
        return pair("matmul", x, weight, (*x.shape[:-1], weight.shape[-1]))
    if isinstance(weight, Tensor) and weight.dim() != 2:
        raise Refusal(
            f"product with a {weight.dim()}-d array", "Not in the table.", "use nn.Linear"
        )
    return weighted("linear", x, weight.t() if isinstance(weight, Tensor) else weight, None)


@rule(
    aten.batch_norm.default, aten._native_batch_norm_legit_no_training.default,
    aten.native_batch_norm.default,
)  # fmt: skip
def batch_norm(x, weight, bias, mean, var, *rest):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, as one scale and one shift per channel."""
    eps = rest[-2] if rest and isinstance(rest[-1], bool) else rest[-1]
    if mean is None or var is None:
        raise Refusal(
            "batch norm without running statistics", MIXES,
            "build it with track_running_stats=True and run some training batches",
        )  # fmt: skip
    spread_ = var + eps
    if not bool((spread_ > 0).all()) or bool((var < 0).any()):
        channels = ((spread_ <= 0) | (var < 0)).nonzero().flatten().tolist()
        raise Refusal(
            f"batch norm with running variance <= 0 in channels {channels[:10]}",
            "It divides by zero there.", "retrain or repair these channels",
        )  # fmt: skip
    scale = (torch.ones_like(var) if weight is None else weight) / torch.sqrt(spread_)
    shift = -mean * scale + (torch.zeros_like(var) if bias is None else bias)
    shape = (-1, *[1] * (x.rank - 2))
    tensors = {"scale": scale.reshape(shape), "shift": shift.reshape(shape)}
    return Call("scale_shift", (x,), {}, tensors)


def wide(constant: Any) -> Tensor:
    """A constant in float64: a Python number read as float32 would cost the gate its 12 digits."""
    if isinstance(constant, torch.SymInt | torch.SymFloat):
        raise Refusal("the batch size as a value", MIXES, "use a fixed number")
    return torch.as_tensor(constant, dtype=torch.float64)


@rule(
    aten._native_batch_norm_legit.no_stats, aten._native_batch_norm_legit.default,
    aten._native_batch_norm_legit_functional.default,
)  # fmt: skip
def batch_norm_of_the_batch(*args, **kwargs):
    raise Refusal(
        "batch norm without running statistics", MIXES,
        "build it with track_running_stats=True, run some training batches, then use eval mode",
    )  # fmt: skip


def scaled(x: Value | Call, scale: Any = None, shift: Any = None) -> Call:
    tensors = {}
    for role, constant in (("scale", scale), ("shift", shift)):
        if constant is None:
            continue
        constant = wide(constant)
        if constant.dim() >= x.rank:
            if constant.shape[0] != 1:
                raise Refusal("a constant with a batch dimension", MIXES, "make its batch 1")
            constant = constant.reshape(constant.shape[constant.dim() - x.rank + 1 :])
        tensors[role] = constant
    return Call("scale_shift", (x,), {}, tensors)


@rule(aten.add.Tensor, aten.add.Scalar)
def add(x, y, alpha=1):
    if isinstance(x, Value) and isinstance(y, Value):
        if alpha != 1:
            raise Refusal(f"add with alpha={alpha}", "Not in the table.", "scale the second term")
        return Call("add", (x, y))
    if isinstance(x, Value):
        return scaled(x, shift=wide(y) * alpha)
    return scaled(y, scale=None if alpha == 1 else alpha, shift=x)


@rule(aten.sub.Tensor, aten.sub.Scalar)
def sub(x, y, alpha=1):
    if isinstance(x, Value) and isinstance(y, Value):
        if alpha != 1:
            raise Refusal(f"sub with alpha={alpha}", "Not in the table.", "scale the second term")
        return Call("sub", (x, y))
    if isinstance(x, Value):
        return scaled(x, shift=-wide(y) * alpha)
    return scaled(y, scale=-alpha, shift=x)


@rule(aten.rsub.Scalar, aten.rsub.Tensor)
def rsub(x, y, alpha=1):
    return sub(y, x, alpha)


@rule(aten.mul.Tensor, aten.mul.Scalar)
def mul(x, y):
    if isinstance(x, Value) and isinstance(y, Value):
        return pair("product", x, y)
    return scaled(x, scale=y) if isinstance(x, Value) else scaled(y, scale=x)


@rule(aten.div.Tensor, aten.div.Scalar)
def div(x, y):
    if isinstance(y, Value):
        return pair("quotient", x, y)
    return scaled(x, scale=1 / wide(y))


def pair(op: str, x: Any, y: Any, shape: tuple[int, ...] | None = None) -> Call:
    """A function of two values: a site of one input, the rows of both side by side."""
    if not (isinstance(x, Value) and isinstance(y, Value)):
        raise Refusal(f"{op} of a constant and a computed value", NO_NEURON, "compute it otherwise")
    shapes = (x.shape, y.shape)
    widths = [math.prod(each) for each in shapes]
    rows = [
        Call("reshape", (v,), {"shape": (n,)}, gives=(n,))
        for v, n in zip((x, y), widths, strict=True)
    ]
    both = Call("cat", tuple(rows), {"dim": 1}, gives=(sum(widths),))
    return Call(op, (both,), {"shapes": shapes}, gives=shape or torch.broadcast_shapes(*shapes))


@rule(aten.neg.default)
def neg(x):
    return scaled(x, scale=-1)


@rule(torch.ops.isospike.clip_quant.default)
def source_activation(x, theta, levels, shift, slip=0.0):
    attrs = {"levels": levels, "shift": shift, **({"slip": slip} if slip else {})}
    return Call("clip_quant", (x,), attrs, {"theta": theta})


@rule(torch.ops.isospike.soft_lif.default)
def source_rate(x, theta, gamma):
    return Call("soft_lif", (x,), {"gamma": gamma}, {"theta": theta})


@rule(
    aten.clone.default, aten.contiguous.default, aten.alias.default, aten.detach.default,
    aten.lift_fresh_copy.default,
)  # fmt: skip
def identity(x, *args, **kwargs):
    return x


@rule(
    aten.dropout.default, aten.feature_dropout.default, aten.alpha_dropout.default,
    aten.feature_alpha_dropout.default, aten.dropout_.default, aten.native_dropout.default,
)  # fmt: skip
def dropout(x, p, train):
    if train and p:
        raise Refusal(
            "dropout that is on in eval mode", "It answers differently each time.",
            "pass training=self.training",
        )  # fmt: skip
    return x


@rule(aten.to.dtype, aten.to.dtype_layout, aten._to_copy.default)
def cast(x, *args, types, **kwargs):
    """types: (before, after), as capture found them."""
    before, after = types
    if not before.is_floating_point:
        return x  # refused when it became whole numbers
    if not after.is_floating_point or torch.finfo(after).eps > torch.finfo(before).eps:
        raise Refusal(
            f"cast from {before} to {after}",
            "It rounds, and the graph is compared with the model in float64.",
            "leave the cast out, or cast to the type of a parameter",
        )
    return x


@rule(aten.avg_pool1d.default, aten.avg_pool2d.default, aten.avg_pool3d.default)
def avg_pool(
    x, kernel, stride=(), padding=0, ceil_mode=False, count_include_pad=True, divisor=None
):
    rank = x.rank - 2
    return Call("avg_pool", (x,), {
        "kernel": spread(kernel, rank), "stride": spread(stride or kernel, rank),
        "padding": spread(padding, rank), "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad, "divisor": divisor,
    })  # fmt: skip


@rule(
    aten.adaptive_avg_pool1d.default, aten.adaptive_avg_pool2d.default,
    aten.adaptive_avg_pool3d.default,
)  # fmt: skip
def adaptive_avg_pool(x, size):
    sizes = [x.shape[1 + i] if s is None else s for i, s in enumerate(size)]
    return Call("adaptive_avg_pool", (x,), {"size": tuple(sizes)})


@rule(aten.max_pool1d.default, aten.max_pool2d.default, aten.max_pool3d.default)
def max_pool(x, kernel, stride=(), padding=0, dilation=1, ceil_mode=False):
    rank = x.rank - 2
    return Call("max_pool", (x,), {
        "kernel": spread(kernel, rank), "stride": spread(stride or kernel, rank),
        "padding": spread(padding, rank), "dilation": spread(dilation, rank),
        "ceil_mode": ceil_mode,
    })  # fmt: skip


@rule(aten.max_pool2d_with_indices.default, aten.max_pool3d_with_indices.default)
def max_pool_indices(*args, **kwargs):
    raise Refusal(
        "max-pool that returns indices", "Spikes have no place of the maximum.",
        "return_indices=False",
    )  # fmt: skip


@rule(aten.pad.default, aten.constant_pad_nd.default)
def pad(x, amounts, mode="constant", value=None):
    if isinstance(mode, int | float):  # constant_pad_nd has the value in this place
        mode, value = "constant", mode
    if len(amounts) // 2 >= x.rank:
        raise Refusal("padding of the batch dimension", MIXES, "pad the data dimensions only")
    attrs = {"pad": tuple(amounts), "mode": mode, "value": float(value or 0.0)}
    return Call("pad", (x,), attrs)


@rule(
    aten.view.default, aten.reshape.default, aten._unsafe_view.default,
    aten.flatten.using_ints, aten.unflatten.int, aten.squeeze.dim, aten.squeeze.dims,
    aten.squeeze.default, aten.unsqueeze.default,
)  # fmt: skip
def reshape(x, *args, result=None, **kwargs):
    """`result` is the shape that capture found; its first entry must still be the batch."""
    return Call("reshape", (x,), {"shape": result})


@rule(aten.permute.default)
def permute(x, dims):
    dims = tuple(dim % x.rank for dim in dims)
    if dims[0] != 0:
        raise Refusal("permute that moves the batch", MIXES, "keep the batch first")
    return Call("permute", (x,), {"dims": dims})


@rule(aten.transpose.int)
def transpose(x, first, second):
    dims = list(range(x.rank))
    first, second = first % x.rank, second % x.rank
    dims[first], dims[second] = dims[second], dims[first]
    return permute(x, dims)


@rule(aten.slice.Tensor)
def slice_(x, dim=0, start=None, end=None, step=1):
    whole = start in (None, 0) and (end is None or not isinstance(end, int) or end >= 2**62)
    if dim % x.rank == 0 and whole and step == 1:
        return x
    dim = data_dim(x, dim, "slice")
    size = x.shape[dim - 1]
    start, end, step = slice(start, end, step).indices(size)
    return Call("slice", (x,), {"dim": dim, "start": start, "end": end, "step": step})


@rule(aten.mean.dim)
def mean(x, dims=None, keepdim=False, dtype=None):
    return Call("mean", (x,), {"dims": data_dims(x, dims, "mean"), "keepdim": keepdim})


@rule(aten.sum.dim_IntList)
def sum_(x, dims=None, keepdim=False, dtype=None):
    return Call("sum", (x,), {"dims": data_dims(x, dims, "sum"), "keepdim": keepdim})
