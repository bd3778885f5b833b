"""The table of units, and the drives that the laws are tried on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from isospike.units.binary import IF
from isospike.units.differential import Differential
from isospike.units.lif import LIF
from isospike.units.neuron import Neuron
from isospike.units.pool import GatedMaxPool, LateralMaxPool
from isospike.units.radix import Radix, RadixCode
from isospike.units.signed import Signed
from isospike.units.switched import Switched
from isospike.units.timed import Timed

CHANNELS = 3
GRID = 64  # drives, potentials and biases are whole multiples of 1 / GRID


def builder(kind, **numbers) -> Callable[..., Neuron]:
    return lambda theta, v0, bias=None, drift=None: kind(theta, v0, bias, drift, **numbers)


# A new neuron is one line here and gets every law of this folder.
BINARY = {"IF soft": builder(IF), "IF hard": builder(IF, reset="hard")}
SIGNED = {
    "ST-BIF": builder(Signed),
    "ST-BIF of 4 levels": builder(Signed, most=4.0),
    "SNM": builder(Signed, low=1.0),
    "signed bursts": builder(Signed, cap=4),
}
BURSTS = {"burst of 5": builder(IF, cap=5), "burst of 2": builder(IF, cap=2)}
PHASES = {"phases of 8": builder(Timed), "phases of 3": builder(Timed, period=3)}
SWITCHED = {"switched": builder(Switched)}
OTHERS = {
    "differential": builder(Differential),
    "differential of 3 levels": builder(Differential, levels=3),
    "leaky IF": builder(IF, leak=0.75),
    "LIF": builder(LIF),
    "LIF without a synapse": builder(LIF, tau_syn=0.0),
    "leaky ReLU": builder(Signed, low=4.0, back=4.0, least=None),
}
NEURONS = {**BINARY, **SIGNED, **BURSTS, **PHASES, **SWITCHED, **OTHERS}
# Nothing is lost: drive = spikes + potential.
EXACT = {"IF soft": BINARY["IF soft"], **SIGNED, **BURSTS, **PHASES, **SWITCHED}
# One unit of theta a spike, at most one a step.
UNIT = {**BINARY, **SIGNED, **SWITCHED, "leaky IF": OTHERS["leaky IF"]}
CODES = {
    f"k={k} extra={extra}": RadixCode(k, extra) for k in (1.0, 1.25, 1.5, 2.0) for extra in (0, 2)
}
EXACT_CODES = {name: code for name, code in CODES.items() if code.k in (1.0, 2.0)}
SHAPES = {
    "plain": {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1), "ceil_mode": False},
    "overlapping": {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1), "dilation": (1, 1), "ceil_mode": False},
    "dilated, ceil": {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (2, 2), "ceil_mode": True},
}  # fmt: skip

POOLS = {
    f"{kind}, {name}": build({**shape})
    for kind, build in (("gated", GatedMaxPool), ("lateral", LateralMaxPool))
    for name, shape in SHAPES.items()
}

steps = st.integers(1, 64)
potentials = st.sampled_from([0.0, 0.25, 0.5, 1.0])
factors = st.sampled_from([0.25, 0.5, 2.0, 64.0])


@st.composite
def thetas(draw) -> Tensor:
    """Powers of two: one number, or one a channel."""
    exponents = draw(
        st.one_of(st.integers(-3, 3), arrays(np.int64, CHANNELS, elements=st.integers(-3, 3)))
    )
    return 2.0 ** torch.as_tensor(exponents).float()


@st.composite
def drives(draw, low: float = -2.0, high: float = 3.0, length=steps) -> Tensor:
    """[T, B, C] in units of theta, on the grid, everything else free."""
    shape = (draw(length), draw(st.integers(1, 3)), CHANNELS)
    whole = arrays(np.int64, shape, elements=st.integers(int(low * GRID), int(high * GRID)))
    return torch.from_numpy(draw(whole)).float() / GRID


def held(drive: Tensor, count: int) -> Tensor:
    """The first frame of a drive, `count` times."""
    return drive[:1].expand(count, *drive.shape[1:]).clone()


@st.composite
def trains(draw) -> Tensor:
    """Spikes [T, B, C, 6, 6]."""
    shape = (draw(st.integers(1, 8)), draw(st.integers(1, 3)), 2, 6, 6)
    return torch.from_numpy(draw(arrays(np.int64, shape, elements=st.integers(0, 1)))).float()


def radix(code: RadixCode, theta: Tensor, v0: float = 0.5) -> Radix:
    return Radix(theta, torch.tensor(v0), code)
