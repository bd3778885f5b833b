"""Weights in three digits, spikes in bytes: what the matrix unit is given."""

import pytest
import torch
from torch.nn import functional as F

from common.nets import dyadic
from isospike.engine import native
from isospike.engine.native.matrix import BITS, Matrix, suits
from isospike.engine.native.table import Source
from isospike.engine.native.trains import Picked, Room, Trains
from isospike.engine.segments import Window

pytestmark = pytest.mark.skipif(native.kernels is None, reason="no compiler: no native kernels")

THREE = Window((3, 3), padding=(1, 1))


def source(channels, window=THREE, pool=None, minus=False, row=0, end=32):
    return Source("x", Picked(pool, 0, channels, minus), window, row, 0, end)


def table_of(weight):
    """[channels, rows] -> [blocks of 16, rows + 1, 16]"""
    return F.pad(weight.T, (0, 0, 0, 1)).unflatten(1, (-1, 16)).transpose(0, 1).contiguous()


def weights(matrix):
    """[channels, inputs], float64, from the digits."""
    tiles = matrix.digits.double().unflatten(3, (16, 16, 4))  # [block, chunk, digit, r, o, i]
    each = tiles.permute(2, 0, 4, 1, 3, 5).flatten(3).flatten(1, 2).flatten(2)
    whole = (each * torch.tensor([65536.0, 256.0, 1.0]).double().view(3, 1, 1)).sum(0)
    return whole * matrix.units.double()[:, None]


@pytest.mark.parametrize("scale", [1e-20, 1.0, 3e4])
def test_digits_are_the_weights_to_23_bits_of_the_largest(scale):
    weight = torch.randn(32, 9 * 8, generator=torch.Generator().manual_seed(0)) * scale
    weight[3] = 0
    weight[4, 0] = weight[4].abs().max() * 2  # a power of two below: the highest digit is full
    found = weights(Matrix.of(table_of(weight), [source(8)], scatter=False))
    error = (found[:, :72] - weight.double()).abs().amax(1)
    assert (error <= weight.abs().amax(1).double() * 2.0**-BITS * 128 / 127).all()
    assert not found[:, 72:].any()


def test_weights_of_few_bits_are_exact_and_bounds_are_held():
    weight = dyadic(torch.Generator().manual_seed(1), 32, 72)
    weight[:, 0], weight[:, 1] = 127 / 128, -1
    assert torch.equal(
        weights(Matrix.of(table_of(weight), [source(8)], False))[:, :72], weight.double()
    )


def test_a_scattered_table_has_its_rows_in_another_order():
    weight = dyadic(torch.Generator().manual_seed(2), 16, 8, 9)  # by channel, then by place
    matrix = Matrix.of(table_of(weight.flatten(1)), [source(8)], scatter=True)
    assert torch.equal(weights(matrix)[:, :72], weight.transpose(1, 2).flatten(1).double())


def test_spikes_taken_back_need_no_rows_of_their_own():
    weight = dyadic(torch.Generator().manual_seed(3), 16, 72)
    both = torch.cat((weight, -weight), 1)
    sources = [source(8), source(8, minus=True, row=72)]
    found = Matrix.of(table_of(both), sources, False)
    assert found.sources == (sources[0],)
    assert torch.equal(weights(found)[:, :72], weight.double())


@pytest.mark.parametrize("pool", [
    Window((2, 2), (2, 2)), Window((3, 2), (1, 2), (1, 1)), Window((3, 3), (2, 1), (0, 1)),
])  # fmt: skip
def test_pooled_spikes_are_sums_over_windows(pool):
    generator = torch.Generator().manual_seed(4)
    room = Room()
    trains = Trains.empty((2, 3, 7, 6, 5), torch.ones(5), 3, room, signed=True)
    trains.spikes.copy_(torch.randint(-1, 2, trains.spikes.shape, generator=generator))
    matrix = Matrix.of(torch.zeros(1, 46, 16), [source(5, pool=pool)], False)
    sums = matrix.inputs({"x": trains})[2][0][0]
    maps = trains.spikes.double().flatten(0, 1).permute(0, 3, 1, 2)
    wanted = F.avg_pool2d(maps, pool.size, pool.stride, pool.padding, divisor_override=1)
    assert torch.equal(sums.flatten(0, 1).permute(0, 3, 1, 2).double(), wanted)


def test_what_does_not_fit_is_walked():
    trains = {"x": Trains.empty((1, 1, 4, 4, 8), torch.ones(8), 3, Room(), cap=4)}
    assert suits([source(8)], trains, 32)
    assert suits([source(8, pool=Window((2, 2), (2, 2)))], trains, 32)
    assert not suits([], trains, 32)
    assert not suits([source(8, end=16)], trains, 32)  # one block of groups
    assert not suits([source(8, pool=Window((6, 6)))], trains, 32)  # sums above 127
    assert not suits([source(2**15)], trains, 32)  # sums above 31 bits
