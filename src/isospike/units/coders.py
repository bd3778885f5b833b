"""Input coders: how an image x in [0, 1] becomes T frames.

Constant    x at every step (direct coding): the first affine segment runs once
Bernoulli   s(t) = H(x - u(t)), u uniform: rate coding, standard deviation sqrt(x (1 - x) / T)
IFCoder     v <- v + x, s = H(v - 1), v <- v - s: deterministic, error at most one spike
Bits        the binary digits of x, most significant first, each weighing what its phase says
OnOff       on from the first step, off after T x of them: two events whatever x is
Frames      one frame a step, as a camera gave them

With `compensate`, the remainder E = T x - sum_t s(t) joins the first frame. The first layer is
linear, so this is V_1(0) <- V_1(0) + W_1 E: coding compensation, Li et al. 2023 Algorithm 3, in
the one-shot reading (reconstructed: the paper's text is not public).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.errors import DataError
from isospike.units.kernel import scan
from isospike.units.timed import phase_weight


@dataclass(frozen=True)
class Constant:
    """Direct coding: the same frame at every step."""

    name = "direct"
    anytime, hardware_class = True, "H0"

    def frames(self, x: Tensor, steps: int) -> None:
        return None

    def events(self, x: Tensor, steps: int) -> None:
        """No spikes: a current."""
        return None


class _Rate:
    """A coder whose frames may be read at any T, unless a remainder of one T is in them."""

    compensate = False

    @property
    def anytime(self) -> bool:
        return not self.compensate

    @property
    def hardware_class(self) -> str:
        """A remainder needs the whole train beforehand."""
        return "H4" if self.compensate else "H0"


@dataclass(frozen=True)
class Bernoulli(_Rate):
    """One draw of u [T, C, H, W] from `seed` serves every image, so that an image's answer does
    not depend on its neighbours; the global generator is not touched."""

    seed: int = 0
    compensate: bool = False
    name = "bernoulli"

    def frames(self, x: Tensor, steps: int) -> Tensor:
        """x [B, ...] in [0, 1] -> [T, B, ...]; DataError outside that range."""
        check_unit_range(x)
        generator = torch.Generator().manual_seed(self.seed)
        u = torch.rand(steps, 1, *x.shape[1:], generator=generator).to(x.device, x.dtype)
        return compensated((u < x).to(x.dtype), x) if self.compensate else (u < x).to(x.dtype)

    def events(self, x: Tensor, steps: int) -> Tensor:
        """Spikes [T, B, ...] of the input."""
        return replace(self, compensate=False).frames(x, steps)


@dataclass(frozen=True)
class IFCoder(_Rate):
    """v0 in units of the threshold 1."""

    v0: float = 0.5
    compensate: bool = False
    name = "if"

    def frames(self, x: Tensor, steps: int) -> Tensor:
        """x [B, ...] in [0, 1] -> [T, B, ...]; DataError outside that range."""
        check_unit_range(x)
        drive = x.unsqueeze(0).repeat(steps, *[1] * x.dim())
        spikes, _ = scan(drive, torch.full_like(x, self.v0))
        return compensated(spikes, x) if self.compensate else spikes

    def events(self, x: Tensor, steps: int) -> Tensor:
        """Spikes [T, B, ...] of the input."""
        return replace(self, compensate=False).frames(x, steps)


@dataclass(frozen=True)
class Bits:
    """x rounded down to K binary digits; digit i comes at step i of each period of K steps with
    weight K 2^-i, so that its mean over a period is x (Kim et al. 2018)."""

    period: int = 8
    name = "bits"
    anytime, hardware_class = True, "H3"

    def frames(self, x: Tensor, steps: int) -> Tensor:
        """x [B, ...] in [0, 1] -> [T, B, ...]; DataError outside that range."""
        check_unit_range(x)
        left = (x * 2**self.period).floor_().clamp_(max=2**self.period - 1)
        digits = []
        for i in range(self.period):
            place = 2 ** (self.period - 1 - i)
            digit = torch.div(left, place, rounding_mode="floor")
            left = left - digit * place
            digits.append(digit * phase_weight(i, self.period))
        return torch.stack([digits[t % self.period] for t in range(steps)])

    def events(self, x: Tensor, steps: int) -> Tensor:
        """Spikes [T, B, ...] of the input: its digits that are 1."""
        return (self.frames(x, steps) > 0).to(x.dtype)


@dataclass(frozen=True)
class OnOff:
    """1 for the first round(T x) steps, then 0 (Han & Roy 2020, temporal switch coding): the value
    is the time between two events. It belongs to one T."""

    name = "on-off"
    anytime, hardware_class = False, "H3"

    def frames(self, x: Tensor, steps: int) -> Tensor:
        """x [B, ...] in [0, 1] -> [T, B, ...]; DataError outside that range."""
        check_unit_range(x)
        last = (x * steps).round()
        return torch.stack([(t < last).to(x.dtype) for t in range(steps)])

    def events(self, x: Tensor, steps: int) -> Tensor:
        """Events [T, B, ...] of the input: where it goes on or off."""
        return switches(self.frames(x, steps))


@dataclass(frozen=True)
class Frames:
    """Frames as a camera gives them, one a step: x [B, T, ...], read up to the step asked for."""

    name = "frames"
    anytime, hardware_class = True, "H0"

    def frames(self, x: Tensor, steps: int) -> Tensor:
        """[T, B, ...] of the first `steps` frames; DataError where there are fewer."""
        if x.shape[1] < steps:
            raise DataError(f"{x.shape[1]} frames, and {steps} steps are asked for")
        return x[:, :steps].transpose(0, 1)

    def events(self, x: Tensor, steps: int) -> Tensor:
        """What the camera sent: a pixel of a frame holds how many events it saw."""
        return self.frames(x, steps).abs()


Coder = Constant | Bernoulli | IFCoder | Bits | OnOff | Frames


def switches(frames: Tensor, before: Tensor | None = None) -> Tensor:
    """1 where a train [T, ...] of 0 and 1 differs from the step before; the first from `before`,
    or 0."""
    first = torch.zeros_like(frames[0]) if before is None else before
    return (frames != torch.cat([first[None], frames[:-1]])).to(frames.dtype)


def compensated(spikes: Tensor, x: Tensor) -> Tensor:
    """The train with its remainder added to the first frame."""
    spikes[0] += len(spikes) * x - spikes.sum(0)
    return spikes


def check_unit_range(x: Tensor) -> None:
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 1:
        raise DataError(
            f"a spike coder needs pixels in [0, 1], got [{low:.3g}, {high:.3g}]: put the "
            "normalisation into the network, or use direct coding (coder=direct)"
        )
