"""Residual networks: what a block is, the two stems, and names that trained weights rely on."""

import pytest
import torch
from torch import nn

import isospike as iso
from isospike import zoo
from isospike.zoo.resnet import ResNet
from zoo.conversion import clipped, converts, pictures, size
from zoo.tiny import settled


@pytest.mark.parametrize(("width", "channels", "classes"), [(4, 1, 3), (8, 3, 10)])
def test_parameters_follow_from_the_blocks(width, channels, classes):
    """A stage of n blocks of c channels from b: 9 c (b + (2 n - 1) c) + 4 n c, and a shortcut."""
    blocks = (2, 1, 3)
    expected = 9 * channels * width + 2 * width
    before = width
    for stage, n in enumerate(blocks):
        c = width * 2**stage
        expected += 9 * c * (before + (2 * n - 1) * c) + 4 * n * c
        expected += before * c + 2 * c if before != c else 0
        before = c
    expected += (before + 1) * classes
    assert size(ResNet(blocks, width, channels, classes)) == expected


def test_the_activation_stands_after_the_addition():
    net = settled(ResNet((1,), 4, 1))
    x = pictures(2, 4, 6, 6) + 10
    block = net.blocks[0]
    inner = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(x)))))
    assert torch.equal(block(x), torch.relu(inner + x))
    assert isinstance(block.shortcut, nn.Identity)


def test_sides_of_the_stages():
    def sides(imagenet, size):
        x, found = torch.rand(1, 3, size, size), []
        net = ResNet((1, 1, 1, 1), 4, imagenet=imagenet).eval()
        x = net.stem_pool(net.act(net.bn(net.conv(x))))
        for block in net.blocks:
            x = block(x)
            found.append(x.shape[-1])
        return found

    assert sides(False, 32) == [32, 16, 8, 4]
    assert sides(True, 224) == [56, 28, 14, 7]
    assert sides(False, 28) == [28, 14, 7, 4]


def test_the_stem_of_the_imagenet_form():
    net = ResNet((1,), 4, imagenet=True)
    conv, pool = net.conv, net.stem_pool
    assert (conv.kernel_size, conv.stride, conv.padding) == ((7, 7), (2, 2), (3, 3))
    assert isinstance(pool, nn.MaxPool2d)
    assert (pool.kernel_size, pool.stride, pool.padding) == (3, 2, 1)
    assert net.state_dict().keys() == ResNet((1,), 4).state_dict().keys()


@pytest.mark.parametrize("policy", ["gated", "pre-neuron", "average", "exact"])
def test_the_stem_pooling_converts_by_every_policy(policy):
    recipe = iso.recipe("rueckauer", {"pool": policy})
    converts(ResNet((1,), 4, 2, 3, imagenet=True), pictures(2, 2, 16, 16), recipe)


@pytest.mark.parametrize("imagenet", [False, True])
def test_it_converts_with_clip_and_quantisation(imagenet):
    net = ResNet((2, 1, 1), 4, 2, 3, activation=clipped, imagenet=imagenet)
    converts(net, pictures(2, 2, 16, 16), "qcfs")


def test_names_of_the_weights_stay():
    """Bundled weights and files of users rely on them."""
    names = set(ResNet((1, 1)).state_dict())
    norm = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    expected = {"conv.weight", "fc.weight", "fc.bias", "blocks.1.shortcut.0.weight"}
    expected |= {f"blocks.{b}.conv{n}.weight" for b in (0, 1) for n in (1, 2)}
    norms = ["bn", "blocks.1.shortcut.1", *(f"blocks.{b}.bn{n}" for b in (0, 1) for n in (1, 2))]
    assert names == expected | {f"{at}.{leaf}" for at in norms for leaf in norm}


@pytest.mark.parametrize("name", zoo.names())
def test_bundled_weights_load(name):
    assert zoo.load(name)(pictures(1, 1, 28, 28)).shape == (1, 10)
