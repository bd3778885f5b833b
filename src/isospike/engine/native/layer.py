"""A layer of neurons that walks the spikes it receives: weights in units of the threshold, once."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from isospike.engine import native
from isospike.engine.native.matrix import SHARE, WIDE, Matrix, available, cells, suits
from isospike.engine.native.neuron import packed
from isospike.engine.native.table import laid_out, table
from isospike.engine.native.trains import Room, Trains, natural
from isospike.engine.segments import Channelwise, Segment
from isospike.units.binary import IF
from isospike.units.signed import Signed

NARROW = 16  # channels of a layer whose spikes are scattered; of wider ones they are collected


@dataclass
class Layer:
    """`unit` at a site of `shape`, fed by `segment` of trains with these `amplitudes`; those of
    `signed` sites take spikes back."""

    unit: IF | Signed
    shape: tuple[int, ...]
    segment: Segment
    amplitudes: Mapping[str, Tensor]
    signed: Set[str] = frozenset()

    def __post_init__(self) -> None:
        channels = self.shape[0]
        self.theta = self._each(self.unit.theta)
        self.block = _block(channels, max((m.groups for m in self.segment.mixed), default=1))
        self.blocks = -(-channels // self.block)
        windows = [m.window for m in self.segment.mixed]
        narrow = self.block <= NARROW and self.blocks == 1
        self.scatter = narrow and all(w.dilation == (1, 1) for w in windows)
        bias = self.segment.bias
        bias = torch.zeros(channels, dtype=torch.float64) if bias is None else bias
        if self.unit.bias is not None:
            bias = bias + self._each(self.unit.bias)
        self.bias = self._padded(bias / self.theta.double())
        self.nothing = torch.zeros(self.blocks * self.block)
        self.theta_padded = self._padded(self.theta.double(), 1.0)
        self.neuron = packed(self.unit)
        self._make_table()
        self.silent = torch.zeros(self.blocks, 1, self.block)
        self.local = [self._local(each) for each in self.segment.channelwise]
        # The weights are in the table now; of those they came from only the shapes are asked again.
        shapes = [replace(m, weight=m.weight.to("meta")) for m in self.segment.mixed]
        self.segment = replace(self.segment, mixed=tuple(shapes))

    @cached_property
    def matrix(self) -> Matrix:
        """The weights for the matrix unit, made when first asked for."""
        return Matrix.of(self.table, self.sources, self.scatter)

    def suits_matrix(self, trains: Mapping[str, Trains]) -> bool:
        """May `multiply` serve in place of `walk`?"""
        return available() and suits(self.sources, trains, self.shape[0])

    def multiply_is_faster(self, trains: Mapping[str, Trains], frames: int) -> bool:
        """Than `walk`."""
        if self.shape[0] < WIDE or not self.suits_matrix(trains):
            return False
        return self.synops(trains) > SHARE * self.cells * frames

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the mixed weights for one frame."""
        return self.pixels * sum(m.weight.numel() for m in self.segment.mixed)

    @property
    def cells(self) -> int:
        """Multiply-accumulates of the matrix unit for one frame, whole tiles."""
        return self.pixels * cells(self.sources, self.shape[0])

    @property
    def pixels(self) -> int:
        return torch.Size(self.shape[1:]).numel()

    def memory(self, batch: int, room: Room) -> Tensor:
        """For the state: membranes [1, B, H, W, C], and S of a signed neuron. The first step fills
        it."""
        size = torch.Size(
            (2 if isinstance(self.unit, Signed) else 1, batch, *self.size, self.shape[0])
        )
        return room.take(size.numel(), torch.float32).view(size)

    @cached_property
    def v0(self) -> Tensor:
        """[1, H, W, C], or [B, H, W, C] where each image has its own."""
        images = len(self.unit.v0) if self.unit.v0.dim() > len(self.shape) else 1
        v0 = torch.empty(images, *self.size, self.shape[0])
        natural(v0, len(self.shape)).copy_(self.unit.v0)
        return v0

    def synops(self, trains: Mapping[str, Trains]) -> float:
        """Weights that the spikes of `trains` reach, but for the borders."""
        found = 0.0
        for s in self.sources:
            pool, outputs = s.picked.pool, min(s.end, self.shape[0]) - s.start
            spikes = trains[s.site].lists(replace(s.picked, pool=None)).spikes
            found += spikes * s.window.density * (pool.density if pool else 1) * outputs
        return found

    def walk(
        self, trains: Mapping[str, Trains], steady: Tensor | None, frames: Tensor | None,
        state: Tensor, start: int, steps: int, room: Room,
    ) -> Trains:  # fmt: skip
        """Spikes of the steps start+1 .. start+steps; `state` is written over, and begins with v(0)
        where `start` is 0.

        steady [B, H, W, C] in units of theta, frames [T, B, H, W, C] not.
        """
        mixed = [
            (trains[s.site].lists(s.picked).kernel, s.window.numbers, s.row, s.start, s.end)
            for s in self.sources
        ]
        spikes = (self.table, self.bias, mixed, self._beside(trains), None)
        return self._fire(*spikes, steady, frames, state, start, steps, room)

    def multiply(
        self, trains: Mapping[str, Trains], steady: Tensor | None, frames: Tensor | None,
        state: Tensor, start: int, steps: int, room: Room,
    ) -> Trains:  # fmt: skip
        """The same on the matrix unit, at a cost that does not depend on the spikes."""
        spikes = (self.silent, self.bias, [], self._beside(trains), self.matrix.inputs(trains))
        return self._fire(*spikes, steady, frames, state, start, steps, room)

    def fire(
        self, steady: Tensor | None, frames: Tensor | None, state: Tensor, start: int, steps: int,
        room: Room,
    ) -> Trains:  # fmt: skip
        """The same from the whole drive, bias and all but drift, made elsewhere."""
        silence = (self.silent, self.nothing, [], [], None)
        return self._fire(*silence, steady, frames, state, start, steps, room)

    def _beside(self, trains: Mapping[str, Trains]) -> list:
        """What reaches the layer channel by channel."""
        return [
            (trains[each.site].spikes, each.window.numbers, weights)
            for each, weights in zip(self.segment.channelwise, self.local, strict=True)
        ]

    def _fire(
        self, table, bias, mixed, local, matrix, steady, frames, state, start, steps, room
    ) -> Trains:
        v = state[0]
        signed = isinstance(self.unit, Signed)
        out = Trains.empty(
            (steps, *v.shape), self.theta, len(self.shape), room, self.unit.cap, signed
        )
        out.sound = native.kernels.fire(
            out.spikes, v, table, bias, self.theta_padded, self._drift(start, steps), steady,
            frames, mixed, local, self.neuron, None if start else self.v0,
            state[1] if signed else None, self.scatter, matrix, torch.get_num_threads(),
        )  # fmt: skip
        return out

    def _drift(self, start: int, steps: int) -> Tensor | None:
        """[T, padded channels], in units of theta."""
        if self.unit.drift is None:
            return None
        drift = self.unit.steps_of_drift(start, steps).flatten(1).double()
        return self._padded(drift.expand(steps, self.shape[0]) / self.theta.double())

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = [1, 1, *self.shape[1:]][-2:]
        return height, width

    def _each(self, value: Tensor) -> Tensor:
        return value.reshape(-1).expand(self.shape[0]).contiguous()

    def _padded(self, values: Tensor, fill: float = 0.0) -> Tensor:
        """float32 [..., padded channels]"""
        missing = self.blocks * self.block - values.shape[-1]
        return torch.nn.functional.pad(values, (0, missing), value=fill).float().contiguous()

    def _make_table(self) -> None:
        terms, row = [], 0
        for mixed in self.segment.mixed:
            sources = list(laid_out(mixed, row, self.shape[0], self.block, self.signed))
            terms.append((mixed, sources))
            row = max(source.row + source.rows for source in sources)
        self.sources = [source for _, sources in terms for source in sources]
        theta = self.theta.double()
        self.table = table(terms, self.amplitudes, theta, self.block, self.scatter)

    def _local(self, each: Channelwise) -> Tensor:
        amplitude = self.amplitudes[each.site].double().view(-1, 1, 1)
        weight = (each.weight * amplitude).flatten(1).T
        return self._padded(weight / self.theta.double())


def _block(channels: int, groups: int) -> int:
    """Channels that are worked on together: 1, 2 or 4 vectors. A row costs its vectors and a
    little; channels that only fill up the last block cost as much as others, and so do those of
    groups that a spike does not reach."""
    lanes = native.kernels.lanes()

    def cost(block: int) -> float:
        blocks, outside = -(-channels // block), channels / groups
        reached = blocks if groups == 1 else min(blocks, outside / block + 1) * groups
        return reached * (block / lanes + 0.7)

    return min((n * lanes for n in (4, 2, 1)), key=cost)
