"""Networks of every shape of data: sound, volumes, maps at two scales, tokens, several heads."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import isospike as iso
from common.captured import lived
from isospike.graph.graph import execute
from isospike.graph.ops import Kind
from isospike.graph.rewrite import LIMIT_64


def pictures(*shape: int) -> Tensor:
    return (
        torch.linspace(0, 60, 4 * torch.Size(shape).numel()).sin().add(1).div(2).reshape(4, *shape)
    )


def heartbeat() -> nn.Module:
    """Two leads of an electrocardiogram."""
    return nn.Sequential(
        nn.Conv1d(2, 8, 7, 2, 3), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(8, 8, 5, padding=2, groups=2), nn.BatchNorm1d(8), nn.ReLU6(),
        nn.AdaptiveAvgPool1d(3), nn.Flatten(), nn.Dropout(), nn.Linear(24, 5),
    )  # fmt: skip


def volume() -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d(2),
        nn.ConvTranspose3d(4, 4, 2, 2), nn.BatchNorm3d(4), nn.LeakyReLU(), nn.AvgPool3d(2),
        nn.Flatten(), nn.Linear(64, 3),
    )  # fmt: skip


class UNet(nn.Module):
    def __init__(self, blend: str = "nearest") -> None:
        super().__init__()
        self.first, self.second = self.block(3, 4), self.block(4, 8)
        self.up = nn.ConvTranspose2d(8, 4, 2, 2) if blend == "transposed" else nn.Sequential(
            nn.Upsample(scale_factor=2, mode=blend), nn.Conv2d(8, 4, 1)
        )  # fmt: skip
        self.last, self.head = self.block(8, 4), nn.Conv2d(4, 2, 1)

    @staticmethod
    def block(inside: int, outside: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
        )

    def forward(self, x):
        fine = self.first(x)
        coarse = self.second(F.max_pool2d(fine, 2))
        return self.head(self.last(torch.cat([fine, self.up(coarse)], 1)))


class Mixer(nn.Module):
    """Tokens and channels mixed by turns, with ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 6, 4, 4)
        self.tokens = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
        self.channels = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 6))
        self.norms = nn.ModuleList(nn.BatchNorm1d(6) for _ in range(2))
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = self.patch(x).flatten(2)
        x = x + self.tokens(self.norms[0](x))
        x = x + self.channels(self.norms[1](x).transpose(1, 2)).transpose(1, 2)
        return self.head(x.mean(2))


class Dense(nn.Module):
    """Batch norms before convolutions, on concatenations: nothing absorbs them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(4 + 2 * i) for i in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(4 + 2 * i, 2, 3, padding=1) for i in range(3))
        self.head = nn.Linear(10, 3)

    def forward(self, x):
        features = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        return self.head(torch.cat(features, 1).mean((2, 3)))


class Shuffled(nn.Module):
    """Half of the channels go by, then all are shuffled."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 1), nn.Linear(8, 3)
        self.branch = nn.Sequential(
            nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        )

    def forward(self, x):
        x = F.relu(self.stem(x))
        for _ in range(2):
            left, right = x.chunk(2, 1)
            x = torch.cat([left, self.branch(right)], 1)
            x = x.unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2)
        return self.head(x.mean((2, 3)))


NETS = {
    "sound": (heartbeat, (2, 48), 2),
    "volume": (volume, (1, 4, 4, 8), 3),
    "U-Net": (UNet, (3, 8, 8), 3),
    "U-Net, bilinear": (lambda: UNet("bilinear"), (3, 8, 8), 3),
    "U-Net, transposed": (lambda: UNet("transposed"), (3, 8, 8), 3),
    "mixer": (Mixer, (3, 8, 8), 2),
    "dense": (Dense, (3, 8, 8), 3),
    "shuffle": (Shuffled, (3, 8, 8), 3),
    "perceptron": (
        lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.PReLU(8), nn.Linear(8, 2)),
        (6,), 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "sites"), NETS.values(), ids=NETS)
def test_the_network_converts_and_nears_its_model_with_time(make, shape, sites):
    torch.manual_seed(0)
    model, x = lived(make()), pictures(*shape)
    plan = iso.plan(model, "rueckauer", x, {"threshold": "max", "potential": "half"})
    assert plan.ok, str(plan)
    assert plan.gate is not None
    assert plan.gate.float64 <= LIMIT_64
    assert sum(node.kind is Kind.ACTIVATION for node in plan.check().sites) == sites
    snn = iso.convert(plan, x, steps=4)
    with torch.no_grad():
        expected = model(x)
    errors = [
        float((snn.run(x, [t]).outputs[t] - expected).norm() / expected.norm()) for t in (4, 256)
    ]
    assert errors[1] < errors[0]
    assert errors[1] < 0.1


class Detector(nn.Module):
    """A pyramid of two levels, each with boxes and scores."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleList([nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)])
        self.side = nn.ModuleList(nn.Conv2d(8, 4, 1) for _ in range(2))
        self.tower, self.box, self.score = (nn.Conv2d(4, n, 3, padding=1) for n in (4, 8, 2))

    def forward(self, x):
        fine = F.relu(self.body[0](x))
        coarse = F.relu(self.body[1](fine))
        top = self.side[1](coarse)
        levels = [self.side[0](fine) + F.interpolate(top, size=fine.shape[-2:]), top]
        towers = [F.relu(self.tower(level)) for level in levels]
        return OrderedDict(
            boxes=[self.box(t).flatten(2).transpose(1, 2) for t in towers],
            scores=torch.cat([self.score(t).flatten(2) for t in towers], 2),
        )


def test_a_detector_keeps_the_structure_of_its_answer():
    torch.manual_seed(0)
    model, x = Detector(), pictures(3, 16, 16)
    packed = iso.Packed(model, x)
    plan = iso.plan(packed, "rueckauer", packed.pack(x))
    assert plan.ok, str(plan)
    assert len(plan.check().sites) == 4  # the tower is called at two levels
    with torch.no_grad():
        expected = model(x)
    found = packed.unpack(execute(plan.check(), packed.pack(x)))
    assert list(found) == ["boxes", "scores"]
    assert [box.shape for box in found["boxes"]] == [box.shape for box in expected["boxes"]]
    assert torch.allclose(found["scores"], expected["scores"], atol=1e-5)
    snn = iso.convert(packed, packed.pack(x), steps=2, recipe="rueckauer")
    assert packed.unpack(snn(packed.pack(x)))["scores"].shape == expected["scores"].shape
