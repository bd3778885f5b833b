"""Which images of the training split train, and which validate.

Both are drawn by one permutation of fixed seed: a data set that is listed class by class gives some
of every class to each, and runs of different seeds share the validation images.
"""

from __future__ import annotations

from torch import Tensor

from isospike.data.images import ImageSet, drawn
from isospike.data.stored import Images, part_of
from isospike.errors import DataError

RULE = "drawn"  # what a run remembers of its split; runs before this rule have none


def split(data: ImageSet, held: int) -> tuple[tuple[Images, Tensor], tuple[Tensor, Tensor]]:
    """(images, labels) that train, and `held` of the training split that validate; of a split that
    is small, at most a fifth. Both in the order in which they were drawn, the latter in memory in
    any case."""
    if data.split != "train":
        raise DataError(f"{data.name}: the {data.split} split never trains: load(SPEC, 'train')")
    if data.labels is None:
        raise DataError(f"{data.name}: no labels in the train split, and training needs them")
    held = min(held, data.n // 5)
    if held < 1:
        raise DataError(f"{data.name}: {data.n} images are too few to train and to validate")
    order = drawn(data.n)
    train, kept = order[:-held], order[-held:]
    images, labels = data.images, data.labels
    return (part_of(images, train), labels[train]), (images[kept], labels[kept])
