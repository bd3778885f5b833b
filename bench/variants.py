"""Claim: what a correction without training is worth at equal steps, and what it is not.

    python bench/variants.py --data idx:/usr/share/datasets/fashion-mnist

Each recipe is converted for each T from the first --calibration-size training images of --data,
without labels, and measured on the first --images of its test split. A goal is the loss against the
ANN that is allowed, or the gain over the recipe named after it. `iso, weighted steps` reads
sum_t w(t) y(t) with the w that bring these sums nearest to the ANN's logits on the calibration
images (least squares; logits less their mean over the classes).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from common import Table, parser, percent, start, whole_numbers, write
from isospike import SpikingNetwork, convert, evaluate, plan, zoo
from isospike import recipe as find_recipe
from isospike.data.images import ImageSet
from isospike.data.spec import load
from isospike.graph.graph import execute

CLAIM = "corrections without training at equal steps"
WEIGHTED = "iso, weighted steps"
BURST = {"neuron": "burst", "neuron.cap": 4}
SIGNED = {"neuron": "signed", "neuron.cap": 4}
ST_BIF = {"neuron": "signed"}
# network: {name: (recipe, settings)}
VARIANTS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "fashion-relu": {
        "iso": ("iso", {}), "iso, burst of 4": ("iso", BURST), "iso, signed to 4": ("iso", SIGNED),
        "iso, ST-BIF": ("iso", ST_BIF),
    },
    "fashion-qcfs": {"qcfs": ("qcfs", {}), "iso": ("iso", {})},
}  # fmt: skip
# (network, variant, T): (goal, the recipe that it is above, or None: below the ANN)
GOALS = {
    ("fashion-relu", "iso, burst of 4", 4): (-0.003, None),
    ("fashion-relu", "iso, signed to 4", 4): (-0.003, None),
    ("fashion-qcfs", "iso", 2): (0.025, "qcfs"),
    ("fashion-qcfs", "iso", 4): (0.010, "qcfs"),
}


def stepwise(snn: SpikingNetwork, images: ImageSet, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of each step [T, N, classes], those of the ANN [N, classes], and labels."""
    own, ann, labels = [], [], []
    assert snn.program.source is not None
    for x, y in images.batches(256):
        means = snn.run(x, list(range(1, steps + 1))).outputs
        sums = torch.stack([torch.zeros_like(means[1]), *(means[t] * t for t in means)])
        own.append(sums.diff(dim=0))
        ann.append(execute(snn.program.source, x))
        labels.append(y)
    return torch.cat(own, 1), torch.cat(ann), torch.cat(labels)


def weighted(snn: SpikingNetwork, images: ImageSet, test: ImageSet, steps: int) -> float:
    """Accuracy of the weighted sum of the logits of the steps."""
    own, ann, _ = stepwise(snn, images, steps)
    own, ann = (y - y.mean(-1, keepdim=True) for y in (own, ann))
    w = torch.linalg.lstsq(own.flatten(1).T.double(), ann.flatten()[:, None].double()).solution
    own, _, labels = stepwise(snn, test, steps)
    answers = (own * w[:, :, None].float()).sum(0).argmax(1)
    return float((answers == labels).double().mean())


def rows(network: str, steps: int, images: ImageSet, test: ImageSet) -> Iterator[dict[str, Any]]:
    """One row per variant."""
    model, accuracy = zoo.load(network), {}
    for name, (recipe, settings) in VARIANTS[network].items():
        planned = plan(model, find_recipe(recipe, settings), images.images[:4].float() / 255)
        snn = convert(planned, images, steps)
        found = evaluate(snn, test, [steps])
        (reading,), ann = found.rows, found.ann["accuracy"]
        accuracy[name] = reading.accuracy
        margin, above = GOALS.get((network, name, steps), (None, None))
        goal = None if margin is None else (accuracy[above] if above else ann) + margin
        facts = {"network": network, "steps": steps, "images": test.n, "ann": ann}
        yield {
            **facts, "variant": name, "accuracy": reading.accuracy, "goal": goal,
            "reached": None if goal is None else reading.accuracy >= goal - 1e-9,
            "hardware_class": reading.hardware_class, "latency": reading.latency,
            "spikes_per_neuron": reading.spikes_per_neuron, "synops": reading.synops,
        }  # fmt: skip
        if (network, name) == ("fashion-relu", "iso"):
            yield {
                **facts, "variant": WEIGHTED, "accuracy": weighted(snn, images, test, steps),
                "goal": None, "reached": None, "hardware_class": "H1",
                "latency": reading.latency, "spikes_per_neuron": reading.spikes_per_neuron,
                "synops": reading.synops,
            }  # fmt: skip


def main() -> None:
    arguments = parser(__doc__, images=10_000)
    arguments.add_argument("--steps", type=whole_numbers, default=[2, 4])
    args: Namespace = arguments.parse_args()
    start(args)
    images = load(args.data, "train").take(args.calibration_size)
    test, results = load(args.data, "test").take(args.images), []
    table = Table(
        "network     ", "variant            ", "T", "n", "ANN %", "measured %", "goal %", "reached",
        "class", "spikes per neuron",
    )  # fmt: skip
    for network in VARIANTS:
        for steps in args.steps:
            for r in rows(network, steps, images, test):
                results.append(r)
                table.add(
                    r["network"], r["variant"], r["steps"], r["images"], percent(r["ann"]),
                    percent(r["accuracy"]), percent(r["goal"]), r["reached"], r["hardware_class"],
                    r["spikes_per_neuron"],
                )  # fmt: skip
                write("variants", args, CLAIM, results, told=False)
    write("variants", args, CLAIM, results)


if __name__ == "__main__":
    main()
