"""Pieces of the test images: every image once, in order, as often as asked."""

import pytest
import torch

from isospike.data.images import ImageSet
from isospike.data.pieces import SIZE, Pieces
from isospike.errors import DataError

IMAGES = torch.arange(2 * SIZE + 20, dtype=torch.float32).reshape(-1, 1, 1, 1) / 1000
LABELS = torch.arange(len(IMAGES)) % 7
KINDS = {
    "a set": lambda: ImageSet("x", "test", IMAGES, LABELS),
    "a generator": lambda: ((IMAGES[i : i + 333], LABELS[i : i + 333]) for i in range(0, 520, 333)),
}


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_every_image_once_and_again(data):
    pieces = Pieces(data(), (1, 1, 1), torch.zeros(0, dtype=torch.float64))
    for _ in range(2):
        images, labels = zip(*pieces, strict=True)
        assert all(len(part) <= SIZE for part in images)
        assert torch.equal(torch.cat(images), IMAGES.double())
        assert torch.equal(torch.cat(labels), LABELS)


def test_without_labels():
    assert [y for _, y in Pieces(IMAGES, (1, 1, 1), torch.zeros(0))] == [None] * 3


def test_images_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"instead of \[B, 2, 1, 1\]"):
        list(Pieces(ImageSet("x", "test", IMAGES), (2, 1, 1), torch.zeros(0)))


def test_shares_are_disjoint_and_whole():
    whole = ImageSet("x", "test", IMAGES, LABELS)
    shares = [list(whole.batches(100, first, 3)) for first in range(3)]
    assert [len(share) for share in shares] == [2, 2, 2]
    order = [shares[i % 3][i // 3][0] for i in range(6)]
    assert torch.equal(torch.cat(order), IMAGES)
