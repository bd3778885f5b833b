"""SpikingJelly 2.0.0 in the table of the leaderboard: its networks, our accounts.

Each of its neurons stands where a site of our graph stands, so spikes counted at its neurons cost
what they cost at our sites: exact synaptic operations by fan-out. It shows the image at every step;
as that current never changes, the first layer is counted once, as for our networks. Accuracy after
t steps is that of the mean output so far, so one pass over the images gives every T.

Rate coding reads the calibration images once. Local threshold balancing moves its thresholds once a
batch, so it gets the same images in small batches again and again, UPDATES times.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor, nn

from isospike.data.images import ImageSet
from isospike.graph.graph import Graph, execute
from isospike.measure.energy import Costs, energy_nj
from isospike.measure.evaluate import Row, Score
from isospike.zoo.normalize import Normalize

VERSION = "2.0.0"
BATCH = 125
UPDATES, SMALL = 500, 32
BALANCING = "LocalThresholdBalancingRecipe"
HALF = {"mode": "99.9%", "channel_wise": True, "half_threshold": True}
# name -> (class of its recipes, arguments)
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "sj max": ("RateCodingRecipe", {"mode": "Max"}),
    "sj 99.9%": ("RateCodingRecipe", {"mode": "99.9%"}),
    "sj channel half": ("RateCodingRecipe", HALF),
    "sj ltb": (BALANCING, {}),
}


def installed() -> bool:
    try:
        return version("spikingjelly") == VERSION
    except PackageNotFoundError:
        return False


def methods() -> Iterator[tuple[str, dict[str, Any]]]:
    """(name in the table, settings) of what is measured."""
    for name, (recipe, arguments) in METHODS.items():
        batches = {"updates": UPDATES, "batch": SMALL} if recipe == BALANCING else {"batch": BATCH}
        yield name, {
            "package": f"spikingjelly {VERSION}", "recipe": recipe, **arguments, **batches,
        }  # fmt: skip


@torch.no_grad()
def rows(
    name: str, model: nn.Module, graph: Graph, test: ImageSet, images: Tensor, steps: list[int]
) -> list[Row]:
    """Rows of one method, or rows that say why there are none. graph: the model's own."""
    try:
        snn = converted(name, model, images)
        neurons = matched(snn, graph, images[:2])
    except Exception as error:  # the other methods must still run
        why = f"SpikingJelly: {type(error).__name__}: {error}".partition("\n")[0]
        return [Row(name, t, skipped=why) for t in steps]
    scores = {t: Score() for t in steps}
    counts: dict[int, dict[str, Tensor]] = {t: {} for t in steps}
    for x, labels in test.batches(BATCH):
        x = x.float() if x.is_floating_point() else x / 255
        reference = execute(graph, x)
        for t, y, spikes in read(snn, neurons, x, steps):
            scores[t].add(y, reference, labels)
            for site, n in spikes.items():
                counts[t][site] = counts[t].get(site, 0) + n.double().sum(0)
    costs = Costs.of(graph)
    return [row(name, t, scores[t], counts[t], costs, len(images)) for t in steps]


def converted(name: str, model: nn.Module, images: Tensor) -> nn.Module:
    from spikingjelly.activation_based import ann2snn  # type: ignore[import-not-found]

    recipe, arguments = METHODS[name]
    parts = images.split(BATCH)
    if recipe == BALANCING:
        parts = itertools.islice(itertools.cycle(images.split(SMALL)), UPDATES)
    loader = [(part, torch.zeros(len(part))) for part in parts]
    made = getattr(ann2snn, recipe)(dataloader=loader, **arguments)
    return ann2snn.Converter(made).convert(accepted(copy.deepcopy(model).eval())).eval()


def accepted(model: nn.Module) -> nn.Module:
    """The model with its normalisation as a batch norm: it refuses the division by a constant."""
    for path, module in list(model.named_modules()):
        if isinstance(module, Normalize):
            norm = nn.BatchNorm2d(module.mean.numel(), eps=0.0, affine=False)
            norm.running_mean, norm.running_var = module.mean.flatten(), module.std.flatten() ** 2
            model.set_submodule(path, norm.eval())
    return model


def matched(snn: nn.Module, graph: Graph, x: Tensor) -> dict[str, nn.Module]:
    """Site of our graph -> its neuron, in the order of computation; refused where shapes differ."""
    from spikingjelly.activation_based import functional, neuron  # type: ignore[import-not-found]

    found = [m for m in snn.modules() if isinstance(m, neuron.BaseNode)]
    order: list[nn.Module] = []
    shapes: list[tuple[int, ...]] = []

    def note(module: nn.Module, _inputs: Any, spikes: Tensor) -> None:
        order.append(module)
        shapes.append(tuple(spikes.shape[1:]))

    hooks = [module.register_forward_hook(note) for module in found]
    functional.reset_net(snn)
    snn(x)
    for hook in hooks:
        hook.remove()
    costs = Costs.of(graph)
    sites = [node.name for node in graph.sites if node.name in costs.neurons]
    if not found:
        raise ValueError("it converts modules of nn.ReLU alone, and there are none")
    if shapes != [tuple(costs.fanout[site].shape) for site in sites]:
        raise ValueError(f"its {len(order)} neurons do not stand at our {len(sites)} sites")
    return dict(zip(sites, order, strict=True))


def read(
    snn: nn.Module, neurons: dict[str, nn.Module], x: Tensor, steps: list[int]
) -> Iterator[tuple[int, Tensor, dict[str, Tensor]]]:
    """(t, mean output of t steps, spikes of every neuron up to t) at each t of `steps`."""
    from spikingjelly.activation_based import functional  # type: ignore[import-not-found]

    spikes: dict[str, Tensor] = {}

    def count(site: str) -> Callable[..., None]:
        def note(_module: nn.Module, _inputs: Any, out: Tensor) -> None:
            spikes[site] = spikes.get(site, 0) + out

        return note

    hooks = [m.register_forward_hook(count(site)) for site, m in neurons.items()]
    functional.reset_net(snn)
    total = torch.zeros(())
    for t in range(1, max(steps) + 1):
        total = total + snn(x)
        if t in steps:
            yield t, total / t, spikes
    for hook in hooks:
        hook.remove()


def row(
    name: str, t: int, score: Score, counts: dict[str, Tensor], costs: Costs, images: int
) -> Row:
    synops = costs.synops(counts) / score.n
    macs = costs.held_macs + costs.step_macs * t
    total, neurons = sum(float(n.sum()) for n in counts.values()), sum(costs.neurons.values())
    return Row(
        name, t, latency=t, hardware_class="H0", accuracy=score.accuracy,
        agreement=score.agreement,
        spikes_per_neuron=total / score.n / max(1, neurons),
        synops=synops, macs=macs, neuron_updates=neurons * t,
        energy_nj=energy_nj(synops, macs), output_error=score.output_error,
        calibration_images=images,
    )  # fmt: skip
