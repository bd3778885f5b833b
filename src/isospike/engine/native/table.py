"""The weights of one layer in the order in which spikes ask for them, in units of its threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.engine.native.trains import Picked
from isospike.engine.segments import Mixed, Window


@dataclass(frozen=True)
class Source:
    """Spikes `picked` of `site`, whose weights stand in the table from `row` on and reach the
    channels start .. end - 1, whole blocks."""

    site: str
    picked: Picked
    window: Window
    row: int
    start: int
    end: int

    @property
    def rows(self) -> int:
        return self.picked.count * self.window.area


def laid_out(
    mixed: Mixed, row: int, channels: int, block: int, signed: Set[str]
) -> Iterator[Source]:
    """The sources that one term is: those that take spikes back once more, with -weight; of a
    grouped convolution each block of channels with the inputs of its groups."""
    padded = -(-channels // block) * block
    inside = mixed.weight.shape[1]
    for minus in (False, True) if mixed.site in signed else (False,):
        parts: dict[tuple[int, int], tuple[int, int]] = {}
        if mixed.groups == 1 or padded == block:
            parts[0, inside * mixed.groups] = 0, padded
        else:
            outside = channels // mixed.groups
            for start in range(0, padded, block):
                last = min(start + block, channels) - 1
                inputs = start // outside * inside, (last // outside + 1) * inside
                parts[inputs] = parts.get(inputs, (start, 0))[0], start + block
        height = 0
        for (first, end), reached in parts.items():
            picked = Picked(mixed.pool, first, end - first, minus)
            source = Source(mixed.site, picked, mixed.window, row, *reached)
            height = max(height, source.rows)
            yield source
        row += height


def weights(mixed: Mixed, source: Source) -> Tensor:
    """[channels reached, channels sent, kh, kw]; zero between groups."""
    end = min(source.end, len(mixed.weight))
    first, count = source.picked.first, source.picked.count
    if mixed.groups == 1:
        return mixed.weight
    inside, outside = mixed.weight.shape[1], len(mixed.weight) // mixed.groups
    found = mixed.weight.new_zeros(end - source.start, count, *source.window.size)
    for group in range(source.start // outside, (end - 1) // outside + 1):
        begin, stop = max(source.start, group * outside), min(end, (group + 1) * outside)
        left = group * inside - first
        part = found[begin - source.start : stop - source.start, left : left + inside]
        part.copy_(mixed.weight[begin:stop])
    return found


def table(
    terms: list[tuple[Mixed, list[Source]]], amplitudes: Mapping[str, Tensor], theta: Tensor,
    block: int, scatter: bool,
) -> Tensor:  # fmt: skip
    """float32 [blocks, rows + 1, block]; the last row is zero. theta [channels], float64."""
    blocks = -(-len(theta) // block)
    rows = max((s.row + s.rows for _, sources in terms for s in sources), default=0)
    whole = torch.zeros(rows + 1, blocks * block)
    order = (1, 2, 3, 0) if scatter else (2, 3, 1, 0)
    for mixed, sources in terms:
        for source in sources:
            first, count = source.picked.first, source.picked.count
            amplitude = amplitudes[source.site][first : first + count].double().view(-1, 1, 1)
            each = (weights(mixed, source) * amplitude).permute(order).flatten(0, 2)
            each = each / theta[source.start : source.end]
            end = source.start + each.shape[1]
            at = whole[source.row : source.row + source.rows, source.start : end]
            at.copy_(-each if source.picked.minus else each)
    return whole.view(rows + 1, blocks, block).transpose(0, 1).contiguous()
