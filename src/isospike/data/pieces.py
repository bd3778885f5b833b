"""Test images as they are measured: in pieces, each process its share, as often as asked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from isospike.data.images import ImageSet
from isospike.data.loader import batches_of
from isospike.processes import check_same, rank, share, together, world

SIZE = 250
Pair = tuple[Tensor, Tensor | None]


class Pieces:
    """Iterates over (images [<= SIZE, ...], labels or None) of this process's share, in order.

    data: see loader.py. shape: of one image that the network takes; like: type and device of the
    images. An ImageSet is read anew each time, never whole; anything else may be a generator, and
    its share is held. DataError as in loader.py, and where processes were given different data.
    """

    def __init__(self, data: Any, shape: tuple[int, ...], like: Tensor) -> None:
        self.data, self.shape, self.like = data, shape, like
        self.held: list[Pair] | None = None
        self.mark = 0
        with together():
            if isinstance(data, ImageSet):
                self._note(data.images[:1], data.labels)
                self._note(data.images[-1:], None)
                self.mark += data.n
            else:
                self.held = list(share(self._cut(batches_of(data, shape))))
        check_same(self.mark, "images")

    def __iter__(self) -> Iterator[Pair]:
        pairs = self._read() if self.held is None else self.held
        for images, labels in pairs:
            yield images.to(self.like.device, self.like.dtype), labels

    def _read(self) -> Iterator[Pair]:
        if rank() * SIZE < self.data.n:  # else this process has no share
            every = self.data.batches(SIZE, rank(), world())
            yield from batches_of(every, self.shape)

    def _cut(self, batches: Iterator[Pair]) -> Iterator[Pair]:
        for images, labels in batches:
            if world() > 1:
                self._note(images, labels)
            parts = images.split(SIZE)
            yield from zip(
                parts, labels.split(SIZE) if labels is not None else [None] * len(parts),
                strict=True,
            )  # fmt: skip

    def _note(self, *tensors: Tensor | None) -> None:
        """A checksum of all that was given, and of its order."""
        for tensor in tensors:
            if tensor is not None:
                self.mark = zlib.crc32(tensor.cpu().contiguous().numpy().data, self.mark)
