"""Input coders: how close a train comes to the image, and whose random numbers it uses."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.errors import DataError
from isospike.units.coders import Bernoulli, Bits, Constant, IFCoder, OnOff

X = (torch.arange(64.0) / 63).reshape(4, 1, 4, 4)


def test_direct_coding_has_no_frames():
    assert Constant().frames(X, 8) is None


@given(st.integers(1, 64), st.sampled_from([0.0, 0.5]))
def test_the_if_coder_is_within_one_spike(steps, v0):
    x = torch.arange(65.0).reshape(5, 13) / 64
    frames = IFCoder(v0).frames(x, steps)
    assert frames.shape == (steps, 5, 13)
    assert ((frames == 0) | (frames == 1)).all()
    assert torch.equal(frames.sum(0), torch.floor(x * steps + v0).clamp(max=steps))


def test_bernoulli_has_its_mean_and_deviation():
    """Mean within 5 sigma at 4,000 steps; sigma = sqrt(x (1 - x) / T)."""
    frames = Bernoulli(seed=1).frames(X, 4000)
    sigma = (X * (1 - X) / 4000).sqrt()
    assert ((frames.mean(0) - X).abs() <= 5 * sigma).all()
    assert frames[:, X == 0].sum() == 0
    assert (frames[:, X == 1] == 1).all()


@pytest.mark.parametrize("coder", [IFCoder(), Bernoulli(seed=2)], ids=str)
@given(steps=st.integers(1, 16))
def test_compensation_puts_the_whole_image_into_the_sum(coder, steps):
    x = torch.arange(32.0).reshape(2, 16) / 32
    plain = coder.frames(x, steps)
    frames = type(coder)(**{**vars(coder), "compensate": True}).frames(x, steps)
    assert torch.equal(frames.sum(0), steps * x)
    assert torch.equal(frames[1:], plain[1:])


def test_bernoulli_leaves_the_global_generator_alone_and_repeats_itself():
    before = torch.random.get_rng_state()
    first, second = (Bernoulli(seed=5).frames(X, 7) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, second)
    assert not torch.equal(first, Bernoulli(seed=6).frames(X, 7))


@pytest.mark.parametrize("coder", [IFCoder(), Bernoulli()], ids=str)
def test_an_image_s_train_does_not_depend_on_its_neighbours(coder):
    together = coder.frames(X, 6)
    alone = torch.cat([coder.frames(X[i : i + 1], 6) for i in range(4)], 1)
    assert torch.equal(together, alone)


@pytest.mark.parametrize("coder", [IFCoder(), Bernoulli()], ids=str)
@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0])
def test_pixels_outside_the_range_are_refused(coder, value):
    with pytest.raises(DataError, match=r"\[0, 1\].*coder=direct"):
        coder.frames(torch.tensor([[0.5, value]]), 4)


@given(st.integers(0, 255), st.integers(1, 3))
def test_bits_of_a_pixel_weigh_their_place(pixel, periods):
    x = torch.tensor([pixel / 256])
    frames = Bits(8).frames(x, 8 * periods)
    assert torch.equal(frames.mean(0), x)
    digits = [int(d) for d in f"{pixel:08b}"]
    assert Bits(8).events(x, 8).flatten().int().tolist() == digits


@given(st.integers(0, 16), st.integers(1, 16))
def test_a_value_is_the_time_between_on_and_off(pixel, steps):
    x = torch.tensor([pixel / 16])
    frames = OnOff().frames(x, steps)
    assert abs(float(frames.mean()) - float(x)) <= 0.5 / steps + 1e-6
    assert (frames.diff(dim=0) <= 0).all()
    assert OnOff().events(x, steps).sum() == (frames[0] > 0).int() + (0 < frames.sum() < steps)
    assert not OnOff().anytime
