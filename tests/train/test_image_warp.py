"""Laws of the shifts, shears and turns (the values are compared in test_autoaugment)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.train import image_warp as warp

WARPS = [warp.shear_x, warp.shear_y, warp.translate_x, warp.translate_y, warp.rotate]
SEEDS = st.integers(0, 2**20)


def draw(seed: int, height: int = 5, width: int = 7):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 256, (2, 3, height, width), generator=generator, dtype=torch.uint8)


def each(*values: float):
    return torch.tensor(values, dtype=torch.float64)


@given(SEEDS)
def test_nothing_is_the_identity(seed):
    images = draw(seed)
    for move in WARPS:
        assert torch.equal(move(images, each(0.0, 0.0)), images), move.__name__


@given(SEEDS, st.floats(-9, 9), st.sampled_from([(warp.translate_x, 3), (warp.translate_y, 2)]))
def test_translations_move_exactly(seed, pixels, way):
    images = draw(seed)
    move, dim = way
    by, side = int(pixels), images.shape[dim]
    kept = max(side - abs(by), 0)
    moved = move(images, each(pixels, pixels))
    seen = moved.narrow(dim, min(max(by, 0), side), kept)
    assert torch.equal(seen, images.narrow(dim, min(max(-by, 0), side), kept))
    assert int((moved == 0).sum()) == images.numel() // side * (side - kept)


@given(SEEDS, st.floats(-0.3, 0.3))
def test_a_shear_is_a_shift_of_each_line(seed, slope):
    images = draw(seed)
    for image, moved in zip(images, warp.shear_x(images, each(slope, slope)), strict=True):
        for row in range(5):
            by = float(torch.tensor(0.5 + slope * (row + 0.5)).floor())
            line = image[None, :, row : row + 1]
            assert torch.equal(moved[None, :, row : row + 1], warp.translate_x(line, each(-by)))


@given(SEEDS, st.floats(-0.3, 0.3))
def test_the_shears_mirror_each_other(seed, slope):
    images, m = draw(seed), each(slope, -slope)
    assert torch.equal(warp.shear_y(images, m), warp.shear_x(images.mT, m).mT)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_is_counterclockwise_and_exact(turns):
    images = draw(0, height=6, width=6)
    turned = warp.rotate(images, each(90.0 * turns, 90.0 * turns))
    inner = (..., slice(1, -1), slice(1, -1))  # at the border a rounding may fall outside
    assert torch.equal(turned[inner], images.rot90(turns, (2, 3))[inner])


@given(SEEDS, st.floats(-30, 30))
def test_each_image_has_its_own_magnitude(seed, m):
    images = draw(seed)
    for move in WARPS:
        both = move(images, each(m / 100, -m))
        alone = [move(images[:1], each(m / 100)), move(images[1:], each(-m))]
        assert torch.equal(both, torch.cat(alone)), move.__name__
