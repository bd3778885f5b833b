"""What every network of the zoo must do with random weights: pass the gate, and run as spikes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import isospike as iso
from isospike.engine import run
from isospike.graph.ops import Kind
from zoo.tiny import settled


class Counted:
    """An activation factory that keeps what it made."""

    def __init__(self, make=nn.ReLU) -> None:
        self.make, self.made = make, []

    def __call__(self) -> nn.Module:
        self.made.append(self.make())
        return self.made[-1]


def clipped() -> nn.Module:
    return iso.ClipQuant(0.5, 4)


def pictures(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def sites(plan: iso.Plan) -> list[str]:
    """Paths of the activations, each call once; max-pooling not counted."""
    return [node.path for node in plan.check().sites if node.kind is Kind.ACTIVATION]


def lively(model: nn.Module) -> nn.Module:
    """Random weights and statistics, with gains of 1/2 and more: no layer is silent."""
    settled(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.abs_().add_(0.5)
    return model


def converts(model: nn.Module, x: Tensor, recipe: str = "rueckauer") -> iso.Plan:
    """The plan of `model`, after its conversion at T = 2 has answered two images."""
    plan = iso.plan(lively(model), recipe, x)
    assert plan.ok, str(plan)
    assert plan.gate is not None
    assert plan.gate.float64 <= 1e-12
    snn = iso.convert(plan, x, steps=2)
    found = run(snn.program, x, 2, engine="dense")
    assert found.outputs[2].shape == model(x).shape
    assert found.outputs[2].isfinite().all()
    assert sum(int(at[2].sum()) for at in found.counts.values()) > 0
    return plan


def size(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())
