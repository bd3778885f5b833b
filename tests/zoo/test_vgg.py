"""VGG: the CIFAR form at every size, the ImageNet form in torchvision's layout, and its pooling."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from isospike import UsageError
from isospike.zoo.vgg import VGG
from zoo.conversion import clipped, converts, pictures, size
from zoo.tiny import settled

THIN = {"width": 4, "hidden": 16, "classes": 3}


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (3, 64)])
def test_parameters_follow_from_the_layers(channels, side):
    """9 b c + c for a convolution from b to c channels, 2 c for its batch norm."""
    widths = [channels, 4, 4, 8, 8, *[16] * 3, *[32] * 6]
    expected = sum(9 * b * c + 3 * c for b, c in pairwise(widths))
    left = 32 * (side // 32 or 1) ** 2
    expected += (left + 1) * 16 + 17 * 16 + 17 * 3
    assert size(VGG(channels=channels, size=side, **THIN)) == expected


@pytest.mark.parametrize("side", [1, 5, 17, 28, 31, 32, 33, 48, 64])
def test_every_size_gives_logits(side):
    assert VGG(size=side, **THIN).eval()(pictures(2, 3, side, side)).shape == (2, 3)


def test_weights_fit_all_sizes_from_17_to_32():
    names = {side: VGG(size=side, **THIN).state_dict() for side in (17, 28, 32)}
    VGG(size=32, **THIN).load_state_dict(names[28])
    VGG(size=28, **THIN).load_state_dict(names[17])


def test_no_pixel_is_lost_at_28():
    """The last row and column of a side of 7 count as much as what they are averaged with."""
    net = settled(VGG(channels=1, size=28, **THIN))
    pools = [m for m in net.features if isinstance(m, nn.AvgPool2d)]
    assert [pool.ceil_mode for pool in pools] == [False, False, True, False, False]
    ones = torch.ones(1, 1, 28, 28)
    for pool in pools:
        ones = pool(ones)
    assert torch.equal(ones, torch.ones(1, 1, 1, 1))
    x = pictures(1, 1, 28, 28).requires_grad_()
    net(x).sum().backward()
    assert x.grad is not None
    assert x.grad[..., -1, :].abs().sum() > 0


@pytest.mark.parametrize("imagenet", [False, True])
def test_it_converts_with_clip_and_quantisation(imagenet):
    side = 32 if imagenet else 28
    net = VGG((1, 2, 1, 1, 1), channels=1, size=side, activation=clipped, imagenet=imagenet, **THIN)
    converts(net, pictures(2, 1, side, side), "qcfs")


@pytest.mark.parametrize("imagenet", [False, True])
def test_max_pooling_on_request(imagenet):
    net = VGG(pool="max", imagenet=imagenet, **THIN)
    kinds = [type(m) for m in net.modules()]
    assert kinds.count(nn.MaxPool2d) == 5
    assert nn.AvgPool2d not in kinds


def test_max_pooling_converts():
    net = VGG((1, 1, 1, 1, 1), pool="max", **THIN)
    plan = converts(net, pictures(2, 3, 32, 32))
    assert sum(node.op == "max_pool" for node in plan.check().nodes) == 5


def test_dropout_stands_behind_every_hidden_activation_and_names_no_weight():
    net, plain = VGG(dropout=0.3, **THIN), VGG(**THIN)
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.3] * 15
    assert net.state_dict().keys() == plain.state_dict().keys()
    net.load_state_dict(plain.state_dict())
    x = pictures(2, 3, 32, 32)
    assert torch.equal(net.eval()(x), plain.eval()(x))
    assert not torch.equal(net.train()(x), net(x))


@pytest.mark.parametrize(("batch_norm", "count"), [(True, 138_365_992), (False, 138_357_544)])
def test_the_imagenet_form_has_the_layout_of_torchvision(batch_norm, count):
    with torch.device("meta"):
        net = VGG(classes=1000, size=224, imagenet=True, batch_norm=batch_norm)
    shapes = {name: tuple(weight.shape) for name, weight in net.state_dict().items()}
    assert size(net) == count
    last = "features.40.weight" if batch_norm else "features.28.weight"
    assert shapes[last] == (512, 512, 3, 3)
    assert [shapes[f"classifier.{n}.weight"] for n in (0, 3, 6)] == [
        (4096, 25_088), (4096, 4096), (1000, 4096),
    ]  # fmt: skip
    assert len(shapes) == 2 * 16 + (5 * 13 if batch_norm else 0)


def test_without_batch_norm_it_converts():
    net = VGG((1, 1, 1, 1, 1), batch_norm=False, imagenet=True, **THIN)
    converts(net, pictures(2, 3, 32, 32))


def test_fresh_weights_keep_the_variance():
    """He's weights: over fan-out 2 / (9 c), so that the signal lives through thirteen layers."""
    torch.manual_seed(0)
    net = VGG(width=32, hidden=16)
    for conv in (m for m in net.modules() if isinstance(m, nn.Conv2d)):
        assert float(conv.weight.detach().var()) * 9 * conv.out_channels == pytest.approx(
            2, rel=0.2
        )
    assert all(not m.bias.any() for m in net.modules() if isinstance(m, nn.Linear))


def test_all_wrong_values_are_told_at_once():
    with pytest.raises(UsageError, match="unknown pool 'min': one of average, max; images of 28 x"):
        VGG(pool="min", size=28, imagenet=True, **THIN)
