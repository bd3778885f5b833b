"""MobileNetV2: the paper's table, its shortcuts, and the strides of the CIFAR form."""

import pytest
import torch
from torch import nn

from isospike.zoo.mobilenet import STAGES, InvertedResidual, MobileNetV2, rounded
from zoo.conversion import clipped, converts, pictures, size
from zoo.tiny import settled


@pytest.mark.parametrize("expansion", [1, 6])
@pytest.mark.parametrize(("inside", "outside"), [(8, 8), (8, 16)])
def test_parameters_of_a_block(inside, outside, expansion):
    hidden = inside * expansion
    up = inside * hidden + 2 * hidden if expansion > 1 else 0
    block = InvertedResidual(inside, outside, 1, expansion, nn.ReLU6)
    assert size(block) == up + 9 * hidden + 2 * hidden + hidden * outside + 2 * outside


@pytest.mark.parametrize("count", [1, 3.2, 8, 11.9, 12, 24 * 0.75, 96 * 1.4, 1280])
def test_channels_are_multiples_of_eight_and_not_much_fewer(count):
    found = rounded(count)
    assert found % 8 == 0
    assert 0.9 * count <= found < count + 8


@pytest.mark.parametrize(("width", "count"), [(1.0, 3_504_872), (0.5, 1_968_680)])
def test_parameters_with_1000_classes_are_the_published_number(width, count):
    """The strides of the CIFAR form change no weight."""
    with torch.device("meta"):
        assert size(MobileNetV2(width, classes=1000)) == count


def test_the_shortcut_is_the_identity_where_the_shape_stays():
    block = settled(InvertedResidual(4, 4, 1, 6, nn.ReLU6))
    x = pictures(2, 4, 5, 5)
    assert torch.equal(block(x), x + block.residual(x))
    for other in (InvertedResidual(4, 8, 1, 6, nn.ReLU6), InvertedResidual(4, 4, 2, 6, nn.ReLU6)):
        assert not other.has_shortcut
        assert torch.equal(other.eval()(x), other.residual(x))
    shortcuts = sum(m.has_shortcut for m in MobileNetV2().blocks)
    assert shortcuts == sum(blocks - 1 for _, _, blocks, _ in STAGES)


def test_sides_of_the_cifar_form():
    net = MobileNetV2(0.1).eval()
    x = net.stem(pictures(1, 3, 32, 32))
    sides = [x.shape[-1]]
    for block in net.blocks:
        x = block(x)
        sides.append(x.shape[-1])
    assert sides == [32] * 4 + [16] * 3 + [8] * 7 + [4] * 4


def test_it_converts_with_clip_and_quantisation():
    stages = tuple((expansion, c, 2, first) for expansion, c, _, first in STAGES[:3])
    net = MobileNetV2(0.1, stages, channels=1, classes=3, activation=clipped)
    converts(net, pictures(2, 1, 7, 7), "qcfs")
