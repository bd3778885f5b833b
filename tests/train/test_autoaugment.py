"""The values are Pillow's, the draws are fair and repeatable, and images do not meet."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.pillow import by_pillow
from isospike.errors import DataError, UsageError
from isospike.train.autoaugment import autoaugment
from isospike.train.policies import CIFAR10, OPERATIONS, magnitudes

NEVER = tuple(tuple((name, 0.0, level) for name, _, level in sub) for sub in CIFAR10)
# Blends are in float32: where a compiler fuses multiply and add, the last level may differ.
BLENDS = ("Color", "Contrast", "Sharpness", "Brightness")


def draw(channels: int = 3, batch: int = 4, height: int = 32, width: int = 32, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, channels, height, width)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    images[0] //= 3  # dark
    images[1] = 120 + images[1] // 8  # dull
    return images


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 13, 22)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_pillows_at_every_level(name, shape):
    """Within 1 of 255 for the blends, else exactly."""
    operation = OPERATIONS[name]
    images = draw(shape[0], height=shape[1], width=shape[2])
    signs = [1, -1] if operation.signed else [1]
    for magnitude, sign in product(magnitudes(name, *shape[1:]).tolist(), signs):
        m = sign * magnitude
        ours = operation.apply(images, torch.full((4,), m, dtype=torch.float64))
        theirs = torch.stack([by_pillow(image, (name, m)) for image in images])
        assert ours.dtype == torch.uint8
        assert int((ours.int() - theirs.int()).abs().max()) <= (name in BLENDS), m


@pytest.mark.parametrize("place", range(25))
def test_every_sub_policy_is_pillows_one_after_the_other(place):
    """With probability 1 each image is what Pillow makes with one choice of the two signs."""
    certain = tuple((name, 1.0, level) for name, _, level in CIFAR10[place])
    images = draw()
    changed = autoaugment(images, seeded(place), [certain])
    sizes = [float(magnitudes(name, 32, 32)[level or 0]) for name, _, level in certain]
    free = [(1, -1) if OPERATIONS[name].signed else (1,) for name, _, _ in certain]
    names = [name for name, _, _ in certain]
    for image, ours in zip(images, changed, strict=True):
        gaps = []
        for signs in product(*free):
            moves = [sign * size for sign, size in zip(signs, sizes, strict=True)]
            theirs = by_pillow(image, *zip(names, moves, strict=True))
            gaps.append(float((ours.int() - theirs.int()).abs().double().mean()))
        assert min(gaps) <= (0.1 if set(names) & set(BLENDS) else 0)


@given(st.integers(0, 2**20), st.sampled_from([1, 3]))
def test_floats_and_bytes_go_the_same_way(seed, channels):
    images = draw(channels, batch=8, height=9, width=8, seed=seed)
    whole = autoaugment(images, seeded(seed))
    assert whole.dtype == torch.uint8
    for dtype in (torch.float16, torch.float32, torch.float64):
        floats = autoaugment(images.to(dtype) / 255, seeded(seed))
        assert torch.equal(floats, whole.to(dtype) / 255)
    last = (images.float() / 255).contiguous(memory_format=torch.channels_last)
    assert torch.equal(autoaugment(last, seeded(seed)), whole.float() / 255)


def test_probability_0_is_the_identity_bit_for_bit():
    images = torch.rand(64, 3, 8, 8, generator=seeded())  # not multiples of 1/255
    assert torch.equal(autoaugment(images, seeded(), NEVER), images)


def test_an_image_that_no_operation_meets_keeps_its_bits():
    images = torch.rand(400, 3, 8, 8, generator=seeded())
    rare = [(("Invert", 0.5, None), ("Equalize", 0.0, None))]
    changed = autoaugment(images, seeded(), rare)
    same = (changed == images).flatten(1).all(1)
    assert 150 < int(same.sum()) < 250
    assert (changed[~same] - (1 - images[~same])).abs().max() <= 0.501 / 255


def test_the_same_state_gives_the_same_bits_and_leaves_the_input():
    images = draw(batch=64)
    kept = images.clone()
    first, second = (autoaugment(images, seeded(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(images, kept)
    assert not torch.equal(first, autoaugment(images, seeded(4)))


def test_an_image_does_not_depend_on_the_others():
    images = draw(batch=200, height=8, width=8)
    other = draw(batch=200, height=8, width=8, seed=1)
    other[::2] = images[::2]
    ours, theirs = (autoaugment(batch, seeded()) for batch in (images, other))
    assert torch.equal(ours[::2], theirs[::2])


def test_sub_policies_and_signs_are_drawn_evenly():
    """A dot shifted by (x, y) tells which of 25 sub-policies moved it, and with which signs."""
    size, count = 21, 5000  # one level: 1.06 pixels
    table = [
        (("TranslateX", 1.0, i), ("TranslateY", 1.0, j)) for i in range(1, 6) for j in range(1, 6)
    ]
    images = torch.zeros(1, 1, size, size)
    images[..., size // 2, size // 2] = 1
    moved = autoaugment(images.expand(count, -1, -1, -1), seeded(), table).flatten(1)
    where = moved.argmax(1)
    counts = where.bincount()
    counts = counts[counts > 0].double()
    assert len(counts) == 100
    chi2 = float(((counts - count / 100) ** 2 / (count / 100)).sum())
    assert 61.1 < chi2 < 149.5  # 0.1% and 99.9% at 99 degrees of freedom


def test_probabilities_are_kept():
    images = torch.zeros(20000, 1, 2, 2, dtype=torch.uint8)
    for p in (0.1, 0.7, 1.0):
        changed = autoaugment(images, seeded(), [(("Invert", p, None), ("Invert", 0.0, None))])
        share = float((changed[:, 0, 0, 0] == 255).double().mean())
        assert abs(share - p) <= 4 * (p * (1 - p) / 20000) ** 0.5


@pytest.mark.parametrize(
    ("images", "parts"),
    [
        (torch.zeros(2, 4, 8, 8), ["[B, 1 or 3, H, W], got [2, 4, 8, 8]"]),
        (torch.zeros(3, 8, 8, dtype=torch.int64), ["got [3, 8, 8]", "torch.int64: give uint8"]),
        (torch.full((1, 3, 8, 8), 1.01), ["must lie in [0, 1]: normalise after augmentation"]),
        (torch.full((1, 3, 8, 8), float("nan")), ["must lie in [0, 1]"]),
    ],
)
def test_what_cannot_be_augmented_is_refused(images, parts):
    generator = seeded()
    with pytest.raises(DataError) as caught:
        autoaugment(images, generator)
    assert all(part in str(caught.value) for part in parts)
    assert torch.equal(generator.get_state(), seeded().get_state())


def test_an_unknown_policy_is_refused():
    with pytest.raises(UsageError, match="unknown policy"):
        autoaugment(draw(), seeded(), "imagenet")


def test_no_images_give_no_images():
    assert autoaugment(draw()[:0], seeded()).shape == (0, 3, 32, 32)
