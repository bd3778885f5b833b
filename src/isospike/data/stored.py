"""Images that stay where they are stored, and are decoded when they are asked for.

A data set above HELD bytes of pixels is never in memory whole: each batch is decoded anew, in this
process, one image after the other. Order, seeds and values are those of the set held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import torch
from torch import Tensor

from isospike.data.decode import Crop
from isospike.errors import DataError

HELD = 4 << 30  # bytes of decoded pixels up to which a data set is held in memory
_SHOWN = 3

Shape = tuple[int, int, int]  # (C, H, W)
Read = Callable[[int], Tensor]  # number of an image -> uint8 [C, H, W]; DataError that names it


class Stored:
    """[N, C, H, W] uint8, of which an index or a slice reads that part as a tensor."""

    dtype = torch.uint8

    def __init__(self, read: Read, numbers: Sequence[int], sample: Shape) -> None:
        self.read, self.numbers, self.sample = read, numbers, sample

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), *self.sample

    def dim(self) -> int:
        return len(self.shape)

    def part(self, where: slice | Tensor) -> Stored:
        """Some of the images, still unread: a slice, or a tensor [n] of whole numbers."""
        if isinstance(where, slice):
            return Stored(self.read, self.numbers[where], self.sample)
        return Stored(self.read, [self.numbers[at] for at in where.tolist()], self.sample)

    def __getitem__(self, where: slice | Tensor) -> Tensor:
        """Images [n, C, H, W] of a slice, or of a tensor [n] of whole numbers."""
        found = [self.read(number) for number in self.part(where).numbers]
        return torch.stack(found) if found else torch.empty(0, *self.sample, dtype=torch.uint8)


Images = Tensor | Stored


def images_from(read: Read, count: int, sample: Shape) -> Images:
    """In memory up to HELD bytes, else as they are stored."""
    if count * sample[0] * sample[1] * sample[2] > HELD:
        return Stored(read, range(count), sample)
    images = torch.empty(count, *sample, dtype=torch.uint8)
    for number in range(count):
        images[number] = read(number)
    return images


def part_of(images: Images, where: slice | Tensor) -> Images:
    """Some of the images, unread where they are stored."""
    return images.part(where) if isinstance(images, Stored) else images[where]


def beyond_memory(count: int, crop: Crop | None) -> bool:
    """Is it known without reading a header that the images are not held? C is 3 there: to look
    for colour in every header would read the whole set."""
    return crop is not None and count * crop.size * crop.size > HELD


def common_shape(
    heads: Iterable[Shape], names: Callable[[int], str], crop: Crop | None, where: str
) -> Shape:
    """(C, H, W) that all images have once they are cropped: C = 1 where all are grey, else 3.

    DataError that lists images of another size than the first, where no crop makes them equal.
    """
    found = list(heads)
    channels = max(head[0] for head in found)
    if crop is not None:
        return channels, crop.size, crop.size
    _, height, width = found[0]
    odd = [at for at, head in enumerate(found) if head[1:] != (height, width)]
    if odd:
        shown = ", ".join(
            f"{names(at)} is {found[at][2]}x{found[at][1]}" for at in islice(odd, _SHOWN)
        )
        raise DataError(
            f"{where}: {len(odd)} of {len(found)} images differ in size from the first "
            f"({width}x{height}): {shown}. Add @SIZE to the data (as in @224): the short side is "
            "scaled to it, the middle is kept."
        )
    return channels, height, width
