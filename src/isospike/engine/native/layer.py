"""A layer of neurons that walks the spikes it receives: weights in units of the threshold, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.engine import native
from isospike.engine.native.trains import Room, Trains
from isospike.engine.segments import Channelwise, Mixed, Segment
from isospike.program import Unit
from isospike.units.binary import IF

NARROW = 16  # channels of a layer whose spikes are scattered; of wider ones they are collected
ROW = 65536  # neurons in a row of a map that a list can tell apart


def serves(unit: Unit, shape: tuple[int, ...]) -> bool:
    """Is there a kernel for a site of `shape` [C] or [C, H, W] with this unit: the plain neuron
    in float32, one threshold and bias per channel or layer?"""
    if not (isinstance(unit, IF) and unit.plain) or len(shape) not in (1, 3):
        return False
    numbers = [t for t in (unit.theta, unit.v0, unit.bias) if t is not None]
    return (
        all(t.dtype == torch.float32 and t.device.type == "cpu" for t in numbers)
        and all(_per_channel(t, shape) for t in (unit.theta, unit.bias) if t is not None)
        and shape[0] * (*shape, 1)[-1 if len(shape) == 1 else 2] <= ROW
    )


def _per_channel(value: Tensor, shape: tuple[int, ...]) -> bool:
    return value.numel() == 1 or tuple(value.shape) == (shape[0], *[1] * (len(shape) - 1))


@dataclass
class Layer:
    """`unit` at a site of `shape`, fed by `segment` of trains with these `amplitudes`."""

    unit: IF
    shape: tuple[int, ...]
    segment: Segment
    amplitudes: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        channels = self.shape[0]
        self.theta = self._each(self.unit.theta)
        rows = sum(m.weight[0].numel() for m in self.segment.mixed)
        self.block = _block(channels)
        self.blocks = -(-channels // self.block)
        windows = [m.window for m in self.segment.mixed]
        self.scatter = self.block <= NARROW and all(w.dilation == (1, 1) for w in windows)
        bias = self.segment.bias
        bias = torch.zeros(channels, dtype=torch.float64) if bias is None else bias
        if self.unit.bias is not None:
            bias = bias + self._each(self.unit.bias)
        self.bias = self._padded(bias / self.theta.double())
        self.nothing = torch.zeros(self.blocks * self.block)
        self.theta_padded = self._padded(self.theta.double(), 1.0)
        self.table = self._table(rows)
        self.silent = torch.zeros(self.blocks, 1, self.block)
        self.local = [self._local(each) for each in self.segment.channelwise]
        # The weights are in the table now; of those they came from only the shapes are asked again.
        shapes = [replace(m, weight=m.weight.to("meta")) for m in self.segment.mixed]
        self.segment = replace(self.segment, mixed=tuple(shapes))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the mixed weights for one frame."""
        return self.pixels * sum(m.weight.numel() for m in self.segment.mixed)

    @property
    def pixels(self) -> int:
        return torch.Size(self.shape[1:]).numel()

    def start(self, batch: int, room: Room) -> Tensor:
        """The membranes [B, H, W, C] before the first step."""
        size = (batch, *self._size)
        v = room.take(torch.Size(size).numel(), torch.float32).view(size)
        natural = v.flatten(1) if len(self.shape) == 1 else v.permute(0, 3, 1, 2)
        natural.copy_(self.unit.v0)
        return v

    def synops(self, trains: Mapping[str, Trains]) -> float:
        """Weights that the spikes of `trains` reach, but for the borders."""
        return sum(
            trains[m.site].lists(m.pool).spikes * m.weight.numel() / m.weight.shape[1]
            / (m.window.stride[0] * m.window.stride[1])
            for m in self.segment.mixed
        )  # fmt: skip

    def walk(
        self, trains: Mapping[str, Trains], steady: Tensor | None, frames: Tensor | None,
        v: Tensor, steps: int, room: Room,
    ) -> Trains:  # fmt: skip
        """Spikes of `steps` steps; v [B, H, W, C] is written over.

        steady [B, H, W, C] in units of theta, frames [T, B, H, W, C] not.
        """
        mixed, row = [], 0
        for each in self.segment.mixed:
            mixed.append((trains[each.site].lists(each.pool).kernel, each.window.numbers, row))
            row += each.weight[0].numel()
        local = [
            (trains[each.site].spikes, each.window.numbers, weights)
            for each, weights in zip(self.segment.channelwise, self.local, strict=True)
        ]
        return self._fire(self.table, self.bias, steady, frames, mixed, local, v, steps, room)

    def fire(
        self, steady: Tensor | None, frames: Tensor | None, v: Tensor, steps: int, room: Room
    ) -> Trains:
        """The same from the whole drive, bias and all, made elsewhere."""
        return self._fire(self.silent, self.nothing, steady, frames, [], [], v, steps, room)

    def _fire(self, table, bias, steady, frames, mixed, local, v: Tensor, steps, room):
        shape = (steps, len(v), *self._size)
        out = Trains.empty(shape, self.theta, len(self.shape) == 1, room)
        native.kernels.fire(
            out.spikes, v, table, bias, self.theta_padded, steady, frames, mixed, local,
            self.unit.reset == "hard", self.scatter, torch.get_num_threads(),
        )  # fmt: skip
        return out

    @property
    def _size(self) -> tuple[int, int, int]:
        channels, height, width = (*self.shape, 1, 1)[:3]
        return height, width, channels

    def _each(self, value: Tensor) -> Tensor:
        return value.reshape(-1).expand(self.shape[0]).contiguous()

    def _padded(self, values: Tensor, fill: float = 0.0) -> Tensor:
        """float32 [..., padded channels]"""
        missing = self.blocks * self.block - values.shape[-1]
        return torch.nn.functional.pad(values, (0, missing), value=fill).float().contiguous()

    def _scaled(self, each: Mixed | Channelwise, weight: Tensor, dim: int) -> Tensor:
        amplitude = self.amplitudes[each.site].double()
        return weight * amplitude.view(-1, *[1] * (weight.dim() - 1 - dim))

    def _table(self, rows: int) -> Tensor:
        """[blocks, rows + 1, block]; the last row is zero."""
        order = (1, 2, 3, 0) if self.scatter else (2, 3, 1, 0)
        parts = [
            self._scaled(m, m.weight, 1).permute(order).flatten(0, 2) for m in self.segment.mixed
        ]
        whole = torch.cat([*parts, torch.zeros(1, self.shape[0], dtype=torch.float64)])
        whole = self._padded(whole / self.theta.double())
        return whole.view(rows + 1, self.blocks, self.block).transpose(0, 1).contiguous()

    def _local(self, each: Channelwise) -> Tensor:
        weight = self._scaled(each, each.weight, 0).flatten(1).T
        return self._padded(weight / self.theta.double())


def _block(channels: int) -> int:
    """Channels that are worked on together: 1, 2 or 4 vectors. A row costs its vectors and a
    little; channels that only fill up the last block cost as much as others."""
    lanes = native.kernels.lanes()
    return min((n * lanes for n in (4, 2, 1)), key=lambda b: -(-channels // b) * (b / lanes + 0.7))
