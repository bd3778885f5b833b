"""The table of architectures: known sizes, one activation for each site, and all convert."""

import pytest
import torch
from torch import nn

from isospike import UsageError, zoo
from isospike.zoo.networks import ARCHITECTURES
from zoo.conversion import Counted, converts, pictures, sites, size

# name -> parameters with the default number of classes, activation sites.
# ResNet-20: the 269,722 of identity shortcuts and 2,752 of its two 1x1 ones with batch norm.
KNOWN = {
    "resnet20": (272_474, 19),
    "resnet8x4": (1_227_594, 7),
    "resnet18": (11_173_962, 17),
    "resnet34": (21_282_122, 33),
    "vgg16": (33_646_666, 15),
    "vgg9": (3_512_650, 8),
    "mobilenetv2": (2_236_682, 35),
    "resnet18-imagenet": (11_689_512, 17),
    "resnet34-imagenet": (21_797_672, 33),
    "vgg16-imagenet": (138_365_992, 15),
}
# name -> what makes it thin enough for a test, side of the images; the depth stays.
THIN = {
    "resnet20": ({"width": 4}, 8),
    "resnet8x4": ({"width": 4}, 8),
    "resnet18": ({"width": 4}, 8),
    "resnet34": ({"width": 4}, 8),
    "vgg16": ({"width": 4, "hidden": 16, "size": 20}, 20),
    "vgg9": ({"width": 4, "hidden": 16, "size": 12}, 12),
    "mobilenetv2": ({"width": 0.1}, 8),
    "resnet18-imagenet": ({"width": 4}, 32),
    "resnet34-imagenet": ({"width": 4}, 32),
    "vgg16-imagenet": ({"width": 4, "hidden": 16}, 32),
}


def test_the_tables_are_whole():
    assert list(KNOWN) == list(THIN) == list(ARCHITECTURES)
    assert zoo.architectures() == sorted(KNOWN)
    assert not set(zoo.architectures()) & set(zoo.names())


@pytest.mark.parametrize("name", KNOWN)
def test_parameters_are_the_published_number(name):
    with torch.device("meta"):
        model = zoo.build(name)
    assert size(model) == KNOWN[name][0]


@pytest.mark.parametrize("name", KNOWN)
def test_shapes_at_the_size_of_the_design(name):
    default = ARCHITECTURES[name]
    with torch.device("meta"):
        model = zoo.build(name).eval()
        assert model(torch.rand(2, 3, default.size, default.size)).shape == (2, default.classes)
        grey = zoo.build(name, channels=1, classes=7, size=64).eval()
        assert grey(torch.rand(1, 1, 64, 64)).shape == (1, 7)


@pytest.mark.parametrize("name", THIN)
def test_it_converts_with_one_site_for_each_activation(name):
    """Capturing takes a tenth of a second a site; with ClipQuant each family is tested for itself."""
    options, side = THIN[name]
    factory = Counted(ARCHITECTURES[name].activation)
    model = ARCHITECTURES[name].make(activation=factory, channels=2, classes=3, **options)
    found = sites(converts(model, pictures(2, 2, side, side)))
    assert len(found) == KNOWN[name][1]
    assert sorted(found) == sorted(n for n, m in model.named_modules() if m in factory.made)
    assert len(set(map(id, factory.made))) == len(found)


@pytest.mark.parametrize("name", KNOWN)
def test_the_activation_is_the_one_asked_for(name):
    with torch.device("meta"):
        kinds = {type(m) for m in zoo.build(name, activation=nn.Hardtanh).modules()}
        own = {type(m) for m in zoo.build(name).modules()}
    assert nn.Hardtanh in kinds
    assert not kinds & {nn.ReLU, nn.ReLU6}
    assert own & {nn.ReLU, nn.ReLU6} == {nn.ReLU6 if name == "mobilenetv2" else nn.ReLU}


def test_fresh_weights_come_from_the_seed():
    def made(seed):
        torch.manual_seed(seed)
        return zoo.build("resnet20").state_dict()["fc.weight"]

    assert torch.equal(made(0), made(0))
    assert not torch.equal(made(0), made(1))


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(UsageError, match=r"did you mean 'resnet18'.*one of mobilenetv2, resnet18"):
        zoo.build("resnet81")


def test_all_wrong_values_are_told_at_once():
    with pytest.raises(UsageError, match=r"resnet20: channels.*got 0; classes.*got 1\.5; size"):
        zoo.build("resnet20", channels=0, classes=1.5, size=-1)  # type: ignore[arg-type]


@pytest.mark.parametrize("shared", [nn.ReLU(), nn.Sequential(), "relu"])
def test_a_module_is_no_factory(shared):
    with pytest.raises(UsageError, match="activation must be a function"):
        zoo.build("resnet20", activation=shared)


def test_loading_an_architecture_says_how_to_train_it():
    with pytest.raises(UsageError, match=r"untrained.*isospike train --model zoo:vgg16"):
        zoo.load("vgg16")
    with pytest.raises(UsageError, match="unknown network 'gone': one of fashion"):
        zoo.load("gone")
