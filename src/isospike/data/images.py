"""A set of labelled images, in memory or stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from isospike.data.check import check_images, check_labels, unit_range
from isospike.data.stored import Images, part_of
from isospike.errors import DataError, UsageError

_READ = 1000  # images hashed at a time


@dataclass(frozen=True, eq=False)  # tensors have no single truth value, so no generated ==
class ImageSet:
    """Images [N, C, H, W], uint8 or float32, and labels [N] long or None, in one order. Images that
    are too many for memory are `Stored`: an index reads them (stored.py).

    name    what was asked for (`fashion-sample`, `npz:digits.npz`)
    split   `train` or `test`
    Raises DataError when made from anything else: wrong rank or type, no images, NaN or Inf,
    another number of labels, labels that are not whole numbers from 0.
    """

    name: str
    split: str
    images: Images
    labels: Tensor | None = None

    def __post_init__(self) -> None:
        where = f"{self.name} ({self.split} split)"
        if self.images.dim() != 4 or 0 in self.images.shape:
            shape = list(self.images.shape)
            raise DataError(f"{where}: images must be [N, C, H, W], none of them 0, got {shape}.")
        if isinstance(self.images, Tensor):
            object.__setattr__(self, "images", check_images(self.images, where))
        if self.labels is not None:
            object.__setattr__(self, "labels", check_labels(self.labels, self.n, where))

    @property
    def n(self) -> int:
        return len(self.images)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """(C, H, W) of one image."""
        return tuple(self.images.shape[1:])

    @cached_property
    def sha256(self) -> str:
        """Hash of type, shape and bytes of images and labels; the name does not enter."""
        digest = hashlib.sha256()
        for values in (self.images, self.labels):
            if values is None:
                digest.update(b"none")
                continue
            array = values[:1].cpu().numpy()
            digest.update(f"{array.dtype.str}{list(values.shape)}".encode())
            for start in range(0, len(values), _READ):
                digest.update(values[start : start + _READ].cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def take(self, n: int) -> ImageSet:
        """The first `n` images, all where there are fewer; UsageError for n < 1."""
        if n < 1:
            raise UsageError(f"at least 1 image must be taken, got {n}")
        labels = None if self.labels is None else self.labels[:n]
        return ImageSet(self.name, self.split, part_of(self.images, slice(n)), labels)

    def draw(self, n: int) -> ImageSet:
        """`n` images by a permutation of fixed seed where the set is listed class by class, else as
        `take`: the first `n` of such a list may be of one class."""
        if n < 1 or n >= self.n or not self.by_class:
            return self.take(n)
        assert self.labels is not None
        where = drawn(self.n)[:n]
        return ImageSet(self.name, self.split, part_of(self.images, where), self.labels[where])

    @property
    def by_class(self) -> bool:
        """Do the images of each of several classes stand in one piece?"""
        if self.labels is None:
            return False
        pieces, classes = len(self.labels.unique_consecutive()), len(self.labels.unique())
        return pieces == classes > 1

    @property
    def classes(self) -> int:
        """The largest label and one; DataError without labels."""
        if self.labels is None:
            raise DataError(f"{self.name}: no labels in the {self.split} split")
        return int(self.labels.max()) + 1

    def batches(
        self, size: int, first: int = 0, every: int = 1
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Float32 images [<= size, C, H, W] (uint8 divided by 255) with their labels, in order:
        batches `first`, first + every, ... Raises UsageError for size < 1.
        """
        if size < 1:
            raise UsageError(f"the batch size must be at least 1, got {size}")
        for start in range(first * size, self.n, every * size):
            part = slice(start, start + size)
            labels = None if self.labels is None else self.labels[part]
            yield unit_range(self.images[part]), labels

    def check_classes(self, classes: int) -> None:
        """DataError where a label is not below `classes`, the number of outputs of the model."""
        if self.labels is not None and int(self.labels.max()) >= classes:
            worst = int(self.labels.max())
            raise DataError(
                f"{self.name} ({self.split} split): label {worst} but the model has only {classes} "
                f"outputs (0 to {classes - 1}). Is this the data set it was trained on?"
            )


def drawn(n: int) -> Tensor:
    """The numbers below `n`, in an order that is always the same."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))
