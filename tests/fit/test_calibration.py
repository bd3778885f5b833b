"""One canonical order for calibration images, whatever the loader does."""

import random

import pytest
import torch

from common.nets import images
from isospike.errors import DataError
from isospike.fit.calibration import MICRO, Calibration, filled

X = images(150, seed=3)
SHAPE = (2, 4, 4)


def shuffled(seed):
    order = list(range(len(X)))
    random.Random(seed).shuffle(order)
    return X[order]


LOADERS = {
    "one batch": [X],
    "many": list(X.split(7)),
    "with labels": [(batch, torch.zeros(len(batch))) for batch in X.split(64)],
    "shuffled": [shuffled(1)],
    "shuffled, many": list(shuffled(2).split(13)),
    "a tensor": X,
    "doubles": [X.double()],
}


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
def test_order_and_split_change_nothing(loader):
    first = Calibration.collect([X], SHAPE, torch.float32)
    other = Calibration.collect(loader, SHAPE, torch.float32)
    assert torch.equal(first.images, other.images)
    assert first.sha256 == other.sha256


def test_other_images_have_another_hash():
    changed = X.clone()
    changed[17, 0, 0, 0] += 1 / 16
    hashes = {Calibration.collect([x], SHAPE, torch.float32).sha256 for x in (X, changed, X[:149])}
    assert len(hashes) == 3


def test_pieces_are_all_of_one_size():
    """Same kernels and same bits for the last piece: it is filled with repeats."""
    calibration = Calibration.collect([X], SHAPE, torch.float32)
    pieces = list(calibration.pieces())
    assert [len(piece) for piece, _ in pieces] == [MICRO] * 3
    assert [count for _, count in pieces] == [64, 64, 22]
    assert torch.equal(torch.cat([piece[:count] for piece, count in pieces]), calibration.images)
    assert sum(count for _, count in calibration.pieces(limit=70)) == 70


def test_a_full_piece_is_itself():
    piece = images(MICRO)
    assert filled(piece) is piece


@pytest.mark.parametrize(
    "loader", [[], iter(()), [X[:, :1]], [X[0]], [X.flatten(1)], [X * torch.nan]]
)
def test_images_that_do_not_fit_are_refused(loader):
    with pytest.raises(DataError):
        Calibration.collect(loader, SHAPE, torch.float32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_floating_type(dtype):
    assert Calibration.collect([X], SHAPE, dtype).images.dtype == dtype
