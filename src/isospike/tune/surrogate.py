"""The integrate-and-fire neuron over T steps, differentiable by a surrogate.

    u(t) = k v(t-1) + (z(t) + b(t)) / theta,   s(t) = H(u(t) - 1),   out(t) = theta s(t)
    v(t) = u(t) - s(t)   (soft)    or    u(t) (1 - s(t))   (hard)

The forward pass is that of units/binary.py. Backward, ds/du is replaced by h(u) and everything else
is exact, the reset included:

    triangle   h = max(0, 1 - |u - 1| / w) / w
    rectangle  h = 1 / w where |u - 1| < w / 2               Wu et al. 2018, eq. 24
    arctan     h = 1 / (w (1 + (pi (u - 1) / w)^2))          Fang et al. 2021 (w = 1: alpha = 2)
    spike-time h = 0.3 exp(-0.01 (t - t_s)) / w, t_s the last step before t with a spike;
               0 before the first                 Rathi et al. 2020, eq. 12, and the authors' code

One pass forward and one backward in time, in C++ where the kernels are built (CPU; drives and
spikes in float32, or in bfloat16 where mixed precision makes them so, the membrane in float32).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isospike.engine import native

NATIVE = ("triangle", "rectangle", "arctan")
KINDS = (*NATIVE, "spike-time")


@dataclass(frozen=True)
class Surrogate:
    """kind: one of KINDS; width: w, in units of the threshold."""

    kind: str = "triangle"
    width: float = 1.0

    def slope(self, u: Tensor) -> Tensor:
        """h(u) of u [T, ...]."""
        if self.kind == "spike-time":
            clock = torch.arange(1, len(u) + 1, dtype=u.dtype).reshape(-1, *[1] * (u.dim() - 1))
            spikes = torch.where(u >= 1, clock, 0).cummax(0).values
            last = torch.cat([torch.zeros_like(spikes[:1]), spikes[:-1]])
            return 0.3 * torch.exp(0.01 * (last - clock)) * (last > 0) / self.width
        x = (u - 1).abs_()
        if self.kind == "triangle":
            return (1 - x / self.width).clamp_(min=0) / self.width
        if self.kind == "rectangle":
            return (x < self.width / 2).to(u.dtype) / self.width
        return 1 / (self.width * (1 + (math.pi * x / self.width) ** 2))


@dataclass(frozen=True)
class Dynamics:
    """What a scan needs besides tensors: steps T, the reset and the surrogate."""

    steps: int
    hard: bool = False
    surrogate: Surrogate = Surrogate()


def fire(
    z: Tensor, theta: Tensor, v0: Tensor, bias: Tensor, leak: Tensor, dynamics: Dynamics
) -> tuple[Tensor, Tensor]:
    """Weighted spikes [T, B, ...] and their mean over time [B, ...].

    z: drive [T, B, ...], or [1, B, ...] held. theta, v0: a number, or a number per channel
    [C, 1, 1]; bias likewise, or per step [T, C, 1, 1]; leak: k, a number.
    """
    held = len(z) == 1 < dynamics.steps
    if held or not _native(z, dynamics):
        z = z.to(theta.dtype)  # mixed precision made it narrower; the membrane is not
    last = z.dim() == 5 and not z.is_contiguous() and z[0].stride(1) == 1  # channels in memory
    each = torch.Size([*z.shape[3:], z.shape[2]]) if last else z.shape[2:]

    def turned(x: Tensor) -> Tensor:
        return x.movedim(-3, -1) if last and x.dim() > 2 else x

    def per_neuron(x: Tensor) -> Tensor:
        return turned(x).expand(*x.shape[: x.dim() - len(each)], *each)

    bias = bias if bias.dim() > len(each) else bias.unsqueeze(0)
    out, rate = _Fire.apply(  # type: ignore[misc]
        turned(z), per_neuron(theta), per_neuron(v0), turned(bias).expand(len(bias), *each),
        leak, dynamics,
    )  # fmt: skip
    return (out.movedim(-1, -3), rate.movedim(-1, -3)) if last else (out, rate)


class _Fire(torch.autograd.Function):
    """The scan on tensors in memory order, with a number per neuron; bias [1 or T, ...]."""

    @staticmethod
    def forward(ctx: Any, z, theta, v0, bias, leak, dynamics: Dynamics):
        z, numbers = z.contiguous(), (theta.contiguous(), v0.contiguous(), bias.contiguous())
        scan = native_forward if _native(z, dynamics) else plain_forward
        out, u = scan(z, *numbers, float(leak), dynamics)
        ctx.save_for_backward(u, *numbers, leak)
        ctx.dynamics, ctx.z = dynamics, (z.shape, z.dtype)
        ctx.set_materialize_grads(False)
        return out, out.mean(0, dtype=theta.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None):
        u, theta, v0, bias, leak = ctx.saved_tensors
        g, m = (None if x is None else x.contiguous() for x in grads)
        shape, dtype = ctx.z
        g = u.new_zeros(1, *u.shape[1:], dtype=dtype) if g is None else g
        m = u.new_zeros(u.shape[1:]) if m is None else m
        back = native_backward if _native(u, ctx.dynamics) else plain_backward
        gz = torch.empty(shape, dtype=dtype, device=u.device)
        found = back(u, g, m, theta, v0, bias, float(leak), ctx.dynamics, gz)
        gtheta, gv0, gbias, gleak = found
        return gz, gtheta, gv0, gbias, gleak.sum().to(leak.dtype).reshape(leak.shape), None


def _native(z: Tensor, dynamics: Dynamics) -> bool:
    known = dynamics.surrogate.kind in NATIVE and z.dtype in (torch.float32, torch.bfloat16)
    return native.ENABLED and known and z.device.type == "cpu"


def _bits(x: Tensor) -> Tensor:
    """bfloat16 as the kernels take it."""
    return x.view(torch.int16) if x.dtype == torch.bfloat16 else x


def native_forward(
    z: Tensor, theta: Tensor, v0: Tensor, bias: Tensor, leak: float, dynamics: Dynamics
) -> tuple[Tensor, Tensor]:
    """plain_forward in C++."""
    shape = (dynamics.steps, *z.shape[1:])
    out, u = z.new_empty(shape), theta.new_empty(shape)
    native.kernels.fire(
        _bits(z).flatten(2), theta.flatten(), v0.flatten(), bias.flatten(1), leak, dynamics.hard,
        _bits(out).flatten(2), u.flatten(2), torch.get_num_threads(),
    )  # fmt: skip
    return out, u


def plain_forward(
    z: Tensor, theta: Tensor, v0: Tensor, bias: Tensor, leak: float, dynamics: Dynamics
) -> tuple[Tensor, Tensor]:
    """Weighted spikes and u, both [T, B, ...], of z [T or 1, B, ...]."""
    spikes, membranes = [], []
    v = v0.expand(z.shape[1:])
    for t in range(dynamics.steps):
        drive = (_at(z, t) + _at(bias, t)) / theta
        u = (v if leak == 1 else v * leak) + drive
        spikes.append((u >= 1).to(z.dtype) * theta)
        membranes.append(u)
        v = _after(u, dynamics.hard)
    return torch.stack(spikes), torch.stack(membranes)


def native_backward(
    u: Tensor, g: Tensor, m: Tensor, theta: Tensor, v0: Tensor, bias: Tensor, leak: float,
    dynamics: Dynamics, gz: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """plain_backward in C++."""
    gtheta, gv0, gbias, gleak = (torch.zeros_like(x) for x in (theta, v0, bias, theta))
    kind = NATIVE.index(dynamics.surrogate.kind)
    native.kernels.fire_back(
        u.flatten(2), _bits(g).flatten(2), m.flatten(1), theta.flatten(), v0.flatten(),
        bias.flatten(1), leak, dynamics.hard, kind, dynamics.surrogate.width,
        _bits(gz).flatten(2), gtheta.flatten(),
        gv0.flatten(), gbias.flatten(1), gleak.flatten(), torch.get_num_threads(),
    )  # fmt: skip
    return gtheta, gv0, gbias, gleak


def plain_backward(
    u: Tensor, g: Tensor, m: Tensor, theta: Tensor, v0: Tensor, bias: Tensor, leak: float,
    dynamics: Dynamics, gz: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of theta, v0, bias and leak, a number per neuron, from those of the spikes
    g [T or 1, B, ...] and of their mean m [B, ...]; that of z is written to gz [T or 1, B, ...]."""
    gz.zero_()
    gtheta, gbias, gleak = (torch.zeros_like(x) for x in (theta, bias, theta))
    gv, slope = torch.zeros_like(u[0]), dynamics.surrogate.slope(u)
    for t in reversed(range(len(u))):
        before = _after(u[t - 1], dynamics.hard) if t else v0.expand(u.shape[1:])
        s = (u[t] >= 1).to(u.dtype)
        go = _at(g, t) + m / len(u)
        gs = theta * go - (gv * u[t] if dynamics.hard else gv)
        gu = (gv * (1 - s) if dynamics.hard else gv) + slope[t] * gs
        dz = gu / theta
        gtheta += (go * s - dz * (u[t] - leak * before)).sum(0)
        gbias[min(t, len(bias) - 1)] += dz.sum(0)
        gleak += (gu * before).sum(0)
        gz[min(t, len(gz) - 1)] += dz
        gv = leak * gu
    return gtheta, gv.sum(0), gbias, gleak


def _after(u: Tensor, hard: bool) -> Tensor:
    """The membrane after the reset."""
    s = (u >= 1).to(u.dtype)
    return u * (1 - s) if hard else u - s


def _at(x: Tensor, t: int) -> Tensor:
    """Step t of x [T, ...], or the one frame of x [1, ...]."""
    return x[min(t, len(x) - 1)]
