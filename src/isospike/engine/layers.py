"""The layers of a program, made ready for the events engine once and kept while it lives."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isospike.engine.native.layer import Layer
from isospike.engine.native.neuron import serves
from isospike.engine.native.trains import pooled, room
from isospike.engine.run import below_sites
from isospike.engine.segments import Reader
from isospike.graph.graph import Graph, shapes
from isospike.program import Program
from isospike.units.coders import Constant
from isospike.units.signed import Signed


@dataclass(frozen=True)
class Layers:
    """at: site -> its layer; dead: site -> values that nobody needs after it; entries: room for
    the lists of one frame, of the site where it is largest."""

    at: dict[str, Layer]
    dead: dict[str, list[str]]
    entries: int


def prepare(program: Program) -> Layers:
    graph = program.graph
    held = isinstance(program.coder, Constant)
    changing = below_sites(graph) if held else {node.name for node in graph.nodes}
    shape = shapes(graph)
    float32 = all(t.dtype == torch.float32 for t in graph.tensors.values())
    served = {
        n.name for n in graph.sites if float32 and serves(program.units[n.name], shape[n.name])
    }
    reader = Reader(graph, shape, changing, served)
    amplitudes = {
        name: program.units[name].amplitude.reshape(-1).expand(shape[name][0]) for name in served
    }
    signed = {name for name in served if isinstance(program.units[name], Signed)}
    at = {}
    for node in graph.sites:
        if node.name in served:
            segment = reader.segment(node.inputs[0])
            unit: Any = program.units[node.name]
            at[node.name] = Layer(unit, shape[node.name], segment, amplitudes, signed)
    return Layers(at, _dead(graph, changing), _entries(at))


def _entries(at: dict[str, Layer]) -> int:
    """Of lists that are made, and of those that are pooled on the way."""
    largest = 1
    for layer in at.values():
        for source in layer.sources:
            sent, pool = at[source.site], source.picked.pool
            size, cap = sent.size, int(sent.unit.cap)
            largest = max(largest, room(size, source.picked.count, cap))
            if pool is not None:
                fewer = room(pooled(size, pool), source.picked.count, cap * pool.area)
                largest = max(largest, fewer)
    return largest


def _dead(graph: Graph, changing: set[str]) -> dict[str, list[str]]:
    """Values run when a site asks for them: the last site that may ask for each."""
    last: dict[str, str] = {}
    for site in graph.sites:
        asked = list(site.inputs)
        while asked:
            name = asked.pop()
            if name in changing and last.get(name) != site.name:
                last[name] = site.name
                if not graph[name].is_site:
                    asked += graph[name].inputs
    dead: dict[str, list[str]] = {}
    for name, site in last.items():
        dead.setdefault(site, []).append(name)
    return dead


_KEPT: dict[int, tuple[weakref.ref, list, Layers]] = {}


def prepared(program: Program) -> Layers:
    """`prepare`, once for each program; again when a tensor of it was written over."""
    key, marks = id(program), [(id(t), t._version) for t in _tensors(program)]
    if key not in _KEPT or _KEPT[key][0]() is not program or _KEPT[key][1] != marks:
        gone = weakref.ref(program, lambda _: _KEPT.pop(key, None))
        _KEPT[key] = gone, marks, prepare(program)
    return _KEPT[key][2]


def _tensors(program: Program) -> list[Tensor]:
    units = [t for unit in program.units.values() for t in vars(unit).values()]
    return [t for t in [*program.graph.tensors.values(), *units] if isinstance(t, Tensor)]
