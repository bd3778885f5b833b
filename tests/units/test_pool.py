"""Spike-gated pooling by hand."""

import torch

from isospike.units.pool import GatedMaxPool

ROW = {
    "kernel": (1, 2),
    "stride": (1, 2),
    "padding": (0, 0),
    "dilation": (1, 1),
    "ceil_mode": False,
}


def frames(*pairs) -> torch.Tensor:
    """[T, 1, 1, 1, 2]"""
    return torch.tensor(pairs, dtype=torch.float32).reshape(len(pairs), 1, 1, 1, 2)


def test_the_input_with_more_spikes_so_far_is_passed():
    """Counts before each choice: 1:0, 1:1 (a tie, the first), 1:2, 2:2 (a tie), 2:3."""
    train = frames((1, 0), (0, 1), (0, 1), (1, 0), (0, 1))
    passed, sums = GatedMaxPool(ROW).scan(train, None)
    assert passed.flatten().tolist() == [1, 0, 1, 1, 1]
    assert sums.flatten().tolist() == [2, 3]


def test_the_sums_decide_in_a_later_chunk_too():
    unit = GatedMaxPool(ROW)
    _, state = unit.scan(frames((0, 1), (0, 1)), None)
    passed, _ = unit.scan(frames((1, 0)), state)
    assert passed.flatten().tolist() == [0]


def test_sums_are_kept_in_float32_or_wider():
    """In bfloat16 a count would stop at 256."""
    train = frames(*[(1, 0)] * 300, (1, 0)).to(torch.bfloat16)
    passed, sums = GatedMaxPool(ROW).scan(train, None)
    assert passed.dtype == torch.bfloat16
    assert sums.dtype == torch.float32
    assert sums.flatten().tolist() == [301, 0]


def test_it_counts_events_and_not_weights():
    unit = GatedMaxPool(ROW)
    assert unit.events(torch.tensor([0.0, 0.25, 2.0])).tolist() == [0, 1, 1]
    assert unit.amplitude == 1
