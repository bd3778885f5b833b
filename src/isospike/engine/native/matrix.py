"""What a layer receives, for the matrix unit: numbers of spikes times weights in three digits.

w = unit (65536 d0 + 256 d1 + d2), digits in [-128, 127], unit a power of two for each channel: to
2^-23 of its largest weight, and exact where w has few bits. Sums are whole numbers and exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isospike.engine import native
from isospike.engine.native.table import Source
from isospike.engine.native.trains import Trains, enabled, pooled
from isospike.engine.segments import Window

CHUNK = 64  # inputs of a tile
BLOCK = 16  # channels of a tile
BITS = 23  # of a weight, beside its sign
# Multiplying all weights is faster than walking those that spikes reach, where these are a larger
# share of all and lead to so many channels that gathering their inputs costs little beside. Not
# measured on the spot: a network answers alike in every process.
SHARE, WIDE = 0.1, 128
INPUTS = 2**17  # of a neuron at most: their sums stay in 32 bits
LARGEST = 127  # spikes in a byte


def available() -> bool:
    """Has this processor a matrix unit (AMX), and were the kernels built for it?"""
    return enabled() and native.kernels.matrix_unit()


@dataclass(frozen=True)
class Matrix:
    """digits int8 [channels / 16, inputs / 64, 3, 16 * 16 * 4] (events.hpp), units [channels], and
    the sources that they belong to."""

    digits: Tensor
    units: Tensor
    sources: tuple[Source, ...]

    @classmethod
    def of(cls, table: Tensor, sources: Sequence[Source], scatter: bool) -> Matrix:
        """From the float table [blocks, rows + 1, block] of the walking kernels."""
        sources = tuple(each for each in sources if not each.picked.minus)
        rows = table.transpose(0, 1).flatten(1)
        parts = [rows[each.row : each.row + each.rows] for each in sources]
        if scatter:  # rows by channel, then by place in the window
            parts = [
                part.unflatten(0, (each.picked.count, -1)).transpose(0, 1).flatten(0, 1)
                for part, each in zip(parts, sources, strict=True)
            ]
        weight = torch.cat(parts)
        weight = F.pad(weight, (0, 0, 0, -len(weight) % CHUNK))
        exponent = torch.frexp(weight.abs().amax(0) * (128 / 127)).exponent
        units = torch.ldexp(torch.ones(weight.shape[1]), exponent - BITS)
        digits = torch.stack(_digits((weight / units).round_().to(torch.int32)))
        shape = (3, -1, CHUNK // 4, 4, weight.shape[1] // BLOCK, BLOCK)
        tiles = digits.view(shape).permute(4, 1, 0, 2, 5, 3)
        return cls(tiles.flatten(3).contiguous(), units, sources)

    def inputs(self, trains: Mapping[str, Trains]) -> tuple:
        """The argument `on_matrix` of the kernel."""
        patches = [(_counts(trains[s.site], s), s.window.numbers) for s in self.sources]
        return self.digits, self.units, patches


def cells(sources: Sequence[Source], channels: int) -> int:
    """Weights in whole tiles."""
    return -(-_inputs(sources) // CHUNK) * CHUNK * -(-channels // BLOCK) * BLOCK


def _inputs(sources: Sequence[Source]) -> int:
    return sum(each.rows for each in sources if not each.picked.minus)


def suits(sources: Sequence[Source], trains: Mapping[str, Trains], channels: int) -> bool:
    """Do all sources reach all channels, and do the sums of their spikes fit into bytes?"""
    return 0 < _inputs(sources) <= INPUTS and all(
        each.start == 0
        and each.end >= channels
        and trains[each.site].cap * (each.picked.pool.area if each.picked.pool else 1) <= LARGEST
        for each in sources
    )


def _digits(whole: Tensor) -> list[Tensor]:
    """Three int8 digits to the base 256, the highest first."""
    found = []
    for _ in range(2):
        low = (whole + 128).bitwise_and_(255).sub_(128)
        found.append(low.to(torch.int8))
        whole = (whole - low).div_(256, rounding_mode="floor")
    return [whole.to(torch.int8), *reversed(found)]


def _counts(trains: Trains, source: Source) -> Tensor:
    """Spikes of the picked channels, pooled: int8 [T, B, H, W, C]."""
    picked = source.picked
    spikes = trains.spikes[..., picked.first : picked.first + picked.count]
    return spikes.contiguous() if picked.pool is None else _pooled(spikes, picked.pool)


def _pooled(spikes: Tensor, window: Window) -> Tensor:
    """Sums over the windows of [T, B, H, W, C]."""
    size = pooled((spikes.shape[2], spikes.shape[3]), window)
    found = spikes.new_empty(*spikes.shape[:2], *size, spikes.shape[4])
    native.kernels.sum(spikes.contiguous(), window.numbers, found, torch.get_num_threads())
    return found
