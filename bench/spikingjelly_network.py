"""A program as a network of SpikingJelly: the same folded weights, the same thresholds and first
potentials, its own IF neurons, in single-step or multi-step mode.

As its ANN conversion has it, a neuron stands between two scalings: 1 / theta, IF with threshold 1
and reset by subtraction, theta. Between neurons run the same torch operators as in the source.
"""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor, nn

from isospike.graph.graph import Node, apply, last_uses
from isospike.program import Program


def installed() -> bool:
    return importlib.util.find_spec("spikingjelly") is not None


class SpikingJellyNetwork(nn.Module):
    """`x [B, ...] -> logits [B, classes]`, the mean over T steps. multi: all steps in one call."""

    def __init__(self, program: Program, multi: bool) -> None:
        super().__init__()
        from spikingjelly.activation_based import neuron

        self.program, self.graph, self.multi = program, program.graph, multi
        self.neurons = nn.ModuleDict({
            node.name.replace(".", "/"): neuron.IFNode(1.0, None, step_mode="m" if multi else "s")
            for node in program.graph.sites
        })  # fmt: skip
        self.dead = last_uses(program.graph)
        self.eval()

    @torch.no_grad()
    def forward(self, x: Tensor, steps: int) -> Tensor:
        for each in self.neurons.values():
            each.reset()  # type: ignore[operator]
        self.batch = len(x)
        if self.multi:
            repeated = x.expand(steps, *x.shape).flatten(0, 1)
            return self.pass_through(repeated).unflatten(0, (steps, -1)).mean(0)
        total = self.pass_through(x)
        for _ in range(steps - 1):
            total += self.pass_through(x)
        return total / steps

    def pass_through(self, x: Tensor) -> Tensor:
        values = {self.graph.input: x}
        for node in self.graph.nodes[1:]:
            inputs = [values[name] for name in node.inputs]
            run = self.fire if node.is_site else lambda n, i: apply(self.graph, n, i)
            values[node.name] = run(node, inputs)
            for name in self.dead.get(node.name, ()):
                del values[name]
        return values[self.graph.output]

    def fire(self, node: Node, inputs: list[Tensor]) -> Tensor:
        unit = self.program.units[node.name]
        each = self.neurons[node.name.replace(".", "/")]
        z = inputs[0] if unit.bias is None else inputs[0] + unit.bias  # type: ignore[union-attr]
        drive = z / unit.theta  # type: ignore[union-attr]
        if isinstance(each.v, float):  # after a reset
            each.v = torch.empty_like(drive[: self.batch]).copy_(unit.v0)  # type: ignore[union-attr]
        if self.multi:
            return each(drive.unflatten(0, (-1, self.batch))).flatten(0, 1) * unit.amplitude
        return each(drive) * unit.amplitude
