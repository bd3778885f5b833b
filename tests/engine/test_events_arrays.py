"""No kernel of the events engine sees an array of the wrong shape or type."""

import pytest
import torch

from isospike.engine import native
from isospike.engine.native.matrix import available
from isospike.engine.native.trains import PADDING, SLACK

kernels = native.kernels
pytestmark = pytest.mark.skipif(kernels is None, reason="no compiler: no native kernels")

T, B, H, W, C = 2, 3, 4, 5, 2
THREE = [3, 3, 1, 1, 1, 1, 1, 1]
LANES = kernels.lanes() if kernels else 1
ONE = [1, 1, 1, 1, 0, 0, 1, 1]


def lists(frames=T * B, channels=C, most=1, short=0):
    entries = torch.zeros(
        frames * H * (W * channels * max(most, 1) + SLACK) + PADDING - short, dtype=torch.uint16
    )
    offsets = torch.zeros(frames, H, W + 1, dtype=torch.int32)
    return kernels.Lists(entries, offsets, channels, most)


def arguments():
    lanes = kernels.lanes()
    return {
        "out": torch.zeros(T, B, H, W, C, dtype=torch.int8), "v": torch.zeros(B, H, W, C),
        "table": torch.zeros(1, 9 * C + 1, lanes), "bias": torch.zeros(lanes),
        "theta": torch.ones(lanes), "drift": torch.zeros(T, lanes), "steady": torch.zeros(B, H, W, C),
        "frames": torch.zeros(T, B, H, W, C), "mixed": [(lists(), THREE, 0, 0, lanes)],
        "channelwise": [(torch.zeros(T, B, H, W, C, dtype=torch.int8), ONE, torch.zeros(1, lanes))],
        "neuron": kernels.Neuron(), "v0": torch.zeros(1, H, W, C), "sent": None, "scatter": False,
        "on_matrix": None, "threads": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"v": torch.zeros(B, H, W + 1, C)}, "v:"),
        ({"table": torch.zeros(1, 5, 3)}, "1, 2 or 4 vectors"),
        ({"bias": torch.zeros(1)}, "bias, theta"),
        ({"theta": torch.zeros(1)}, "bias, theta"),
        ({"steady": torch.zeros(B, H, W, 1)}, "steady"),
        ({"frames": torch.zeros(T + 1, B, H, W, C)}, "frames"),
        ({"mixed": lambda: [(lists(frames=1), THREE, 0, 0, LANES)]}, "lists: the frames"),
        ({"mixed": lambda: [(lists(), THREE, 1, 0, LANES)]}, "rows that the table"),
        ({"mixed": lambda: [(lists(), THREE, -1, 0, LANES)]}, "rows that the table"),
        ({"mixed": lambda: [(lists(), [9, 9, *THREE[2:]], 0, 0, LANES)]}, "beyond the padding"),
        ({"mixed": lambda: [(lists(), [3, 3, 0, 1, 1, 1, 1, 1], 0, 0, LANES)]}, "from 1 up"),
        ({"mixed": lambda: [(lists(), [3, 3, 1, 1, -1, 1, 1, 1], 0, 0, LANES)]}, "from 0 up"),
        ({"mixed": lambda: [(lists(), [*THREE[:6], 2, 1], 0, 0, LANES)], "scatter": True}, "beyond|holes"),
        ({"drift": torch.zeros(T, LANES + 1)}, "drift"),
        ({"v0": torch.zeros(1, H, W, C + 1)}, "v0"),
        ({"v0": torch.zeros(B - 1, H, W, C)}, "v0"),
        ({"sent": torch.zeros(B, H, W, C)}, "sent"),
        ({"neuron": lambda: kernels.Neuron(paired=True)}, "sent"),
        ({"mixed": lambda: [(lists(), THREE, 0, 0, LANES + 1)]}, "whole blocks"),
        ({"mixed": lambda: [(lists(), THREE, 0, -LANES, LANES)]}, "whole blocks"),
        ({"channelwise": [(torch.zeros(T, B, H, W, 1, dtype=torch.int8), ONE, torch.zeros(1, 1))]},
         "trains: frames and channels"),
        ({"channelwise": [(torch.zeros(T, B, H, W, C, dtype=torch.int8), ONE, torch.zeros(2, 1))]},
         "trains: weights"),
    ],
)  # fmt: skip
def test_arrays_of_the_wrong_shape_are_refused(change, message):
    kernels.fire(**arguments())
    made = {name: value() if callable(value) else value for name, value in change.items()}
    with pytest.raises(ValueError, match=message):
        kernels.fire(**arguments() | made)


