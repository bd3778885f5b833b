"""Laws of the point and histogram operations (the values are compared in test_autoaugment)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.pillow import by_pillow
from isospike.train import image_ops as ops

SEEDS = st.integers(0, 2**20)
ENHANCERS = [ops.brightness, ops.color, ops.contrast, ops.sharpness]


def draw(seed: int, channels: int = 3, batch: int = 3, height: int = 5, width: int = 6):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, channels, height, width)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


@given(SEEDS)
def test_invert_twice_is_the_identity(seed):
    images = draw(seed)
    assert torch.equal(ops.invert(ops.invert(images)), images)


@given(SEEDS)
def test_solarize_goes_from_the_identity_to_invert(seed):
    images = draw(seed)
    everything = ops.solarize(images, torch.zeros(3))
    assert torch.equal(everything, ops.invert(images))
    below = images.clamp(max=254)
    assert torch.equal(ops.solarize(below, torch.full((3,), 255.0)), below)


@given(SEEDS, st.integers(1, 8))
def test_posterize_keeps_as_many_bits(seed, bits):
    images = draw(seed)
    once = ops.posterize(images, torch.full((3,), float(bits)))
    assert torch.equal(ops.posterize(once, torch.full((3,), float(bits))), once)
    assert not (once & (2 ** (8 - bits) - 1)).any()
    assert int((images - once).max()) < 2 ** (8 - bits)


@given(SEEDS, st.sampled_from([1, 3]))
def test_factor_one_is_the_identity(seed, channels):
    images = draw(seed, channels)
    for enhance in ENHANCERS:
        assert torch.equal(enhance(images, torch.ones(3)), images), enhance.__name__


@given(SEEDS, st.floats(0, 2))
def test_color_leaves_grey_images_alone(seed, factor):
    images = draw(seed, channels=1)
    assert torch.equal(ops.color(images, torch.full((3,), factor)), images)


@given(SEEDS)
def test_autocontrast_reaches_both_ends(seed):
    """Up to the rounding, which Pillow has as well."""
    images = ops.autocontrast(draw(seed)).flatten(2)
    assert (images.amin(2) == 0).all()
    assert (images.amax(2) >= 254).all()


def test_histogram_operations_are_pillows_on_every_range():
    generator = torch.Generator().manual_seed(0)
    ends = torch.randint(0, 256, (2, 300, 3, 1, 1), generator=generator)
    low, high = ends.amin(0), ends.amax(0)
    share = torch.rand(300, 3, 20, 21, generator=generator) ** 2
    images = (low + (high - low + 1) * share).clamp(max=255).to(torch.uint8)
    for name, function in (("AutoContrast", ops.autocontrast), ("Equalize", ops.equalize)):
        theirs = torch.stack([by_pillow(image, (name, 0.0)) for image in images])
        assert torch.equal(function(images), theirs), name


@given(SEEDS)
def test_equalize_keeps_the_order_and_levels_the_histogram(seed):
    images = (draw(seed, height=40, width=40) // 4) ** 2 % 64  # crowded, and only the dark quarter
    levelled = ops.equalize(images)
    for before, after in zip(images.flatten(0, 1), levelled.flatten(0, 1), strict=True):
        order = before.flatten().argsort()
        assert (after.flatten()[order].long().diff() >= 0).all()
    assert (levelled.flatten(2).float().mean(2) - 127.5).abs().max() < 40


@pytest.mark.parametrize("flat", [0, 7, 255])
def test_a_channel_of_one_value_stays(flat):
    images = torch.full((2, 3, 20, 20), flat, dtype=torch.uint8)
    assert torch.equal(ops.autocontrast(images), images)
    assert torch.equal(ops.equalize(images), images)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 2), (5, 2), (3, 3)])
def test_sharpness_changes_the_inside_only(shape):
    images = draw(0, height=shape[0], width=shape[1])
    changed = ops.sharpness(images, torch.full((3,), 0.1)) != images
    changed[..., 1:-1, 1:-1] = False
    assert not changed.any()
