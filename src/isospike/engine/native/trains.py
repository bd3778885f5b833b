"""Spike trains as bytes, channels last, and the lists of their spikes (events.hpp)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from isospike.engine import native
from isospike.engine.segments import Window

PADDING = 64  # what a vector load may read behind the last value
SLACK = 16  # the same behind a row of a list


def enabled() -> bool:
    return native.ENABLED and hasattr(native.kernels, "fire")


class Room:
    """Memory that was used before: fresh pages cost more than what is written to them."""

    def __init__(self) -> None:
        self.free: list[tuple[int, Tensor]] = []  # bytes, memory

    def take(self, count: int, dtype: torch.dtype) -> Tensor:
        """[count], its values undefined."""
        size = count * dtype.itemsize
        best, least = -1, 2 * size + 4097
        for i, (bytes_, _) in enumerate(self.free):
            if size <= bytes_ < least:
                best, least = i, bytes_
        found = torch.empty(size, dtype=torch.uint8) if best < 0 else self.free.pop(best)[1]
        return found[:size].view(dtype)

    def give(self, *tensors: Tensor) -> None:
        """Back, all of each."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            whole = torch.empty(0, dtype=torch.uint8).set_(storage)
            self.free.append((storage.nbytes(), whole))

    def shrink(self, limit: int) -> None:
        """Keep no more than `limit` bytes: those given last."""
        kept = 0
        for i in range(len(self.free) - 1, -1, -1):
            kept += self.free[i][0]
            if kept > limit:
                self.free = self.free[i + 1 :]
                return


KEPT = 2**28  # bytes that a thread keeps from one run to the next


class _Rooms(threading.local):
    def __init__(self) -> None:
        self.room = Room()


_ROOMS = _Rooms()


def kept_room() -> Room:
    """The room of this thread, which outlives a run."""
    return _ROOMS.room


@dataclass(frozen=True)
class Picked:
    """Which spikes a list holds: of `count` channels from `first` on (0: all), pooled, and those
    that are taken back in place of those that are sent."""

    pool: Window | None = None
    first: int = 0
    count: int = 0
    minus: bool = False


@dataclass
class Lists:
    """The kernel's lists, how many spikes are in them, and their memory."""

    kernel: object
    spikes: int
    memory: tuple[Tensor, Tensor]


@dataclass
class Trains:
    """What one site sends in one chunk of time.

    spikes     int8 [T, B, H, W, C], with PADDING bytes behind the last
    amplitude  [C], the weight of one spike
    rank       of the site's value: [C], [C, L] or [C, H, W]
    cap        spikes of one step at most; signed: also taken back
    sound      are the potentials behind them numbers below infinity?
    """

    spikes: Tensor
    amplitude: Tensor
    rank: int
    room: Room
    cap: int = 1
    signed: bool = False
    sound: bool = True
    _lists: dict[Picked, Lists] = field(default_factory=dict)

    @classmethod
    def empty(
        cls, shape: tuple[int, ...], amplitude: Tensor, rank: int, room: Room, cap: int = 1,
        signed: bool = False,
    ) -> Trains:  # fmt: skip
        size = torch.Size(shape).numel()
        whole = room.take(size + PADDING, torch.int8)
        return cls(whole[:size].view(shape), amplitude, rank, room, cap, signed)

    def release(self) -> None:
        """Their memory is free for others."""
        self.release_lists()
        self.room.give(self.spikes)

    def release_lists(self) -> None:
        """The memory of the lists alone."""
        self.room.give(*(t for each in self._lists.values() for t in each.memory))
        self._lists.clear()

    @cached_property
    def floats(self) -> Tensor:
        """Weighted spikes [T * B, ...], in channels-last order."""
        return self._natural((self.spikes.to(self.amplitude.dtype) * self.amplitude).flatten(0, 1))

    def total(self, first: int, last: int) -> Tensor:
        """Weighted spikes of the steps first+1 .. last [B, ...]."""
        part = self.spikes[first:last]
        if self.signed:
            sums = part.sum(0, dtype=torch.int32)
        else:
            sums = _counts(part.flatten(1)).view(part.shape[1:])
        return self._natural(sums.to(self.amplitude.dtype) * self.amplitude)

    def counts(self, first: int, last: int) -> Tensor:
        """Spikes of each neuron [...], of either sign, over the batch in the steps first+1 .. last,
        int64."""
        part = self.spikes[first:last].flatten(0, 1)
        return self._natural(_counts(part.flatten(1)).view(1, *part.shape[1:]))[0]

    def lists(self, picked: Picked = Picked()) -> Lists:
        """Made when first asked for."""
        if picked not in self._lists:
            self._lists[picked] = self._walk(picked) if picked.pool is None else self._pool(picked)
        return self._lists[picked]

    @cached_property
    def most(self) -> int:
        """Spikes of one neuron and step at most."""
        if self.cap == 1 or not self.spikes.numel():
            return 1
        return max(1, *(abs(int(x)) for x in self.spikes.aminmax()))

    def _natural(self, x: Tensor) -> Tensor:
        return natural(x, self.rank)

    def _walk(self, picked: Picked) -> Lists:
        height, width, channels = self.spikes.shape[2:]
        lists, memory = self._space((height, width), picked.count or channels, self.most)
        behind = self.spikes.as_strided((self.spikes.numel() + PADDING,), (1,))
        threads = torch.get_num_threads()
        spikes = native.kernels.list(behind, channels, picked.first, picked.minus, lists, threads)
        return Lists(lists, spikes, memory)

    def _pool(self, picked: Picked) -> Lists:
        pool = picked.pool
        assert pool is not None
        height, width, channels = self.spikes.shape[2:]
        size = pooled((height, width), pool)
        lists, memory = self._space(size, picked.count or channels, pool.area * self.most)
        unpooled = self.lists(replace(picked, pool=None)).kernel
        spikes = native.kernels.pool(unpooled, pool.numbers, lists, torch.get_num_threads())
        return Lists(lists, spikes, memory)

    def _space(self, size: tuple[int, int], channels: int, most: int):
        """Lists with room for `most` spikes of each neuron of a map."""
        frames, (height, width) = self.spikes.shape[0] * self.spikes.shape[1], size
        entries = self.room.take(frames * room(size, channels, most) + PADDING, torch.uint16)
        offsets = self.room.take(frames * height * (width + 1), torch.int32)
        offsets = offsets.view(frames, height, width + 1)
        lists = native.kernels.Lists(entries, offsets, channels, most)
        return lists, (entries, offsets)


def _counts(trains: Tensor) -> Tensor:
    """Spikes [N] of trains [frames, N], of either sign, int64."""
    found = torch.zeros(trains.shape[1], dtype=torch.int64)
    native.kernels.count(trains, found, torch.get_num_threads())
    return found


def room(size: tuple[int, int], channels: int, most: int) -> int:
    """Entries that the lists of one frame may need."""
    height, width = size
    return height * (width * channels * most + SLACK)


def natural(x: Tensor, rank: int) -> Tensor:
    """[n, H, W, C] -> [n, C, H, W], or [n, C, L] or [n, C] of a site of that rank."""
    return x.permute(0, 3, 1, 2).flatten(1, 4 - rank)


def pooled(size: tuple[int, int], window: Window) -> tuple[int, int]:
    """Height and width behind a window."""
    high, wide = (
        (inside + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for inside, kernel, stride, padding, dilation in zip(
            size, window.size, window.stride, window.padding, window.dilation, strict=True
        )
    )
    return high, wide