def on_matrix(digits=(1, 1, 3, 1024), units=16, window=THREE, frames=T):
    trains = torch.zeros(frames, B, H, W, C, dtype=torch.int8)
    return torch.zeros(digits, dtype=torch.int8), torch.zeros(units), [(trains, window)]


@pytest.mark.skipif(not available(), reason="no matrix unit")
@pytest.mark.parametrize(("change", "message"), [
    ({"digits": (2, 1, 3, 1024)}, "matrix: digits"), ({"digits": (1, 1, 2, 1024)}, "matrix: digits"),
    ({"digits": (1, 1, 3, 1023)}, "matrix: digits"), ({"digits": (1, 0, 3, 1024)}, "without digits"),
    ({"units": 17}, "one unit"), ({"frames": T + 1}, "frames of out"),
    ({"window": [9, 9, *THREE[2:]]}, "beyond the padding"),
])  # fmt: skip
def test_inputs_of_the_matrix_unit_of_the_wrong_shape_are_refused(change, message):
    kernels.fire(**arguments() | {"mixed": [], "on_matrix": on_matrix()})
    with pytest.raises(ValueError, match="in place of mixed"):
        kernels.fire(**arguments() | {"on_matrix": on_matrix()})
    with pytest.raises(ValueError, match=message):
        kernels.fire(**arguments() | {"mixed": [], "on_matrix": on_matrix(**change)})


def test_sums_of_windows_have_the_frames_of_the_trains():
    trains = torch.zeros(T, B, H, W, C, dtype=torch.int8)
    two = [2, 2, 1, 1, 0, 0, 1, 1]
    kernels.sum(trains, two, trains[:, :, 1:, 1:].contiguous(), 1)
    for wrong, message in ((trains[:1], "frames"), (trains, "beyond the padding")):
        with pytest.raises(ValueError, match=message):
            kernels.sum(trains, two, wrong.contiguous(), 1)


def test_the_type_of_an_array_is_never_changed_in_silence():
    for name in ("v", "table", "steady"):
        with pytest.raises(TypeError):
            kernels.fire(**arguments() | {name: arguments()[name].double()})


def test_lists_that_are_too_short_are_refused():
    for wrong in ({"short": 1}, {"most": 0}, {"channels": 65536}):
        with pytest.raises(ValueError, match="lists"):
            lists(**wrong)
    trains = torch.zeros(T * B * H * W * C + PADDING, dtype=torch.int8)
    kernels.list(trains, C, 0, False, lists(), 1)
    with pytest.raises(ValueError, match="trains"):
        kernels.list(trains[:-1], C, 0, False, lists(), 1)
    for channels, first in ((C, 1), (C - 1, 0), (C, -1)):
        with pytest.raises(ValueError, match="channels that the trains do not have"):
            kernels.list(trains, channels, first, False, lists(), 1)
    with pytest.raises(ValueError, match="pooled"):
        kernels.pool(lists(), [2, 2, 1, 1, 1, 1, 1, 1], lists(), 1)
    with pytest.raises(ValueError, match="counts"):
        kernels.count(torch.zeros(2, 3, dtype=torch.int8), torch.zeros(2, dtype=torch.int64), 1)
