"""The gate: what is converted is the model's function, or it is refused."""

import pytest
import torch
from torch import nn

import isospike.graph.rewrite as rewriting
from isospike.errors import ConversionError
from isospike.graph.graph import execute
from isospike.graph.rewrite import LIMIT_32, LIMIT_64, rewrite
from isospike.zoo.resnet import ResNet

X = torch.linspace(-2, 2, 3 * 2 * 6 * 6).sin().reshape(3, 2, 6, 6)


def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    )


def test_the_graph_of_a_resnet_is_its_function():
    torch.manual_seed(0)
    net = ResNet(blocks=(1, 1, 1), width=4, channels=1).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    x = torch.rand(4, 1, 12, 12)
    graph, gate, notes = rewrite(net, x)
    assert gate.float64 <= LIMIT_64
    assert gate.float32 <= LIMIT_32
    assert (gate.samples, notes) == (4, ())
    assert "scale_shift" not in [node.op for node in graph.nodes]
    assert len(graph.sites) == 7
    with torch.no_grad():
        assert torch.allclose(execute(graph, x), net(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fault", ["weight", "bias"])
def test_a_graph_that_is_another_function_does_not_pass(monkeypatch, fault):
    """One part in 10^10 of one tensor is enough."""

    def spoiled(graph):
        return graph.map_tensors(
            lambda t: t * (1 + 1e-10) if t.dim() == (4 if fault == "weight" else 1) else t
        )

    monkeypatch.setattr(rewriting, "fold", spoiled)
    with pytest.raises(ConversionError, match="not the model's function"):
        rewrite(model(), X)


class Doubling(nn.Module):
    """Makes every difference 1.9 times as large, again and again."""

    def __init__(self, times):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.times = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), times
        self.norm.running_var.fill_(0.7)

    def forward(self, x):
        x = self.norm(self.conv(x)).clamp(0, 1)
        for _ in range(self.times):
            x = 1.9 * x.relu() - 3.8 * (x - 0.5).relu()
        return x


def test_rounding_that_a_network_makes_large_passes():
    gate = rewrite(Doubling(15).eval(), X)[1]
    assert LIMIT_64 < gate.float64 < gate.limit <= 10 * LIMIT_64
    assert 0.1 < gate.float64 / (2**-29 * gate.float32) < 4


def test_another_function_that_differs_as_little_does_not(monkeypatch):
    fold = rewriting.fold

    def spoiled(graph):
        return fold(graph).map_tensors(lambda t: t * (1 + 3e-12))

    monkeypatch.setattr(rewriting, "fold", spoiled)
    with pytest.raises(ConversionError, match=r"[4-9].\de-12 in float64 \(limit 1e-12\)"):
        rewrite(Doubling(1).eval(), X)


def test_a_graph_with_nan_does_not_pass(monkeypatch):
    monkeypatch.setattr(rewriting, "fold", lambda graph: graph.map_tensors(lambda t: t * torch.nan))
    with pytest.raises(ConversionError, match="not the model's function"):
        rewrite(model(), X)


def test_the_gate_says_what_it_found():
    text = str(rewrite(model(), X)[1])
    assert "3 samples" in text
    assert "limit 1e-12" in text


class Moody(nn.Module):
    """Another answer at each call."""

    def forward(self, x):
        return x + torch.rand(1).to(x.dtype)


def test_a_model_that_draws_at_random_is_refused_and_draws_nothing():
    before = torch.random.get_rng_state()
    with pytest.raises(ConversionError, match="random numbers"):
        rewrite(Moody(), X)
    assert torch.equal(torch.random.get_rng_state(), before)
