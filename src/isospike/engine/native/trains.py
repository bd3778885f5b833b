"""Spike trains as bytes, channels last, and the lists of their spikes (events.hpp)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from isospike.engine import native
from isospike.engine.segments import Window

PADDING = 64  # what a vector load may read behind the last value


def enabled() -> bool:
    return native.ENABLED and hasattr(native.kernels, "fire")


@dataclass
class Lists:
    """The kernel's lists, and how many spikes are in them."""

    kernel: object
    spikes: int


@dataclass
class Trains:
    """What one site sends in one chunk of time.

    spikes     int8 [T, B, H, W, C], with PADDING bytes behind the last
    amplitude  [C], the weight of one spike
    flat       whether the site's value is [C] and not [C, H, W]
    """

    spikes: Tensor
    amplitude: Tensor
    flat: bool
    _lists: dict[Window | None, Lists] = field(default_factory=dict)

    @classmethod
    def empty(cls, shape: tuple[int, ...], amplitude: Tensor, flat: bool) -> Trains:
        size = torch.Size(shape).numel()
        whole = torch.empty(size + PADDING, dtype=torch.int8)
        return cls(whole[:size].view(shape), amplitude, flat)

    @cached_property
    def floats(self) -> Tensor:
        """Weighted spikes [T * B, ...], in channels-last order."""
        return self._natural((self.spikes.to(self.amplitude.dtype) * self.amplitude).flatten(0, 1))

    def total(self, first: int, last: int) -> Tensor:
        """Weighted spikes of the steps first+1 .. last [B, ...]."""
        sums = self.spikes[first:last].sum(0, dtype=torch.int32)
        return self._natural(sums.to(self.amplitude.dtype) * self.amplitude)

    def counts(self, first: int, last: int) -> Tensor:
        """Spikes of each neuron [...] over the batch in the steps first+1 .. last, int64."""
        part = self.spikes[first:last].flatten(0, 1)
        found = torch.zeros(part[0].numel(), dtype=torch.int64)
        native.kernels.count(part.flatten(1), found, torch.get_num_threads())
        return self._natural(found.view(1, *part.shape[1:]))[0]

    def lists(self, pool: Window | None = None) -> Lists:
        """Made when first asked for."""
        if pool not in self._lists:
            self._lists[pool] = self._walk() if pool is None else self._pool(pool)
        return self._lists[pool]

    def _natural(self, x: Tensor) -> Tensor:
        """[n, H, W, C] -> [n, C, H, W], or [n, C] of a flat site."""
        return x.flatten(1) if self.flat else x.permute(0, 3, 1, 2)

    def _walk(self) -> Lists:
        frames, height, width, channels = self.spikes.flatten(0, 1).shape
        lists, offsets = _room(frames, height, width, channels, 1)
        behind = self.spikes.as_strided((self.spikes.numel() + PADDING,), (1,))
        native.kernels.list(behind, lists, torch.get_num_threads())
        return Lists(lists, int(offsets[..., -1].sum()))

    def _pool(self, pool: Window) -> Lists:
        frames, height, width, channels = self.spikes.flatten(0, 1).shape
        high, wide = pooled((height, width), pool)
        lists, offsets = _room(frames, high, wide, channels, pool.area)
        native.kernels.pool(self.lists().kernel, pool.numbers, lists, torch.get_num_threads())
        return Lists(lists, int(offsets[..., -1].sum()))


def pooled(size: tuple[int, int], window: Window) -> tuple[int, int]:
    """Height and width behind a window."""
    high, wide = (
        (inside + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for inside, kernel, stride, padding, dilation in zip(
            size, window.size, window.stride, window.padding, window.dilation, strict=True
        )
    )
    return high, wide


def _room(frames: int, height: int, width: int, channels: int, most: int):
    capacity = width * channels * most
    entries = torch.empty(frames * height * capacity + PADDING, dtype=torch.uint16)
    offsets = torch.empty(frames, height, width + 1, dtype=torch.int32)
    return native.kernels.Lists(entries, offsets, channels, capacity), offsets
