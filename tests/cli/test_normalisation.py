"""The normalisation of a network in training: given, of the weights, or of the images."""

from pathlib import Path

import pytest
import torch
from torch import nn

from isospike.cli.normalisation import chosen, of_images, of_weights
from isospike.cli.source import parse_normalize
from isospike.data.images import ImageSet
from isospike.data.spec import load
from isospike.errors import UsageError
from isospike.zoo.normalize import Normalize


@pytest.mark.parametrize("spread", [1.0, 0.3, 0.02, 1e-3, 2e-5])
def test_normalised_channels_have_mean_0_and_deviation_1(spread):
    noise = torch.rand(64, 2, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5
    x = 0.5 + noise * spread
    x[:, 1] = 0.7  # a constant one is not scaled
    y = parse_normalize(of_images(ImageSet("task", "train", x)))(x).double()
    assert y.mean((0, 2, 3)).tolist() == pytest.approx([0, 0], abs=0.2)
    assert y.std((0, 2, 3)).tolist() == pytest.approx([1, 0], abs=0.02)


def test_the_normalisation_of_usual_images_has_four_decimals():
    assert of_images(load("fashion-sample", "train")) == "0.2834:0.3537"


@pytest.fixture
def weights():
    """Those of a network behind a normalisation, or of one without."""

    def write(*normal):
        front = [Normalize(*normal)] if normal else []
        net = nn.Sequential(*front, nn.Conv2d(2, 1, 1))
        return net.state_dict()

    return write


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        ([0.286, 0.5], [0.353, 1.0], "0.2860,0.5000:0.3530,1.0000"),
        ([0.485, 0.40625], [0.229, 0.0001234], "0.4850,0.40625:0.2290,0.0001234"),
    ],
)
def test_the_normalisation_of_weights_is_told_whole(weights, mean, std, text):
    assert of_weights(weights(mean, std)) == text
    again = parse_normalize(text)
    assert torch.allclose(again.mean, Normalize(mean, std).mean, rtol=1e-5)
    assert torch.allclose(again.std, Normalize(mean, std).std, rtol=1e-5)
    assert of_weights(weights()) is None


def test_weights_go_on_with_the_normalisation_that_they_were_trained_with(weights):
    data = load("fashion-sample", "train")
    known = (Path("w.safetensors"), weights([0.5, 0.5], [0.25, 0.25]))
    assert chosen(None, *known, data) == "0.5000,0.5000:0.2500,0.2500"
    assert chosen("0.5,0.5:0.25,0.25", *known, data) == "0.5,0.5:0.25,0.25"
    for other in ("0.1,0.1:0.2,0.2", "0.5:0.25"):
        with pytest.raises(UsageError, match=rf"{other}: the weights of .*0\.5000.*leave"):
            chosen(other, *known, None)


def test_what_is_given_stands_before_that_of_the_images(weights):
    data = load("fashion-sample", "train")
    for known in ((None, {}), (Path("w.safetensors"), weights())):
        assert chosen("0.1:0.2", *known, data) == "0.1:0.2"
        assert chosen(None, *known, data) == of_images(data)
        assert chosen(None, *known, None) is None
