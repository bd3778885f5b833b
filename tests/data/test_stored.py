"""Stored images are the images held in memory, read when they are asked for and never sooner."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import isospike as iso
from isospike.data.images import ImageSet
from isospike.data.stored import Stored, common_shape, images_from, part_of
from isospike.errors import DataError
from isospike.train.run import Run
from isospike.train.settings import Settings
from isospike.train.split import split
from train.task import net, task
from zoo.tiny import converted, images, labels

IMAGES, LABELS = task(120)
ENDS = st.none() | st.integers(-130, 130)


class Reader:
    """Counts how often it reads."""

    def __init__(self, whole):
        self.whole, self.seen = whole, []

    def __call__(self, number):
        self.seen.append(number)
        return self.whole[number]


def stored(whole=IMAGES):
    return Stored(Reader(whole), range(len(whole)), tuple(whole.shape[1:]))


@given(ENDS, ENDS, ENDS, ENDS)
def test_a_part_and_a_slice_are_those_of_a_tensor(a, b, c, d):
    one, other = part_of(stored(), slice(a, b)), part_of(IMAGES, slice(a, b))
    assert one.shape == tuple(other.shape)
    assert torch.equal(one[c:d], other[c:d])


@given(st.lists(st.integers(-1, 119), max_size=9))
def test_numbers_choose_images_in_their_order(numbers):
    index = torch.tensor(numbers, dtype=torch.int64)
    assert torch.equal(stored()[index], IMAGES[index])


def test_nothing_is_read_before_it_is_asked_for():
    data = ImageSet("x", "train", stored(), LABELS)
    assert (data.n, data.sample_shape, data.classes) == (120, (1, 8, 8), 2)
    few = data.take(50)
    assert data.images.read.seen == []
    next(few.batches(7))
    assert data.images.read.seen == list(range(7))


def test_a_set_is_the_one_held_in_memory():
    held, other = ImageSet("x", "train", IMAGES, LABELS), ImageSet("x", "train", stored(), LABELS)
    assert other.sha256 == held.sha256
    for one, two in zip(other.batches(50), held.batches(50), strict=True):
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1], two[1])
    for one, two in zip(split(other, 20), split(held, 20), strict=True):
        assert torch.equal(one, two)


def test_training_is_the_same_bytes(tmp_path):
    settings = Settings(activation="qcfs", epochs=1, batch=32, pad=1, average=0.0, validation=20)
    weights = [
        Run(net(), ImageSet("x", "train", part, LABELS), settings, tmp_path / str(at)).go()
        for at, part in enumerate((IMAGES, stored()))
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_an_evaluation_is_the_same_and_reads_in_pieces():
    whole = (images(300) * 16).to(torch.uint8)
    rows = [
        iso.evaluate(converted("opi"), ImageSet("x", "test", part, labels(300)), 4).to_json()
        for part in (whole, stored(whole))
    ]
    assert rows[0] == rows[1]


def test_up_to_the_bound_images_are_held(monkeypatch):
    monkeypatch.setattr("isospike.data.stored.HELD", IMAGES.numel())
    assert torch.equal(images_from(Reader(IMAGES), 120, (1, 8, 8)), IMAGES)
    monkeypatch.setattr("isospike.data.stored.HELD", IMAGES.numel() - 1)
    assert isinstance(images_from(Reader(IMAGES), 120, (1, 8, 8)), Stored)


def test_images_of_other_sizes_are_listed_three_at_most():
    heads = [(1, 4, 8), (3, 4, 8), *[(1, 5, 9)] * 5]
    assert common_shape(heads[:2], str, None, "here") == (3, 4, 8)
    with pytest.raises(
        DataError, match=r"here: 5 of 7 .*\(8x4\): 2 is 9x5, 3 is 9x5, 4 is 9x5\. Add"
    ):
        common_shape(heads, str, None, "here")
