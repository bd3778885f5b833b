"""Early firing step by step, the network at each step of one clock: the reference of early.py.

A node at depth d works in the steps d * lead .. d * lead + P - 1. A site fires first, from what has
come in the steps before this one, then takes in what the layer below sends at this one. Values are
what has been sent so far; one that comes past several sites waits until its node works.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from isospike.engine.run import Run
from isospike.graph.graph import Node, apply
from isospike.program import Program
from isospike.schedule import Separated
from isospike.units.radix import Radix


def run_clock(program: Program, x: Tensor, steps: int) -> Run:
    """x [B, ...]; one image at a time is in the network."""
    return _Clock(program, x, steps).run()


class _Clock:
    def __init__(self, program: Program, x: Tensor, steps: int) -> None:
        schedule = program.schedule
        assert isinstance(schedule, Separated)
        self.program, self.graph, self.x, self.steps = program, program.graph, x, steps
        self.code, self.lead = schedule.code, schedule.lead(steps)
        self.digits, self.gain = self.code.digits(steps), self.code.gain(steps)
        self.sent: dict[str, list[Tensor]] = {node.name: [] for node in self.graph.nodes}
        self.trains: dict[str, list[Tensor]] = {node.name: [] for node in self.graph.sites}
        self.held: dict[str, Tensor] = {}

    def run(self) -> Run:
        depths: Mapping[str, int] = self.graph.depths()
        for now in range(depths[self.graph.output] * self.lead + self.digits):
            for node in self.graph.nodes:
                self.work(node, now - self.lead * depths[node.name])
        run = Run({self.steps: self.sent[self.graph.output][-1] / self.gain})
        for name, train in self.trains.items():
            run.tally(name, self.steps, torch.stack(train).sum((0, 1)))
        return run

    def work(self, node: Node, t: int) -> None:
        """Step t of a node's phase, or a step before or after it."""
        active = 0 <= t < self.digits
        if node.is_site:
            if active:
                self.sent[node.name].append(self.fire(node, t))
            if 0 <= t + self.lead < self.digits:
                self.held[node.name] = self.sent[node.inputs[0]][t + self.lead]
        elif active:
            values = [self.sent[name][t] for name in node.inputs]
            is_input = node.name == self.graph.input
            value = self.x * self.gain if is_input else apply(self.graph, node, values, self.gain)
            self.sent[node.name].append(value)

    def fire(self, node: Node, t: int) -> Tensor:
        """What the neuron has sent after step t."""
        unit, train = self.program.units[node.name], self.trains[node.name]
        assert isinstance(unit, Radix)
        weights = [self.code.base(self.steps) ** (self.digits - 1 - i) for i in range(t + 1)]
        total = self.code.exact(unit.total(self.held[node.name], self.gain), self.steps) + unit.v0
        sent = torch.zeros_like(total)
        for spikes, weight in zip(train, weights[:-1], strict=True):
            sent = sent + spikes * weight
        spikes = self.code.fire((total - sent) / weights[-1], self.steps)
        if self.code.once:
            spikes = spikes * (sent == 0)
        train.append(spikes)
        return ((sent + spikes * weights[-1]) * unit.amplitude).to(self.x.dtype)
