"""The compiled noise of training: normal, by torch's seed alone, of any memory order."""

import pytest
import torch

from common.threads import with_threads
from isospike.clip_quant import normal_like
from isospike.engine import native

pytestmark = pytest.mark.skipif(not native.ENABLED, reason="built without a compiler")

N = 1_000_000


def draws(seed=0, n=N, dtype=torch.float32) -> torch.Tensor:
    torch.manual_seed(seed)
    return normal_like(torch.empty(n, dtype=dtype))


def test_the_distribution_is_the_normal_one():
    """Kolmogorov and Smirnov's largest distance, at one in a million."""
    x = draws().double().sort().values
    steps = torch.arange(1, N + 1) / N
    distance = (torch.special.ndtr(x) - steps).abs().max()
    assert float(distance) * N**0.5 < 2.7


@pytest.mark.parametrize(("power", "expected", "variance"), [(1, 0, 1), (2, 1, 2), (4, 3, 96)])
def test_moments(power, expected, variance):
    mean = float(draws(1).double().pow(power).mean())
    assert abs(mean - expected) < 5 * (variance / N) ** 0.5


@pytest.mark.parametrize("lag", [1, 16, 512, 1024])
def test_draws_are_independent_of_those_before(lag):
    x = draws(2).double()
    for one, other in ((x, x), (x.square() - 1, x.square() - 1)):
        product = one[lag:] * other[:-lag]
        assert abs(float(product.mean())) < 5 * float(product.std()) / len(product) ** 0.5


def test_draws_of_one_call_tell_nothing_of_the_next():
    torch.manual_seed(9)
    one, other = (normal_like(torch.empty(N)).double() for _ in range(2))
    for lag in (0, 1, 512):
        product = one[lag:] * other[: N - lag]
        assert abs(float(product.mean())) < 5 / len(product) ** 0.5


def test_the_tail_is_there():
    x = draws(3, 10 * N).abs()
    for bound, share in ((3.0, 2.6998e-3), (4.0, 6.334e-5), (4.5, 6.795e-6)):
        count = int((x > bound).sum())
        assert abs(count - share * 10 * N) < 5 * (share * 10 * N) ** 0.5


def test_they_follow_from_the_seed_and_not_from_the_threads():
    found = [with_threads(n, lambda: draws(4, 5001)) for n in (1, 2, 3)]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], draws(5, 5001))
    assert not torch.equal(found[0], normal_like(found[0]))  # the next draw is another


def test_bfloat16_and_any_memory_order():
    narrow = draws(6, 5001, torch.bfloat16)
    assert torch.equal(narrow, draws(6, 5001).bfloat16())
    image = torch.empty(2, 3, 5, 7).contiguous(memory_format=torch.channels_last)
    torch.manual_seed(7)
    noise = normal_like(image)
    assert noise.stride() == image.stride()
    assert torch.equal(noise.permute(0, 2, 3, 1).flatten(), draws(7, image.numel()))


def test_what_has_no_kernel_is_drawn_by_torch():
    wide = draws(8, 1000, torch.float64)
    torch.manual_seed(8)
    assert torch.equal(wide, torch.empty(1000, dtype=torch.float64).normal_())
