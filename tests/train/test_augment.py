"""Crops and flips move pixels and make none; cutout blanks a square; nothing else changes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from isospike.errors import DataError, UsageError
from isospike.train.augment import Augment, crop_flip, cutout
from isospike.train.autoaugment import autoaugment
from isospike.train.share import Share


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(0, 3), st.integers(0, 2**20))
def test_every_image_is_a_shift_of_itself_or_of_its_mirror(pad, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(4, 2, 5, 6, generator=generator)
    moved = crop_flip(images, pad, generator)
    assert moved.shape == images.shape
    for before, after in zip(images, moved, strict=True):
        wide = F.pad(torch.stack([before, before.flip(2)]), (pad,) * 4)
        windows = wide.unfold(2, 5, 1).unfold(3, 6, 1).permute(0, 2, 3, 1, 4, 5)
        assert (windows == after).flatten(3).all(3).any()


def test_all_shifts_and_both_sides_come():
    generator = torch.Generator().manual_seed(0)
    image = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3).expand(2000, 1, 3, 3)
    moved = crop_flip(image, 1, generator).flatten(1).unique(dim=0)
    assert len(moved) == 2 * 9


@given(st.integers(0, 3), st.integers(0, 2**20))
def test_without_flips_the_shifts_are_the_same(pad, seed):
    images = torch.rand(8, 2, 5, 6, generator=seeded(seed))
    even = images + images.flip(3)  # a mirror does nothing to these but to their shift
    both, plain = (crop_flip(even, pad, seeded(seed), flip) for flip in (True, False))
    assert ((both == plain) | (both == plain.flip(3))).flatten(1).all(1).all()
    wide = F.pad(images, (pad,) * 4).unfold(2, 5, 1).unfold(3, 6, 1).permute(0, 2, 3, 1, 4, 5)
    moved = crop_flip(images, pad, seeded(seed), False)
    assert (wide == moved[:, None, None]).flatten(3).all(3).flatten(1).any(1).all()


def test_the_draws_of_crop_and_flip_stay_as_they_are():
    """Trained networks are repeated from a seed, so a seed must go on meaning the same."""
    images = torch.arange(24.0).reshape(2, 1, 3, 4)
    assert crop_flip(images, 1, seeded(0)).flatten().tolist() == [
        0,
        7,
        6,
        5,
        0,
        11,
        10,
        9,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        12,
        13,
        14,
        0,
        16,
        17,
        18,
    ]


@given(st.integers(0, 9), st.integers(0, 2**20))
def test_the_hole_is_a_clipped_square(size, seed):
    images = torch.rand(16, 3, 7, 8, generator=seeded(seed)) + 1
    holed = cutout(images, size, seeded(seed))
    hole = holed == 0
    assert torch.equal(holed[~hole], images[~hole])
    assert (hole == hole[:, :1]).all()
    down, across = hole[:, 0].any(2), hole[:, 0].any(1)
    assert torch.equal(hole[:, 0], down[:, :, None] & across[:, None])  # a rectangle
    for line in (*down, *across):
        places = line.nonzero().flatten().tolist()
        assert places == list(range(places[0], places[0] + len(places))) if places else size == 0
        inside = places and places[0] > 0 and places[-1] < len(line) - 1
        assert len(places) == size if inside else len(places) <= size


def test_the_centre_is_uniform():
    holed = cutout(torch.ones(6000, 1, 5, 6), 1, seeded(0))
    counts = (holed == 0).sum(0).flatten().double()
    assert int(counts.sum()) == 6000
    chi2 = float(((counts - 200) ** 2 / 200).sum())
    assert 11.0 < chi2 < 58.3  # 0.1% and 99.9% at 29 degrees of freedom


def test_the_mean_area_is_that_of_all_centres():
    side, size, count = 8, 4, 20000
    lengths = [len(range(max(c - 2, 0), min(c + 2, side))) for c in range(side)]
    expected = (sum(lengths) / side) ** 2
    area = (cutout(torch.ones(count, 1, side, side), size, seeded(0)) == 0).flatten(1).sum(1)
    assert abs(float(area.double().mean()) - expected) < 4 * float(area.double().std()) / count**0.5


@pytest.mark.parametrize(
    "augment", [Augment(), Augment(0, False), Augment(2, True, 3, True), Augment(0, False, 0, True)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_augment_repeats_itself_and_keeps_images_apart(augment, channels):
    images, other = torch.rand(2, 64, channels, 12, 10, generator=seeded(0))
    other[::2] = images[::2]
    kept = images.clone()
    first, second, third = (augment(x, seeded(5)) for x in (images, images, other))
    assert first.shape == images.shape
    assert torch.equal(first, second)
    assert torch.equal(first[::2], third[::2])
    assert torch.equal(images, kept)


@pytest.mark.parametrize("of", [1, 2, 3])
@pytest.mark.parametrize(
    "augment", [Augment(), Augment(0, False), Augment(2, True, 3, True), Augment(0, False, 0, True)]
)
def test_a_share_becomes_what_it_does_in_the_whole_batch(augment, of):
    images, whole = torch.rand(48, 3, 12, 10, generator=seeded(0)), seeded(5)
    expected = augment(images, whole)
    for rank in range(of):
        generator = seeded(5)
        share = augment(images[rank::of], generator, Share(rank, of))
        assert torch.equal(share, expected[rank::of])
        assert torch.equal(generator.get_state(), whole.get_state())  # so the next batch agrees too


def test_nothing_asked_is_the_identity():
    images = torch.rand(4, 3, 8, 8, generator=seeded(0))
    assert torch.equal(Augment(0, False)(images, seeded(0)), images)


def test_the_order_is_crop_flip_autoaugment_cutout():
    images = torch.rand(32, 3, 12, 10, generator=seeded(0))
    by_hand = seeded(7)
    expected = crop_flip(images, 2, by_hand)
    expected = autoaugment(expected, by_hand)
    expected = cutout(expected, 5, by_hand)
    assert torch.equal(Augment(2, True, 5, True)(images, seeded(7)), expected)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match=r"pad must be 0 or more, got -1; cutout must .* got -2"):
        Augment(-1, cutout=-2)
    with pytest.raises(UsageError, match="size must be 0 or more"):
        cutout(torch.ones(1, 1, 4, 4), -1, seeded(0))
    with pytest.raises(DataError, match=r"\[B, C, H, W\]"):
        cutout(torch.ones(1, 4, 4), 2, seeded(0))


def test_half_of_the_images_are_flipped():
    image = torch.tensor([[[[0.0, 1.0]]]]).expand(10000, 1, 1, 2)
    share = float(crop_flip(image, 0, seeded(0))[..., 0].mean())
    assert abs(share - 0.5) <= 4 * 0.5 / 10000**0.5
