"""What the parts of a .iso file must be to each other: units to sites, sizes to sizes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from isospike.errors import FormatError
from isospike.graph.few_spike import is_few_spike
from isospike.graph.graph import Graph, Node, execute
from isospike.graph.ops import Kind
from isospike.knobs import wrong_knobs
from isospike.network import SpikingNetwork
from isospike.schedule import Schedule, Separated
from isospike.units.analogue import Analogue
from isospike.units.differential import Differential
from isospike.units.few_spike import FewSpike
from isospike.units.neuron import Neuron
from isospike.units.no_neuron import NoNeuron
from isospike.units.pool import GatedMaxPool
from isospike.units.radix import Radix

LARGEST = 1 << 26  # values of one node for one image: a short file must not ask for much memory


def check_units(graph: Graph, units: dict[str, Any], schedule: Schedule) -> None:
    """FormatError unless every site has a unit that its kind and the schedule can have."""
    if set(units) != (sites := {node.name for node in graph.sites}):
        raise FormatError(f"units and sites differ: {sorted(set(units) ^ sites)[:5]}")
    if wrong := wrong_knobs("schedule", schedule):
        raise FormatError("; ".join(wrong))
    separated = isinstance(schedule, Separated)
    for node in graph.sites:
        unit = units[node.name]
        neuron = (FewSpike if is_few_spike(node) else Radix) if separated else Neuron
        other = {Kind.POOL: GatedMaxPool, Kind.ANALOGUE: Analogue}.get(node.kind)
        strange = isinstance(unit, Analogue) and (unit.op, unit.attrs) != (node.op, node.attrs)
        if (
            not isinstance(unit, other or neuron)
            or (other is GatedMaxPool and separated)
            or strange
        ):
            raise FormatError(f"site {node.name!r}: a unit that does not fit it or the schedule")
        if getattr(unit, "code", None) != getattr(schedule, "code", None):
            raise FormatError(f"site {node.name!r}: its code is not the schedule's")
        if isinstance(unit, NoNeuron):
            continue
        if isinstance(unit, FewSpike):
            _check_few_spike(node, unit)
            continue
        most = unit.most if isinstance(unit, Differential) else None
        rest = (unit.bias, getattr(unit, "drift", None), most)
        numbers = (unit.theta, unit.v0, *(n for n in rest if n is not None))
        if not all(isinstance(n, Tensor) and n.is_floating_point() for n in numbers):
            raise FormatError(f"site {node.name!r}: its numbers must be tensors of floats")
        if not bool((unit.theta > 0).all()):
            raise FormatError(f"site {node.name!r}: a threshold is not positive")
        if most is not None and not bool((most > 0).all()):
            raise FormatError(f"site {node.name!r}: a largest rate is not positive")


def _check_few_spike(node: Node, unit: FewSpike) -> None:
    numbers = (unit.thresholds, unit.resets, unit.weights)
    sound = all(
        isinstance(n, Tensor) and n.is_floating_point() and n.dim() == 1 and len(n) for n in numbers
    )
    if not sound or len({len(n) for n in numbers}) > 1:
        raise FormatError(f"site {node.name!r}: a program is three rows of as many numbers")


def try_out(network: SpikingNetwork) -> None:
    """Shapes that do not fit together show in one image through the graphs: first as shapes alone,
    which takes no memory, then as numbers."""
    graph, source = network.program.graph, network.program.source
    shapes = _shapes(graph)
    dtype = next((t.dtype for t in graph.tensors.values() if t.is_floating_point()), torch.float32)
    image = torch.zeros(1, *graph.input_shape, dtype=dtype)
    if source is not None:
        theirs = _shapes(source)
        sites = {node.name for node in graph.sites} == {node.name for node in source.sites}
        ends = source.output == graph.output and source.input == graph.input
        if not (sites and ends and all(shapes[n] == theirs.get(n, shapes[n]) for n in shapes)):
            raise FormatError("the source network has other sites or sizes")
        execute(source, image)
    network.run(image, 1)


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Node name -> shape of its value, worked out without computing any."""
    types = {t.dtype for t in graph.tensors.values() if t.is_floating_point()}
    layers = [key for n in graph.nodes if n.kind is Kind.WEIGHT for key in n.tensors.values()]
    if len(types) > 1 or not all(graph.tensors[key].is_floating_point() for key in layers):
        raise FormatError("weights that are not of one floating-point type")
    found: dict[str, tuple[int, ...]] = {}

    def watch(node: Node, value: Tensor) -> None:
        found[node.name] = tuple(value.shape)
        if value.numel() > LARGEST:
            raise FormatError(f"node {node.name!r} asks for {value.numel()} values an image")

    dtype = types.pop() if types else torch.float32
    image = torch.zeros(1, *graph.input_shape, dtype=dtype, device="meta")
    execute(graph.map_tensors(lambda t: t.to("meta")), image, watch=watch)
    return found
