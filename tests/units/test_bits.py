"""Ones of codes, counted by bytes, against Python's own count."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.units.bits import bit_sums, byte_ones, pairwise_ones

CODES = st.integers(1, 52).flatmap(
    lambda digits: st.tuples(
        st.just(digits),
        st.lists(st.integers(0, 2**digits - 1), min_size=1, max_size=70),
    )
)


@given(CODES, st.integers(1, 9))
def test_ones_are_summed_over_the_batch(case, neurons):
    """Any width, any number of neurons (bytes are added eight at a time where they can be)."""
    digits, codes = case
    batch = torch.tensor(codes, dtype=torch.float64)[:, None].expand(-1, neurons)
    assert bit_sums(batch, digits).tolist() == [sum(c.bit_count() for c in codes)] * neurons


@pytest.mark.parametrize("digits", [8, 31, 52])
def test_full_trains_of_a_large_batch_do_not_overflow(digits):
    full = torch.full((1000, 2, 4), float(2**digits - 1), dtype=torch.float64)
    assert (bit_sums(full, digits) == 1000 * digits).all()


@pytest.mark.parametrize("digits", [24, 25, 31, 32, 40])
def test_a_full_train_that_float32_rounds_up_counts_in_full(digits):
    full = torch.tensor([[2.0**digits - 1]])
    assert bit_sums(full, digits).tolist() == [digits]


def test_every_device_counts_alike():
    octets = torch.arange(256, dtype=torch.uint8)
    expected = [i.bit_count() for i in range(256)]
    assert byte_ones(octets).tolist() == pairwise_ones(octets).tolist() == expected
