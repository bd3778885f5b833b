"""Layer by layer with time folded into the batch: [T, B, ...] -> [T * B, ...].

What does not change with time (the first affine segment under a held input) runs once; the
read-out, which is affine, runs once per reading on the sum over time; long runs go in time chunks
that hand each site's state on, so memory does not grow with T.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isospike.engine import cuda, native
from isospike.engine.run import (
    Observer,
    Run,
    below_sites,
    check_potentials,
    fold_time,
    quiet,
    scratch,
    settling,
    tail,
)
from isospike.graph.graph import Node, apply, last_uses
from isospike.program import Program
from isospike.units.binary import IF

# Frames in one piece of work: larger ones fall out of the cache (best near 100 to 250 on a CPU).
ROWS = 128
CHUNK = 16  # steps


@torch.no_grad()
def run_dense(
    program: Program,
    x: Tensor,
    steps: Sequence[int],
    observers: Sequence[Observer] = (),
    tally: bool = True,
) -> Run:
    """x [B, ...]; readings at sorted `steps`; without `tally` spikes are not counted.

    With observers the batch stays whole, so that they see each step of each site once.
    """
    length = min(max(steps), CHUNK)
    micro = len(x) if observers else max(1, ROWS // length)
    dense = Dense(program, list(steps), observers, tally)
    return Run.join([dense.run(part, length) for part in x.split(micro)])


class Dense:
    def __init__(
        self, program: Program, steps: list[int], observers: Sequence[Observer], tally: bool
    ) -> None:
        self.program, self.steps, self.observers, self.counting = program, steps, observers, tally
        self.settle = settling(program)
        self.units, self.gain = program.units, 1.0
        graph = self.graph = program.graph
        self.tail = tail(graph)
        self.body = [n for n in graph.nodes if n.name not in self.tail and n.name != graph.input]
        self.changing = below_sites(graph)
        self.dead = last_uses(graph)
        self.scratch = scratch(graph)
        # Values that the read-out takes from the body: summed over time as they appear.
        self.edge = {
            source
            for node in graph.nodes
            if node.name in self.tail
            for source in node.inputs
            if source not in self.tail
        }
        if graph.output not in self.tail:
            self.edge.add(graph.output)

    def run(self, x: Tensor, length: int) -> Run:
        """One micro-batch x [B, ...] through all time chunks."""
        if x.is_cuda and x.dim() == 4:  # as its convolutions like them best
            x = x.contiguous(memory_format=torch.channels_last)
        frames = self.program.coder.frames(x, self.steps[-1])
        held = self.hold(x) if frames is None else {self.graph.input: x}
        run, states = Run(), {}
        sums: dict[str, dict[int, Tensor]] = {name: {} for name in self.edge}
        for start in range(0, self.steps[-1], length):
            end = min(start + length, self.steps[-1])
            part = None if frames is None else frames[start:end]
            self.chunk(start, end, part, held, states, sums, run)
        if self.settle:
            self.run_silent(x, length, states, sums, run)
        check_potentials(self.program, states)
        total: dict[str, Tensor] = {}
        for steps in self.steps:
            for name, at in sums.items():
                total[name] = total[name] + at[steps] if name in total else at[steps]
            run.outputs[steps] = self.read_out(dict(total), steps)
        run.accumulate()
        return run

    def hold(self, x: Tensor) -> dict[str, Tensor]:
        """What stands still under a held input x [B, ...], node by node."""
        held = {self.graph.input: x}
        for node in self.body:
            if node.name not in self.changing:
                held[node.name] = apply(self.graph, node, [held[name] for name in node.inputs])
        return held

    def run_silent(self, x: Tensor, length: int, states, sums, run: Run) -> None:
        """The settling steps: no input and no constants."""
        self.units, self.gain = quiet(self.program, self.steps[-1]), 0.0
        last = self.steps[-1] + self.settle
        for start in range(self.steps[-1], last, length):
            end = min(start + length, last)
            frames = x.new_zeros(end - start, *x.shape)
            self.chunk(start, end, frames, {}, states, sums, run)
        self.units, self.gain = self.program.units, 1.0

    def chunk(self, start: int, end: int, frames, held, states, sums, run: Run) -> None:
        """Steps start+1 .. end of every node of the body; frames [n, B, ...] or held values."""
        count = end - start
        values: dict[str, Tensor] = {}
        if frames is not None:
            values[self.graph.input] = fold_time(frames)
        for node in self.body:
            if frames is None and node.name not in self.changing:
                continue
            self.visit(node, values, held, start, count, states, run)
            for name in self.dead.get(node.name, ()):
                if name not in self.edge:
                    self.drop(values.pop(name, None))
        for name in self.edge:
            self.add_up(sums[name], values.get(name), held.get(name), start, count)
            self.drop(values.pop(name, None))

    def drop(self, value: Tensor | None) -> None:
        """Nobody needs `value` any more."""

    def visit(self, node: Node, values, held, start: int, count: int, states, run: Run) -> None:
        """One node of a chunk, from `values` [count * B, ...] and `held` [B, ...] to `values`."""
        inputs = [values[n] if n in values else held[n] for n in node.inputs]
        if node.is_site:
            still = node.inputs[0] not in values
            values[node.name] = self.site(node, inputs[0], still, start, count, states, run)
        else:
            moving = [n in values for n in node.inputs]
            inputs = aligned(inputs, moving, count)
            values[node.name] = apply(self.graph, node, inputs, self.gain)

    def site(
        self, node: Node, z: Tensor, still: bool, start: int, count: int, states, run: Run
    ) -> Tensor:
        """Weighted spikes [count * B, ...] of a chunk; a drive that stands still is z [B, ...]."""
        unit = self.units[node.name]
        frames = z[None] if still else z.reshape(count, z.shape[0] // count, *z.shape[1:])
        pieces = self.pieces(start, count)
        # A drive that was made for this site alone may be overwritten by its spikes.
        over = not still and not self.observers and node.inputs[0] in self.scratch
        fused = next((k for k in (native, cuda) if k.serves(unit, z)), None)
        if isinstance(unit, IF) and fused is not None and not self.observers:
            v = states.get(node.name)
            v = states[node.name] = unit.start(frames[0]) if v is None else v
            values, counts = fused.scan(unit, frames, v, [last for *_, last in pieces], over)
        else:
            drive = frames.expand(count, *frames.shape[1:])
            mark = unit.mark(states.get(node.name))  # type: ignore[union-attr]
            spikes, state = unit.scan(drive, states.get(node.name), start, over)  # type: ignore[union-attr]
            states[node.name] = state
            for observer in self.observers:
                observer.spikes(node.name, start, drive, spikes, unit.membrane(state))  # type: ignore[union-attr]
            counts = []
            if self.counting:
                events = unit.events(spikes, mark, start)  # type: ignore[union-attr]
                counts = [events[first:last].sum((0, 1)) for _, first, last in pieces]
            values = spikes.mul_(unit.amplitude).to(z.dtype)
        if self.counting:
            for (steps, *_), spikes in zip(pieces, counts, strict=True):
                run.tally(node.name, steps, spikes)
        return fold_time(values)

    def pieces(self, start: int, count: int) -> list[tuple[int, int, int]]:
        """(reading, from, to): the steps of this chunk after the reading before and up to it;
        settling steps belong to the last reading."""
        found, before = [], 0
        for steps in self.steps:
            end = steps + self.settle if steps == self.steps[-1] else steps
            first, last = max(before - start, 0), min(end - start, count)
            if first < last:
                found.append((steps, first, last))
            before = end
        return found

    def add_up(self, sums, moving: Tensor | None, held: Tensor | None, start, count) -> None:
        for steps, first, last in self.pieces(start, count):
            if moving is None:
                assert held is not None
                part = held * (last - first)
            else:
                part = self.total(moving, first, last, count)
            sums[steps] = sums[steps] + part if steps in sums else part

    def total(self, moving: Tensor, first: int, last: int, count: int) -> Tensor:
        """The sum [B, ...] of the steps first+1 .. last of a chunk."""
        return moving.reshape(count, -1, *moving.shape[1:])[first:last].sum(0)

    def read_out(self, values: dict[str, Tensor], steps: int) -> Tensor:
        """The tail on the sums of its inputs over `steps` steps."""
        for node in self.graph.nodes:
            if node.name in self.tail:
                inputs = [values[name] for name in node.inputs]
                values[node.name] = apply(self.graph, node, inputs, float(steps))
        return values[self.graph.output] / steps


def aligned(inputs: list[Tensor], moving: list[bool], count: int) -> list[Tensor]:
    """Inputs that stand still, repeated to go with those that move."""
    return [
        x if moves else x.expand(count, *x.shape).flatten(0, 1)
        for x, moves in zip(inputs, moving, strict=True)
    ]
