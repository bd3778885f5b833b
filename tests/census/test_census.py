"""The census says what is so: the judge on networks made to deceive it, and a few of the libraries."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

BENCH = Path(__file__).parents[2] / "bench"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


models = load("census_models")
common = load("common")
census = load("census")
X = torch.linspace(0, 9, 2 * 3 * 8 * 8).sin().reshape(2, 3, 8, 8)


def judged(*layers: nn.Module):
    torch.manual_seed(0)
    made = models.Made(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *layers).eval(), X)
    models.randomise(made)
    return census.judge(made)


def test_a_network_of_sites_is_converted():
    record = judged(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.LeakyReLU())
    assert (record["state"], record["sites"], record["relu_calls"]) == ("converted", 3, 2)


def test_a_refusal_names_every_activation():
    record = judged(nn.GELU(), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Sigmoid())
    assert record["state"] == "refused"
    assert record["findings"] == {"gelu": 1, "sigmoid": 1}


def test_a_refusal_that_misses_one_is_incomplete(monkeypatch):
    whole = census.plan

    def short(*args, **kwargs):
        found = whole(*args, **kwargs)
        return replace(found, problems=found.problems[:1])

    monkeypatch.setattr(census, "plan", short)
    record = judged(nn.GELU(), nn.Sigmoid())
    assert (record["state"], record["missing"]) == ("incomplete", ["2"])


def test_a_dead_network_is_not_taken_for_converted():
    dead = nn.Conv2d(4, 4, 1, bias=True)
    nn.init.constant_(dead.weight, 0.0)
    made = models.Made(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), dead).eval(), X)
    assert census.judge(made)["state"] == "silent"


def test_families_and_the_page():
    networks = {
        "timm:resnet18": {"state": "converted"},
        "timm:resnet50": {"state": "refused", "findings": {"gelu": 2}},
        "zoo:vgg16": {"state": "converted"},
    }
    assert census.counts(networks)["timm:resnet"] == {"converted": 1, "refused": 1}
    page = census.page({"networks": networks, "versions": {"torch": "2"}, "listed": {"timm": 9}})
    assert "| **timm** | 2 of 9 | 1 | 1 |" in page
    assert "- 1: gelu" in page


NAMES = ("torchvision:squeezenet1_1", "torchvision:shufflenet_v2_x0_5", "timm:test_resnet")


@pytest.mark.parametrize("name", NAMES)
def test_networks_of_the_libraries_convert(name):
    if importlib.util.find_spec(name.partition(":")[0]) is None:
        pytest.skip(f"{name.partition(':')[0]} is not installed")
    torch.manual_seed(0)
    record = census.judge(models.build(name))
    assert record["state"] == "converted"
    assert record["gate64"] <= 1e-12
