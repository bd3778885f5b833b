"""A Program: everything an engine needs, as frozen plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from torch import Tensor

from isospike.graph.graph import Graph, execute
from isospike.schedule import Schedule, Synchronous
from isospike.units.analogue import Analogue
from isospike.units.coders import Coder, Constant
from isospike.units.few_spike import FewSpike
from isospike.units.neuron import Neuron
from isospike.units.pool import GatedMaxPool
from isospike.units.radix import Radix

Unit = Neuron | Radix | FewSpike | GatedMaxPool | Analogue


@dataclass(frozen=True)
class Program:
    """graph, {site name: unit}, schedule, input coder and where it all came from.

    source: the graph with the source network's own weights, for agreement and audit
    provenance: recipe, steps it was fitted for (`converted_for`), calibration hash, versions, ...
    """

    graph: Graph
    units: Mapping[str, Unit]
    schedule: Schedule = field(default_factory=Synchronous)
    coder: Coder = field(default_factory=Constant)
    source: Graph | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Sites on the longest path from input to output."""
        return self.graph.depths()[self.graph.output]

    @property
    def anytime(self) -> bool:
        """True when one run may be read at every step: not where a phase, or a coder's remainder,
        belongs to one T."""
        return self.schedule.anytime and self.coder.anytime

    def latency(self, steps: int) -> int:
        return self.schedule.latency(self.depth, steps)

    def unspike(self, steps: int) -> Callable[[Tensor], Tensor]:
        """The network with every unit replaced by its static transfer over `steps` steps."""
        return lambda x: execute(
            self.graph, x, lambda node, z: self.units[node.name].dual(z, steps)
        )

    @property
    def notes(self) -> list[str]:
        """What the conversion has to tell of this network; rows of measures show it."""
        return list(self.provenance.get("notes", ()))

    def noted(self, *notes: str) -> Program:
        """The same program with more notes, each told once."""
        told = list(dict.fromkeys([*self.notes, *notes]))
        return replace(self, provenance={**self.provenance, "notes": told}) if told else self

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> Program:
        """The same program with every tensor changed (moved, cast)."""
        units = {name: map_unit(unit, change) for name, unit in self.units.items()}
        source = None if self.source is None else self.source.map_tensors(change)
        return replace(self, graph=self.graph.map_tensors(change), units=units, source=source)


def map_unit(unit: Unit, change: Callable[[Tensor], Tensor]) -> Unit:
    tensors = {f.name: getattr(unit, f.name) for f in fields(unit)}
    changed = {n: change(t) for n, t in tensors.items() if isinstance(t, Tensor)}
    return replace(unit, **changed)
