"""Encoded images as tensors: every pixel in its place, the crop's laws, damaged bytes."""

import io
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.data.decode import Crop, decode, head
from isospike.errors import DataError, UsageError

image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
SIZES = st.integers(1, 40)


def png(array, mode=None, kind="PNG"):
    file = io.BytesIO()
    picture = image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(file, kind)
    return file.getvalue()


def noise(height, width, *channels):
    return RNG.integers(0, 256, (height, width, *channels), np.uint8)


def test_every_pixel_is_in_its_place_from_bytes_and_from_a_file(tmp_path):
    colour, grey = noise(3, 5, 3), noise(3, 5)
    (tmp_path / "a.png").write_bytes(png(colour))
    for source in (png(colour), tmp_path / "a.png"):
        assert head(source, "a") == (3, 3, 5)
        assert np.array_equal(decode(source, "a", 3), colour.transpose(2, 0, 1))
    assert head(png(grey), "a") == (1, 3, 5)
    assert np.array_equal(decode(png(grey), "a", 1), grey[None])
    assert np.array_equal(decode(png(grey), "a", 3), [grey] * 3)


@given(size=SIZES, extra=st.integers(0, 30), height=SIZES, width=SIZES)
def test_a_crop_lies_inside_in_the_middle_and_is_square(size, extra, height, width):
    left, top, right, bottom = Crop(size, size + extra).box(width, height)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert left == pytest.approx(width - right)
    assert top == pytest.approx(height - bottom)
    assert right - left == pytest.approx(min(width, height) * size / (size + extra))


@given(size=SIZES, extra=st.integers(0, 30), height=SIZES, width=SIZES)
def test_a_crop_of_one_colour_stays_that_colour(size, extra, height, width):
    source = png(np.full((height, width, 3), (9, 80, 255), np.uint8))
    cropped = decode(source, "a", 3, Crop(size, size + extra))
    assert cropped.shape == (3, size, size)
    assert torch.equal(cropped[:, 0, 0], torch.tensor([9, 80, 255], dtype=torch.uint8))
    assert (cropped == cropped[:, :1, :1]).all()


def test_a_crop_of_the_short_sides_own_size_is_the_middle_unchanged():
    wide = noise(4, 10, 3)
    assert np.array_equal(decode(png(wide), "a", 3, Crop(4, 4)), wide[:, 3:7].transpose(2, 0, 1))
    square = noise(6, 6)
    assert np.array_equal(decode(png(square), "a", 1, Crop(6, 6)), square[None])
    assert np.array_equal(decode(png(square), "a", 1, Crop(4, 6)), square[None, 1:5, 1:5])


def test_half_the_size_is_the_mean_of_what_it_covers():
    source = png(np.kron(np.array([[0, 100], [200, 50]], np.uint8), np.ones((8, 8), np.uint8)))
    half = decode(source, "a", 1, Crop(8, 8))[0]
    assert half[1, 1] == 0
    assert half[1, 6] == 100
    assert half[6, 1] == 200


@pytest.mark.parametrize(("size", "short"), [(0, 0), (0, 8), (9, 8)])
def test_a_crop_larger_than_the_image_or_empty_is_a_usage_error(size, short):
    with pytest.raises(UsageError, match=f"cut to {size} of a short side of {short}"):
        Crop(size, short)


def test_other_pixels_and_other_formats_are_refused_by_name():
    for mode in ("CMYK", "RGB", "L"):
        assert head(png(noise(8, 8, 3), mode, "JPEG"), "a")[0] == (1 if mode == "L" else 3)
    for mode in ("P", "LA", "RGBA", "1"):
        assert decode(png(noise(8, 8, 3), mode), "a", 3).shape == (3, 8, 8)
    with pytest.raises(DataError, match=r"there: pixel type I;16; 8 bits"):
        head(png(noise(4, 4).astype(np.uint16)), "there")
    with pytest.raises(DataError, match="there: not a readable PNG or JPEG"):
        head(png(noise(4, 4), kind="BMP"), "there")


def test_an_image_of_too_many_pixels_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", 99)
    for side in (12, 60):  # Pillow itself warns at the first and refuses the second
        with pytest.raises(DataError, match=r"there: not a readable.*exceeds limit of"):
            head(png(noise(side, side)), "there")


WHOLE = {kind: png(noise(9, 9, 3), kind=kind) for kind in ("PNG", "JPEG")}


@given(
    kind=st.sampled_from(sorted(WHOLE)),
    cut=st.integers(0, 300),
    flips=st.lists(st.tuples(st.integers(0, 299), st.integers(0, 255)), max_size=4),
)
def test_damaged_bytes_raise_nothing_but_data_errors(kind, cut, flips):
    content = bytearray(WHOLE[kind])
    for at, value in flips:
        content[at % len(content)] = value
    with suppress(DataError):
        assert decode(bytes(content[: -cut or None]), "there", 3).dim() == 3


@given(content=st.binary(max_size=60))
def test_random_bytes_are_no_image(content):
    with pytest.raises(DataError, match="there: "):
        head(content, "there")
