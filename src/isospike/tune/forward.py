"""A Program as a differentiable function of its weights, thresholds, potentials and biases.

    exact   time folded into the batch, as in engine/dense.py; the gradient passes every step
    mean    the frames run without a gradient, which is taken on the means over time: what lies
            between two sites is affine, and a neuron passes its mean drive where it is between 0
            and theta. A backward pass of one step's cost whatever T is. Meng et al. 2022

The output is the mean of the logits over the steps; the spikes are those of the engines.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from isospike.engine.run import fold_time, tail
from isospike.errors import UsageError
from isospike.graph.graph import Graph, Node, apply
from isospike.graph.ops import Kind
from isospike.program import Program, Unit
from isospike.tune.surrogate import Dynamics, Surrogate, fire
from isospike.units.binary import IF
from isospike.units.pool import GatedMaxPool


class Trainable:
    """parameters: name -> tensor with a gradient. `graph.*` are weights and biases of layers; of a
    site, `theta.*` is the logarithm of its threshold over its first one, `v0.*` its potential,
    `bias.*` its bias where the layer before it could not take it in, `drift.*` its bias of each
    step, and `leak.*` the shift of logit(k).

    weights, drift, leak: which of these are there. UsageError for a neuron that is no binary IF,
    or for a leak to learn where there is none.
    """

    def __init__(
        self, program: Program, steps: int, surrogate: Surrogate, mean: bool = False,
        weights: bool = True, drift: bool = False, leak: bool = False,
    ) -> None:  # fmt: skip
        self.start, self.steps, self.surrogate, self.mean = program, steps, surrogate, mean
        self.tail = tail(program.graph)
        self.parameters: dict[str, Tensor] = {}
        self.v0_range: dict[str, tuple[float, float]] = {}
        for node in program.graph.nodes:
            if node.kind is Kind.WEIGHT and weights:
                for key in node.tensors.values():
                    self.add(f"graph.{key}", program.graph.tensors[key])
        for name, unit in neurons(program, leak).items():
            if mean and not unit.lossless:
                raise UsageError(f"{name}: a gradient on means needs a soft reset and no leak")
            self.add(f"theta.{name}", torch.zeros_like(unit.theta))
            shape = torch.broadcast_shapes(unit.v0.shape, unit.theta.shape)
            self.add(f"v0.{name}", unit.v0.expand(shape))
            self.v0_range[f"v0.{name}"] = _range(unit.v0)
            if unit.bias is not None:
                self.add(f"bias.{name}", unit.bias)
            if unit.drift is not None:
                self.add(f"drift.{name}", unit.steps_of_drift(0, steps))
            elif drift and not unit.theta.dim():
                raise UsageError(f"{name}: a bias for each step needs thresholds per channel")
            elif drift:
                self.add(f"drift.{name}", unit.theta.new_zeros(steps, *unit.theta.shape))
            if leak:
                self.add(f"leak.{name}", torch.zeros((), dtype=unit.theta.dtype))

    def add(self, name: str, value: Tensor) -> None:
        self.parameters[name] = value.detach().clone().contiguous().requires_grad_()

    def graph(self) -> Graph:
        """The graph with the present weights."""
        tensors = {
            key: self.parameters.get(f"graph.{key}", tensor)
            for key, tensor in self.start.graph.tensors.items()
        }
        return replace(self.start.graph, tensors=tensors)

    def numbers(self, name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """theta, v0, bias ([T, ...] with a drift) and leak. Thresholds stay positive and in
        proportion, a leak stays between 0 and 1."""
        unit, found = cast(IF, self.start.units[name]), self.parameters
        theta = unit.theta * found[f"theta.{name}"].exp()
        bias = found.get(f"bias.{name}", torch.zeros_like(unit.theta))
        if f"drift.{name}" in found:
            bias = found[f"drift.{name}"] + bias
        leak = torch.tensor(unit.leak, dtype=theta.dtype)
        if f"leak.{name}" in found:
            leak = torch.sigmoid(torch.logit(leak) + found[f"leak.{name}"])
        return theta, found[f"v0.{name}"], bias, leak

    @torch.no_grad()
    def clamp(self) -> None:
        """v(0) back into [-1/2, 3/2], or to where it began outside."""
        for name, (low, high) in self.v0_range.items():
            self.parameters[name].clamp_(low, high)

    @torch.no_grad()
    def program(self) -> Program:
        """The tuned program: plain data that any engine runs."""
        units: dict[str, Unit] = dict(self.start.units)
        for name, unit in neurons(self.start).items():
            theta, v0, _, leak = (x.detach().clone() for x in self.numbers(name))
            kept = {
                role: self.parameters[f"{role}.{name}"].detach().clone()
                for role in ("bias", "drift") if f"{role}.{name}" in self.parameters
            }  # fmt: skip
            k = leak.item() if f"leak.{name}" in self.parameters else unit.leak
            units[name] = replace(unit, theta=theta, v0=v0, leak=k, **kept)
        graph = self.graph().map_tensors(lambda t: t.detach().clone())
        return replace(self.start, graph=graph, units=units)

    def __call__(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits [B, classes] of images x [B, ...], and the mean rate [B, ...] of every site, in
        units of the activation."""
        return _Pass(self, x).run(x)


