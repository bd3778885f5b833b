"""The kernel against the equations, one number at a time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.units.kernel import scan, wide


def by_hand(drive, v, k, hard, cap):
    spikes = []
    for d in drive:
        v = k * v + d
        s = min(max(int(v // 1), 0), cap)
        v = (0.0 if s else v) if hard else v - s
        spikes.append(float(s))
    return spikes, v


@given(
    st.lists(st.integers(-96, 160), min_size=1, max_size=12),
    st.integers(-32, 64), st.sampled_from([1.0, 0.5, 2.0]), st.booleans(), st.integers(1, 3),
)  # fmt: skip
def test_one_neuron(drive, v, k, hard, cap):
    spikes, last = by_hand([d / 64 for d in drive], v / 64, k, hard, cap)
    found, state = scan(
        torch.tensor(drive)[:, None].double() / 64, torch.tensor([v / 64]).double(), k, hard, cap
    )
    assert found.flatten().tolist() == spikes
    assert state.item() == last


def test_the_spikes_take_the_place_of_the_drive():
    """No second array of T frames: the drive is overwritten, the membrane changed in place."""
    drive, v = torch.ones(3, 2), torch.zeros(2)
    spikes, state = scan(drive, v)
    assert spikes is drive
    assert state is v


@pytest.mark.parametrize(("given_type", "kept"), [
    (torch.float16, torch.float32), (torch.bfloat16, torch.float32),
    (torch.float32, torch.float32), (torch.float64, torch.float64),
])  # fmt: skip
def test_a_membrane_is_float32_or_wider(given_type, kept):
    assert wide(given_type) == kept
