"""Temporal separation step by step, with several images in flight.

A site at depth d accumulates in the phase in which the sites at depth d - 1 fire. A value that
arrives e phases early (a shortcut past e sites) waits in a delay line of e * P steps. Image i
enters at phase 2 i: by then the first layer has fired for image i - 1 and its one potential is
free again.

    node phase p(n): input 0, site p(its input) + 1, anything else the largest of its inputs
    node n works for image i in phase 2 i + p(n)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from isospike.engine.run import Run
from isospike.graph.graph import Graph, Node, apply
from isospike.program import Program
from isospike.units.analogue import Analogue
from isospike.units.few_spike import FewSpike
from isospike.units.radix import Radix


def phases(graph: Graph) -> dict[str, int]:
    """Node name -> phase in which it works for image 0: the number of sites above it."""
    return graph.depths()


@torch.no_grad()
def run_pipelined(program: Program, images: Sequence[Tensor], steps: int) -> list[Run]:
    """images: several [B, ...] of one shape, entering one every two phases; one Run each."""
    pipeline = _Pipeline(program, images, steps)
    total = pipeline.depth + 1 + 2 * (len(images) - 1)
    for step in range(total * pipeline.length):
        pipeline.advance(*divmod(step, pipeline.length))
    return pipeline.runs


class _Pipeline:
    def __init__(self, program: Program, images: Sequence[Tensor], steps: int) -> None:
        self.program, self.images, self.steps = program, images, steps
        self.graph = program.graph
        self.phase = phases(self.graph)
        self.depth = self.phase[self.graph.output]
        self.code = program.schedule.code  # type: ignore[union-attr]
        self.base = self.code.base(steps)
        self.length = program.schedule.phase(steps)  # type: ignore[union-attr]
        self.potential: dict[str, Tensor] = {}
        self.lines: dict[tuple[str, int], deque[Tensor | None]] = {}
        self.runs = [Run() for _ in images]

    def advance(self, phase: int, t: int) -> None:
        """Step t of a phase: every node works for the image it has, or rests."""
        values: dict[str, Tensor | None] = {}
        # Constants flow in the first T steps: they must sum to the gain that values have.
        constants = 1.0 if t < self.code.constant_steps(self.steps) else 0.0
        for node in self.graph.nodes:
            image, odd = divmod(phase - self.phase[node.name], 2)
            active = not odd and 0 <= image < len(self.images)
            inputs = [self.delayed(values[n], i, node) for i, n in enumerate(node.inputs)]
            if node.name == self.graph.input:
                values[node.name] = self.images[image] * constants if active else None
            elif node.is_site:
                values[node.name] = self.site(node, inputs[0], t, image if active else None)
                if inputs[0] is not None and t < self.code.digits(self.steps):
                    self.accumulate(node, inputs[0], t, constants)
            else:
                ready = [value for value in inputs if value is not None]
                values[node.name] = apply(self.graph, node, ready, constants) if active else None
            if node.name == self.graph.output and active:
                self.read(values[node.name], image, t)  # type: ignore[arg-type]

    def delayed(self, value: Tensor | None, place: int, node: Node) -> Tensor | None:
        """Input `place` of a node as the node needs it: held back by the phases it came early."""
        early = self.phase[node.name] - node.is_site - self.phase[node.inputs[place]]
        if not early:
            return value
        line = self.lines.setdefault((node.name, place), deque([None] * early * self.length))
        line.append(value)
        return line.popleft()

    def accumulate(self, node: Node, z: Tensor, t: int, constants: float) -> None:
        unit = self.program.units[node.name]
        assert isinstance(unit, Radix | FewSpike | Analogue)
        charge = unit.charge(z, constants, self.steps)
        before = self.potential[node.name] * self.base if t else 0.0
        self.potential[node.name] = before + charge

    def site(self, node: Node, z: Tensor | None, t: int, image: int | None) -> Tensor | None:
        """One generation step."""
        if image is None:
            return None
        unit = self.program.units[node.name]
        assert isinstance(unit, Radix | FewSpike | Analogue)
        u = self.potential[node.name]
        u = u if t else unit.primed(u, self.steps)
        spikes, sent, self.potential[node.name] = unit.fire(u, t, self.steps)
        self.runs[image].tally(node.name, self.steps, spikes.sum(0))
        return sent.to(self.images[image].dtype)

    def read(self, y: Tensor, image: int, t: int) -> None:
        """The read-out never fires: its potential, divided by the gain, is the answer."""
        if t >= self.code.digits(self.steps):
            return
        outputs = self.runs[image].outputs
        before = outputs[self.steps] * self.base if t else 0.0
        outputs[self.steps] = before + self.code.exact(y, self.steps)
        if t == self.code.digits(self.steps) - 1:
            outputs[self.steps] = (outputs[self.steps] / self.code.gain(self.steps)).to(y.dtype)
