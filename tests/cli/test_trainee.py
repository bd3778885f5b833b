"""The network that a run starts from, and the one that its weight file gives."""

import re

import pytest
import torch

from isospike.activations import ClipQuant
from isospike.cli import trainee
from isospike.data.images import ImageSet
from isospike.errors import DataError, FormatError
from isospike.train.checkpoint import write_tensors
from isospike.train.settings import Settings

SHAPE = (2, 8, 8)
DATA = ImageSet("made", "train", torch.zeros(20, *SHAPE, dtype=torch.uint8), torch.arange(20) % 5)
FACTS = {
    "model": "zoo:resnet20", "channels": 2, "size": 8, "classes": 5, "activation": "qcfs",
    "levels": 4, "pool": "keep", "normalize": None,
}  # fmt: skip


@pytest.mark.parametrize("activation", ["qcfs", "nq", "soft-lif"])
@pytest.mark.parametrize("before", ["nq", "soft-lif"])
def test_the_noise_of_a_run_is_its_own(tmp_path, before, activation):
    def made(name, init=None):
        return trainee.trainee("zoo:resnet20", Settings(activation=name), DATA, "0,0:1,1", init)[0]

    first = made(before)
    for module in first.modules():
        if isinstance(module, ClipQuant):
            module.sigma.fill_(0.3)
            module.mu.fill_(0.2)
            module.theta.data.fill_(1.5)
    init = tmp_path / "first.safetensors"
    write_tensors(init, first.state_dict(), {})
    own = made(activation).state_dict()
    for name, part in made(activation, init).state_dict().items():
        if name.endswith((".sigma", ".mu")):
            assert torch.equal(part, own[name])
        if name.endswith(".theta"):
            assert float(part) == 1.5


def test_a_network_that_depends_on_the_size_refuses_images_that_are_not_square():
    data = ImageSet("wide", "train", torch.zeros(20, 1, 28, 32, dtype=torch.uint8), DATA.labels)
    with pytest.raises(DataError, match="vgg9 takes square images, and those of wide are 28 x 32"):
        trainee.trainee("zoo:vgg9", Settings(), data, None, None)
    trainee.trainee("zoo:resnet20", Settings(), data, None, None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"classes": 40_000_000}, r"26\d{8} weights are needed, 1 are there"),
        ({"normalize": "a"}, "--normalize 'a'"),
        ({"model": "zoo:gone"}, "unknown architecture 'gone'"),
        ({"channels": 0}, "channels must be"),
    ],
)
def test_facts_that_do_not_fit_their_weights_are_told_before_a_network_is_made(
    tmp_path, monkeypatch, changes, why
):
    path = tmp_path / "model.safetensors"
    write_tensors(path, {"1.fc.bias": torch.zeros(1)}, {**FACTS, **changes})
    monkeypatch.setattr(trainee, "build", None)
    with pytest.raises(FormatError, match=f"{re.escape(str(path))}: .*{why}"):
        trainee.trained(path)
