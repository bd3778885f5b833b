"""Which images of the training split train, and which validate.

Both are drawn by one permutation of fixed seed: a data set that is listed class by class gives some
of every class to each, and runs of different seeds share the validation images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from isospike.data.images import ImageSet, drawn
from isospike.errors import DataError
from isospike.train.settings import trained_with

SEEN = "seen"  # why a run's start may have trained on images that validate in it
RULE = "drawn"  # what a run remembers of its split; runs before this rule have none


def split(data: ImageSet, held: int) -> tuple[Tensor, Tensor]:
    """Numbers of the images that train, and of `held` of the training split that validate; of a
    split that is small, at most a fifth. Both in the order in which they were drawn."""
    if data.split != "train":
        raise DataError(f"{data.name}: the {data.split} split never trains: load(SPEC, 'train')")
    if data.labels is None:
        raise DataError(f"{data.name}: no labels in the train split, and training needs them")
    held = at_most(held, data.n)
    if held < 1:
        raise DataError(f"{data.name}: {data.n} images are too few to train and to validate")
    order = drawn(data.n)
    return order[:-held], order[-held:]


def at_most(held: int, n: int) -> int:
    """How many of `n` images validate where `held` are asked for."""
    return min(held, n // 5)


def seen_before(known: Mapping[str, Any], data: ImageSet, held: int) -> str | None:
    """Why the run of these facts may have trained on images that now validate; None where it did
    not, or where its file does not say how it was trained. A run remembers under SEEN what was said
    of the one that it started from. Of two draws from as many images the smaller is part of the
    larger."""
    if "settings" not in known:
        return None
    if (before := known.get(SEEN)) is not None:
        return before
    if known.get("split") != RULE:
        return "other images were kept for validation then, not those drawn now"
    kept, now = trained_with(known["settings"])["validation"], at_most(held, data.n)
    if at_most(kept, data.n) < now:
        return f"{kept} images were kept for validation then, {now} are now"
    images = known.get("data", {})
    count = images.get("images", data.n)
    if images.get("name") == data.name and count != data.n:
        return f"{data.name} had {count} images then, and has {data.n} now"
    return None
