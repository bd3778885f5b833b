"""The networks of bench/engine.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isospike.convert import convert, plan
from isospike.data.spec import load as load_data
from isospike.engine import run
from isospike.graph.graph import Graph, execute
from isospike.graph.rewrite import rewrite
from isospike.methods import recipe as find_recipe
from isospike.program import Program
from isospike.schedule import Separated
from isospike.units.binary import IF
from isospike.units.radix import Radix
from isospike.zoo import load as load_zoo
from isospike.zoo.networks import build


@dataclass
class Network:
    """`program` synchronous, `separated` the same thresholds with radix codes (k = 2)."""

    name: str
    model: nn.Module
    program: Program
    separated: Program
    images: Tensor


def resnet20(images: int, calibration: int, recipe: str) -> Network:
    """The bundled ResNet-20 and Fashion-MNIST; `recipe` fitted for T = 8."""
    model = load_zoo("fashion-relu").eval()
    x = next(load_data("fashion-sample", "test").batches(images))[0]
    train = load_data("fashion-sample", "train").take(calibration)
    made = plan(model, find_recipe(recipe, {"pool": "exact"}), next(train.batches(2))[0])
    program = convert(made, train, 8).program
    return Network("ResNet-20", model, program, separated(program), x)


def vgg16(images: int, rate: float, seed: int) -> Network:
    """Random weights, batch norm statistics of the images themselves, and thresholds at which the
    neurons of each layer send `rate` spikes a step, in the mean over 8 steps."""
    torch.manual_seed(seed)
    model = build("vgg16")
    x = smooth(max(images, 16))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the plain mean of what it sees
        model.train()(x)
    graph = rewrite(model.eval(), x[:2])[0]
    program = calibrated(graph, x, rate)
    return Network("VGG-16", model, program, separated(program), x[:images])


def calibrated(graph: Graph, x: Tensor, rate: float) -> Program:
    """Plain IF neurons, one threshold a layer, that send `rate` spikes a step."""
    means: dict[str, Tensor] = {}
    execute(graph, x, watch=lambda node, y: means.update({node.name: y.mean()}))
    thetas = {node.name: means[node.name] / rate for node in graph.sites}
    for _ in range(6):  # a layer sends more than its mean activation where its drive is uneven
        program = Program(graph, {n: IF(theta, torch.tensor(0.5)) for n, theta in thetas.items()})
        counts = run(program, x[:16], 8).counts
        sent = {n: float(at[8].double().mean()) / (8 * len(x[:16])) for n, at in counts.items()}
        thetas = {n: t * (sent[n] / rate) ** 0.5 for n, t in thetas.items()}
    return Program(graph, {n: IF(theta, torch.tensor(0.5)) for n, theta in thetas.items()})


def smooth(count: int) -> Tensor:
    """Images [count, 3, 32, 32] in [0, 1] whose pixels go with their neighbours."""
    x = F.avg_pool2d(torch.rand(count, 3, 32, 32), 5, 1, 2)
    return ((x - 0.5) * 4 + 0.5).clamp(0, 1)


def separated(program: Program) -> Program:
    schedule = Separated(2.0)
    units = {
        name: Radix(unit.theta, torch.tensor(0.5), schedule.code, unit.bias)  # type: ignore[union-attr]
        for name, unit in program.units.items()
    }
    return replace(program, units=units, schedule=schedule)
