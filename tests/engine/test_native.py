"""The native kernels give the spikes, membranes and counts of plain torch, bit for bit."""

import shutil

import pytest
import torch

from isospike.engine import native
from isospike.units.binary import IF
from isospike.units.radix import Radix, RadixCode

THREADS = [1, 3, 64]  # more than there are blocks of neurons in a small layer

pytestmark = pytest.mark.skipif(
    native.kernels is None and not shutil.which("c++"), reason="no compiler: no native kernels"
)

SHAPES = [(1,), (10,), (3, 5, 7), (16, 28, 28), (64, 9)]


def parameters(shape, seed):
    """theta, v0 and bias of every extent: a number, per channel, per neuron."""
    torch.manual_seed(seed)
    channel = (shape[0], *[1] * (len(shape) - 1))
    for extent in ((), channel, shape):
        yield torch.rand(extent) + 0.5, torch.rand(extent), None
        yield torch.rand(extent) + 0.5, torch.rand(extent), torch.randn(extent) / 10


def test_the_kernels_are_built_where_there_is_a_compiler():
    assert native.kernels is not None


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("scratch", [False, True])
@pytest.mark.parametrize("threads", THREADS)
def test_integrate_and_fire(shape, reset, held, scratch, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    for seed, (theta, v0, bias) in enumerate(parameters(shape, 1)):
        unit = IF(theta, v0, bias, reset=reset)
        z = torch.randn(1 if held else 6, 5, *shape)
        z.view(-1)[::17] = -0.0
        drive = z.expand(6, 5, *shape).clone()
        spikes, membrane = unit.scan(drive, None)
        assert native.serves(unit, z), seed
        v = unit.start(z[0])
        before = z.clone()
        out, counts = native.scan(unit, z, v, [2, 3, 6], scratch)
        assert torch.equal(out, spikes * theta)
        assert torch.equal(v, membrane)
        pieces = [spikes[:2], spikes[2:3], spikes[3:]]
        assert torch.equal(counts, torch.stack([p.sum((0, 1)) for p in pieces]).long())
        assert torch.equal(z, before) != (scratch and not held)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("threads", THREADS)
def test_count(shape, reset, held, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    for seed, (theta, v0, bias) in enumerate(parameters(shape, 2)):
        unit = IF(theta, v0, bias, reset=reset)
        z = torch.randn(1 if held else 6, 5, *shape)
        expected = unit.scan(z.expand(6, 5, *shape).clone(), None)[0].sum(0)
        assert torch.equal(native.count(unit, z, 6), expected), seed


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("k", [1.0, 2.0])
@pytest.mark.parametrize("extra", [0, 2])
@pytest.mark.parametrize("steps", [1, 4, 8, 23, 28, 32, 50])
def test_radix_codes(shape, k, extra, steps):
    code = RadixCode(k, extra)
    for theta, v0, bias in parameters(shape, steps):
        unit = Radix(theta, v0, code, bias)
        gain = code.gain(steps)
        z = torch.randn(5, *shape) * gain  # silent, between, and full
        assert native.serves(unit, z)
        codes, spikes = code.tally(unit.total(z, gain), v0, steps)
        out, counts = native.encode(unit, z, gain, steps)
        assert torch.equal(out, codes * theta)
        assert torch.equal(counts, spikes.long())
        uncounted, none = native.encode(unit, z, gain, steps, tally=False)
        assert torch.equal(uncounted, out)
        assert none is None
        again = z.clone()
        assert (
            native.encode(unit, again, gain, steps, scratch=True)[0].data_ptr() == again.data_ptr()
        )
        assert torch.equal(again, out)


@pytest.mark.parametrize("k", [1.0, 2.0])
def test_a_drive_that_is_no_number_spikes_never(k):
    unit = Radix(torch.tensor(1.0), torch.tensor(0.5), RadixCode(k))
    out, counts = native.encode(unit, torch.full((3, 2), float("nan")), 1.0, 8)
    assert out.isnan().all()
    assert (counts == 0).all()


def test_what_has_no_kernel_is_left_to_torch():
    number = torch.tensor(1.0)
    unit, z = IF(number, number / 2), torch.randn(4, 2, 3, 5, 5)
    assert native.serves(unit, z)
    assert not native.serves(unit, z.double())
    assert not native.serves(unit, z.to(torch.bfloat16))
    assert not native.serves(unit, z.flatten(0, 1).to(memory_format=torch.channels_last))
    assert not native.serves(IF(number.double(), number), z)
    assert not native.serves(Radix(number, number, RadixCode(1.5)), z)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"out": torch.zeros(4, 2, 4)}, "z: batch"),
        ({"z": torch.zeros(3, 2, 3)}, "z: one frame"),
        ({"v": torch.zeros(1, 3)}, "v: batch"),
        ({"theta": torch.ones(2)}, "one per channel"),
        ({"bias": torch.ones(4)}, "one per channel"),
        ({"readings": [4, 2]}, "ascending"),
        ({"readings": [2, 3]}, "the last"),
        ({"counts": torch.zeros(1, 3, dtype=torch.int64)}, "counts"),
    ],
)
def test_arrays_of_the_wrong_shape_are_refused(change, message):
    each = torch.ones(3)
    good = {
        "z": torch.zeros(4, 2, 3), "out": torch.zeros(4, 2, 3), "v": torch.zeros(2, 3),
        "theta": each, "bias": each, "amplitude": each, "hard": False, "readings": [2, 4],
        "counts": torch.zeros(2, 3, dtype=torch.int64), "threads": 1,
    }  # fmt: skip
    native.kernels.integrate_and_fire(**good)
    with pytest.raises(ValueError, match=message):
        native.kernels.integrate_and_fire(**good | change)


def test_a_count_wants_a_frame_for_each_step():
    theta = torch.ones(1)
    with pytest.raises(ValueError, match="one frame"):
        native.kernels.count_spikes(
            torch.zeros(4, 2, 3), torch.zeros(2, 3), theta, None, theta, False, 5, 1
        )


def test_the_type_of_an_array_is_never_changed_in_silence():
    each = torch.ones(3)
    with pytest.raises(TypeError):
        native.kernels.radix_encode(
            torch.zeros(2, 3).double(), torch.zeros(2, 3), each, each, each, each, 1.0, 2, 4,
            torch.zeros(3, dtype=torch.int64), 1,
        )  # fmt: skip