class _Pass:
    """One forward pass. frames: values that change with time, [T * B, ...]; means: [B, ...]."""

    def __init__(self, network: Trainable, x: Tensor) -> None:
        self.network, self.steps, self.graph = network, network.steps, network.graph()
        self.frames: dict[str, Tensor] = {}
        self.means: dict[str, Tensor] = {}
        self.rates: dict[str, Tensor] = {}
        coded = network.start.coder.frames(x, self.steps)
        if coded is None:
            self.means[self.graph.input] = x
        else:
            self.frames[self.graph.input] = fold_time(coded)
            self.means[self.graph.input] = coded.mean(0)

    def run(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        for node in self.graph.nodes[1:]:
            if node.is_site:
                self.site(node)
            elif node.name in self.network.tail:
                self.means[node.name] = apply(self.graph, node, [self.mean(n) for n in node.inputs])
            else:
                self.affine(node)
        return self.mean(self.graph.output), self.rates

    def mean(self, name: str) -> Tensor:
        """The mean over time of a value."""
        if name not in self.means:
            self.means[name] = self.unfold(self.frames[name]).mean(0)
        return self.means[name]

    def unfold(self, value: Tensor) -> Tensor:
        """[T * B, ...] -> [T, B, ...]"""
        return value.reshape(self.steps, -1, *value.shape[1:])

    def affine(self, node: Node) -> None:
        moving = [n in self.frames for n in node.inputs]
        if not any(moving):
            self.means[node.name] = apply(self.graph, node, [self.means[n] for n in node.inputs])
            return
        with torch.set_grad_enabled(not self.network.mean):
            inputs = [
                self.frames[n] if moves else self.means[n].repeat(self.steps, *_ones(self.means[n]))
                for n, moves in zip(node.inputs, moving, strict=True)
            ]
            self.frames[node.name] = apply(self.graph, node, inputs)
        if self.network.mean:
            mean = apply(self.graph, node, [self.means[n] for n in node.inputs])
            if node.kind is Kind.CURRENT:
                mean = self.straight(node.name, mean)
            self.means[node.name] = mean

    def straight(self, name: str, mean: Tensor) -> Tensor:
        """The mean of the frames, with the gradient of `mean`."""
        return mean + (self.unfold(self.frames[name]).mean(0) - mean).detach()

    def site(self, node: Node) -> None:
        (source,) = node.inputs
        still = source not in self.frames
        unit = self.network.start.units[node.name]
        frames = self.means[source][None] if still else self.unfold(self.frames[source])
        if not isinstance(unit, IF):
            frames = frames.expand(self.steps, *frames.shape[1:])
            self.frames[node.name] = fold_time(unit.scan(frames, None)[0])  # type: ignore[union-attr]
            if self.network.mean:
                mean = apply(self.graph, node, [self.mean(source)])
                self.means[node.name] = self.straight(node.name, mean)
            return
        theta, v0, bias, leak = self.network.numbers(node.name)
        dynamics = Dynamics(self.steps, unit.reset == "hard", self.network.surrogate)
        with torch.set_grad_enabled(not self.network.mean):
            out, rate = fire(frames, theta, v0, bias, leak, dynamics)
        self.frames[node.name] = fold_time(out)
        if self.network.mean:
            held = bias.mean(0) if f"drift.{node.name}" in self.network.parameters else bias
            charge = (self.mean(source) + held) / theta + (v0 - 0.5) / self.steps
            rate = self.straight(node.name, theta * charge.clamp(0, 1))
        self.means[node.name] = self.rates[node.name] = rate


def neurons(program: Program, leaky: bool = False) -> dict[str, IF]:
    """Site name -> its binary neuron; max-pools are passed over. UsageError for any other."""
    found, wrong = {}, []
    for name, unit in program.units.items():
        if isinstance(unit, IF) and unit.cap == 1 and (unit.leak < 1 or not leaky):
            found[name] = unit
        elif not isinstance(unit, GatedMaxPool):
            what = "a leak of 1" if isinstance(unit, IF) and unit.cap == 1 else type(unit).__name__
            wrong.append(f"{name} ({what})")
    if wrong:
        needs = "binary neurons with a leak below 1" if leaky else "binary neurons"
        raise UsageError(f"tuning needs {needs}: {', '.join(wrong)}")
    return found


def _range(v0: Tensor) -> tuple[float, float]:
    return min(-0.5, v0.min().item()), max(1.5, v0.max().item())


def _ones(x: Tensor) -> list[int]:
    return [1] * (x.dim() - 1)
