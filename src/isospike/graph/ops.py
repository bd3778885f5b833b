"""What every operator of a captured graph is and does: the one table of this package.

`run(inputs, tensors, attrs, gain)`: inputs are [B, ...]; `gain` scales the constant part, so that
`run(sum of n frames, gain=n)` is the sum of n runs. Operators never look across the batch.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from isospike.activations import clip_quant
from isospike.graph.analogue import ELEMENTWISE, FUNCTIONS, Function
from isospike.soft_lif import soft_lif

Run = Callable[[list[Tensor], Mapping[str, Tensor], Mapping[str, Any], float], Tensor]


class Kind(enum.Enum):
    INPUT = "input"
    AFFINE = "affine"  # free on spikes: no weights of its own
    WEIGHT = "weight"  # affine with weights: what synaptic operations are counted at
    ACTIVATION = "activation"  # a site
    CURRENT = "current"  # per step on the current: right for a synchronous network only
    POOL = "pool"  # max-pooling: a site unless a policy removes it
    ANALOGUE = "analogue"  # a site without neurons: a function kept as it is


@dataclass(frozen=True)
class Op:
    kind: Kind
    run: Run


def _constant(tensor: Tensor | None, gain: float) -> Tensor | None:
    return tensor if tensor is None or gain == 1.0 else tensor * gain


def _conv(x, p, a, gain):
    conv = (F.conv1d, F.conv2d, F.conv3d)[p["weight"].dim() - 3]
    bias = _constant(p.get("bias"), gain)
    return conv(x[0], p["weight"], bias, a["stride"], a["padding"], a["dilation"], a["groups"])


def _conv_transpose(x, p, a, gain):
    conv = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[p["weight"].dim() - 3]
    bias = _constant(p.get("bias"), gain)
    return conv(
        x[0], p["weight"], bias, a["stride"], a["padding"], a["output_padding"], a["groups"],
        a["dilation"],
    )  # fmt: skip


def _linear(x, p, a, gain):
    return F.linear(x[0], p["weight"], _constant(p.get("bias"), gain))


def _scale_shift(x, p, a, gain):
    y = x[0] * p["scale"] if "scale" in p else x[0]
    return y + _constant(p["shift"], gain) if "shift" in p else y


def _avg_pool(x, p, a, gain):
    rank = len(a["kernel"])
    if rank == 1:
        return F.avg_pool1d(
            x[0], a["kernel"], a["stride"], a["padding"], a["ceil_mode"], a["count_include_pad"]
        )
    pool = F.avg_pool2d if rank == 2 else F.avg_pool3d
    return pool(
        x[0], a["kernel"], a["stride"], a["padding"], a["ceil_mode"], a["count_include_pad"],
        a["divisor"],
    )  # fmt: skip


def _adaptive_avg_pool(x, p, a, gain):
    rank = len(a["size"])
    pool = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[rank - 1]
    return pool(x[0], a["size"] if rank > 1 else a["size"][0])


def max_pool(x: Tensor, a: Mapping[str, Any]) -> Tensor:
    """Max-pooling of x [B, C, ...]."""
    return max_pool_indices(x, a)[0]


def max_pool_indices(x: Tensor, a: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """The maxima, and where in the plane each stood."""
    rank = len(a["kernel"])
    pool = (
        F.max_pool1d_with_indices, F.max_pool2d_with_indices, F.max_pool3d_with_indices,
    )[rank - 1]  # fmt: skip
    return pool(x, a["kernel"], a["stride"], a["padding"], a["dilation"], a["ceil_mode"])


def _pad(x, p, a, gain):
    if a["mode"] == "constant":
        return F.pad(x[0], a["pad"], value=a["value"] * gain)
    return F.pad(x[0], a["pad"], mode=a["mode"])


def _slice(x, p, a, gain):
    index = [slice(None)] * x[0].dim()
    index[a["dim"]] = slice(a["start"], a["end"], a["step"])
    return x[0][tuple(index)]


def _upsample(x, p, a, gain):
    mode, align = a.get("mode", "nearest"), a.get("align")
    return F.interpolate(x[0], a["size"], a["scale"], mode, align)


def _pick(x, p, a, gain):
    return x[0].index_select(a["dim"], torch.tensor(a["index"], device=x[0].device))


def _analogue(function: Function) -> Run:
    """n frames with mean m count as n f(m)."""
    return lambda x, p, a, gain: (
        function(x[0], a) if gain == 1.0 else function(x[0] / gain, a) * gain
    )


def _clip(x, p, a, gain):
    return x[0].clamp(0.0, a["high"])


def _quantised(x, p, a, gain):
    return clip_quant(x[0], p["theta"], a["levels"], a["shift"], a.get("slip", 0.0))


AFFINE: dict[str, Run] = {
    "scale_shift": _scale_shift,
    "add": lambda x, p, a, g: x[0] + x[1],
    "sub": lambda x, p, a, g: x[0] - x[1],
    "cat": lambda x, p, a, g: torch.cat(x, a["dim"]),
    "avg_pool": _avg_pool,
    "adaptive_avg_pool": _adaptive_avg_pool,
    "pad": _pad,
    "reshape": lambda x, p, a, g: x[0].reshape(x[0].shape[0], *a["shape"]),
    "permute": lambda x, p, a, g: x[0].permute(a["dims"]),
    "slice": _slice,
    "mean": lambda x, p, a, g: x[0].mean(a["dims"], keepdim=a["keepdim"]),
    "sum": lambda x, p, a, g: x[0].sum(a["dims"], keepdim=a["keepdim"]),
    "upsample": _upsample,
    "pick": _pick,
    "pixel_shuffle": lambda x, p, a, g: F.pixel_shuffle(x[0], a["factor"]),
    "pixel_unshuffle": lambda x, p, a, g: F.pixel_unshuffle(x[0], a["factor"]),
    "expand": lambda x, p, a, g: x[0].expand(-1, *a["shape"]),
    "stack": lambda x, p, a, g: torch.stack(x, a["dim"]),
}
WEIGHTS: dict[str, Run] = {"conv": _conv, "conv_transpose": _conv_transpose, "linear": _linear}
ACTIVATIONS: dict[str, Run] = {
    "relu": lambda x, p, a, g: x[0].relu(),
    "leaky_relu": lambda x, p, a, g: F.leaky_relu(x[0], a["slope"]),
    "clip": _clip,
    "clip_quant": _quantised,
    "soft_lif": lambda x, p, a, g: soft_lif(x[0], p["theta"], a["gamma"]),
}
NEVER_NEGATIVE = ("relu", "clip", "clip_quant", "soft_lif")

OPS: dict[str, Op] = {
    "input": Op(Kind.INPUT, lambda x, p, a, g: x[0]),
    **{name: Op(Kind.AFFINE, run) for name, run in AFFINE.items()},
    **{name: Op(Kind.WEIGHT, run) for name, run in WEIGHTS.items()},
    **{name: Op(Kind.ACTIVATION, run) for name, run in ACTIVATIONS.items()},
    **{name: Op(Kind.ANALOGUE, _analogue(run)) for name, run in FUNCTIONS.items()},
    **{
        f"few_spike.{name}": Op(Kind.ACTIVATION, _analogue(FUNCTIONS[name])) for name in ELEMENTWISE
    },
    # Not affine: the largest current of each step, where the pre-neuron policy put it.
    "max_current": Op(Kind.CURRENT, lambda x, p, a, g: max_pool(x[0], a)),
    "max_pool": Op(Kind.POOL, lambda x, p, a, g: max_pool(x[0], a)),
}
