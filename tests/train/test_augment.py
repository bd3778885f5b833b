"""Crops and flips move pixels and make none."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from isospike.train.augment import crop_flip


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
