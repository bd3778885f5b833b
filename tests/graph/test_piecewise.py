"""Every piecewise-linear function, in every spelling: sites, and exactly the same function."""

import torch
from torch import nn
from torch.nn import functional as F

from common.captured import Apply, Bend, table
from isospike.graph.rewrite import LIMIT_64

RELUS = {
    "module": Apply(nn.ReLU()),
    "in place": Apply(nn.ReLU(inplace=True)),
    "F.relu": Apply(F.relu),
    "F.relu in place": Apply(lambda x: F.relu(x, inplace=True)),
    "torch.relu": Apply(torch.relu),
    "method": Apply(lambda x: x.relu()),
    "method in place": Apply(lambda x: x.relu_()),
    "clamp": Apply(lambda x: x.clamp(min=0)),
    "clamp 0.0": Apply(lambda x: torch.clamp(x, min=0.0)),
    "clamp in place": Apply(lambda x: x.clamp_(min=0)),
    "clamp_min": Apply(lambda x: x.clamp_min(0)),
    "clip": Apply(lambda x: x.clip(min=0)),
    "maximum, 0-dim": Apply(lambda x: torch.maximum(x, torch.tensor(0.0))),
    "maximum, turned": Apply(lambda x: torch.maximum(torch.zeros(1), x)),
    "maximum, zeros_like": Apply(lambda x: torch.maximum(x, torch.zeros_like(x))),
    "max": Apply(lambda x: torch.max(x, torch.zeros_like(x))),
    "twice": Apply(lambda x: (-x).relu() - x.relu()),
}
relu, relus = table(RELUS)


@relu
def test_each_spelling_of_relu_is_a_site(case):
    found = relus()
    assert found.error(case) <= LIMIT_64
    sites = [node for node in found.nodes(case) if node.is_site]
    assert {node.op for node in sites} == {"relu"}
    assert len(sites) == (2 if case == list(RELUS).index("twice") else 1)


CLIPS = {
    "ReLU6": Apply(nn.ReLU6()),
    "F.relu6": Apply(F.relu6),
    "hardtanh": Apply(nn.Hardtanh(0, 2.5)),
    "hardtanh in place": Apply(lambda x: F.hardtanh(x, 0.0, 0.5, inplace=True)),
    "clamp": Apply(lambda x: x.clamp(0, 1)),
    "clip": Apply(lambda x: x.clip(0.0, 0.25)),
}
HIGHS = [6.0, 6.0, 2.5, 0.5, 1.0, 0.25]
clip, clips = table(CLIPS)


@clip
def test_each_clip_keeps_its_bound(case):
    found = clips()
    assert found.error(case) <= LIMIT_64
    (site,) = [node for node in found.nodes(case) if node.is_site]
    assert (site.op, site.attrs["high"]) == ("clip", HIGHS[case])


SIGNED = {
    "LeakyReLU": (Apply(nn.LeakyReLU(0.2)), ["relu", "relu"]),
    "leaky in place": (Apply(lambda x: F.leaky_relu_(x, 0.5)), ["relu", "relu"]),
    "leaky, steep": (Apply(nn.LeakyReLU(1.5)), ["relu", "relu"]),
    "PReLU": (Apply(nn.PReLU()), ["relu", "relu"]),
    "PReLU of channels": (Apply(nn.PReLU(4, init=0.3)), ["relu", "relu"]),
    "abs": (Apply(torch.abs), ["relu", "relu"]),
    "hard tanh": (Apply(nn.Hardtanh()), ["clip"]),
    "hard sigmoid": (Apply(nn.Hardsigmoid()), ["clip"]),
    "lower bound": (Apply(lambda x: x.clamp(min=-0.5)), ["relu"]),
    "positive lower bound": (Apply(lambda x: x.clamp_min(0.25)), ["relu"]),
    "upper bound": (Apply(lambda x: x.clamp(max=0.5)), ["relu"]),
    "upper bound 0": (Apply(lambda x: x.clamp_max(0)), ["relu"]),
    "both bounds": (Apply(lambda x: x.clamp(0.1, 0.7)), ["clip"]),
    "maximum": (Bend(torch.maximum), ["relu"]),
    "max with numbers": (Apply(lambda x: torch.max(x, torch.tensor(0.3))), ["relu"]),
    "minimum": (Bend(torch.minimum), ["relu"]),
    "min with numbers": (Apply(lambda x: torch.min(torch.linspace(-1, 1, 6), x)), ["relu"]),
}
signed, signs = table({name: case for name, (case, _) in SIGNED.items()})


@signed
def test_signed_and_shifted_functions_are_sites(case):
    found = signs()
    assert found.error(case) <= LIMIT_64
    sites = [node for node in found.nodes(case) if node.is_site]
    assert [site.op for site in sites] == list(SIGNED.values())[case][1]
    assert len({site.name for site in sites}) == len(sites)


def test_the_two_neurons_of_a_sign_are_named():
    sites = [node.path for node in signs().nodes(0) if node.is_site]
    assert sorted(sites) == ["parts.0.function", "parts.0.function.negative"]
