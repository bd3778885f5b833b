"""What a calibrator sees of the site that the sweep has reached."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from isospike.fit.mean_output import mean_output
from isospike.fit.spiketrain import SpikeTrain
from isospike.graph.graph import Graph, Node, apply
from isospike.program import Unit
from isospike.units.few_spike import FewSpike
from isospike.units.neuron import Neuron
from isospike.units.radix import Radix


@dataclass
class Site:
    """node: the site; steps: T; stats: the source network's activations there.

    graph       the network so far, with refitted weights
    make_unit   theta -> the recipe's neuron with the potential of `v0`
    target      source pre-activations z [N, ...]; empty when the recipe needs no images here
    trains      boundary name -> what it sends
    means       boundary name -> mean over time of what it sends [N, ...]
    current     () -> drive [S, N, ...], S = T (synchronous) or 1 (separated, or constant)
    notes       what the rows of the network should tell
    """

    node: Node
    steps: int
    stats: Any  # SiteStats; None at the read-out
    graph: Graph
    v0: Tensor
    build: Callable[[Tensor, Tensor], Unit]
    images: int = 0
    target: Tensor | None = None
    trains: dict[str, SpikeTrain] = field(default_factory=dict)
    means: dict[str, Tensor] | None = None
    changing: frozenset[str] = frozenset()
    current: Callable[[], Tensor] | None = None
    unit: Unit | None = None
    notes: list[str] = field(default_factory=list)

    def make_unit(self, theta: Tensor) -> Unit:
        v0 = self.v0
        if v0.dim() > theta.dim():  # per-channel v0 [C, 1, 1] against theta [C, 1] of a search
            v0 = v0.reshape(theta.shape) if v0.numel() == theta.numel() else v0.mean()
        return bounded(self.build(theta, v0), self.graph, self.node)

    @cached_property
    def drive(self) -> Tensor:
        """z [S, N, ...], computed once; ask for it after the weights are final."""
        assert self.current is not None
        return self.current()

    def forget_drive(self) -> None:
        """The weights have changed: the next reader computes the drive anew."""
        self.__dict__.pop("drive", None)

    def release(self) -> None:
        """Forget the drive now: the site and `current` hold each other, and the collector of such
        circles comes too late for hundreds of megabytes a site."""
        self.current = None
        self.forget_drive()

    @property
    def activation(self) -> Tensor:
        """The source network's activation a [N, ...]."""
        assert self.target is not None
        return apply(self.graph, self.node, [self.target])

    def rate(self, unit: Unit) -> Tensor:
        """phi [N, ...]: what the unit sends on average under the real drive, in units of a."""
        if isinstance(unit, Radix | FewSpike):
            return unit.dual(self.drive[0], self.steps)
        assert isinstance(unit, Neuron)
        return mean_output(unit, self.drive, self.steps)

    def set_unit(self, **changes: Tensor) -> None:
        assert isinstance(self.unit, Neuron | Radix)
        self.unit = replace(self.unit, **changes)


def bounded(unit: Any, graph: Graph, node: Node) -> Any:
    """The unit, held within what the activation of `node` never passes (QCFS, ReLU6)."""
    end = float(apply(graph, node, [torch.tensor(torch.inf)]))
    return unit.within(end) if math.isfinite(end) else unit
