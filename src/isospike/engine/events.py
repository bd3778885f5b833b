"""Event by event: each layer walks the spikes that reach it, all steps in one go.

Trains travel as bytes, channels last; convolution and neuron are one kernel, and the drive is never
stored. Cost follows the spikes: a step without any costs nothing but its membranes. The first
segment under a held input runs once, densely; the read-out once, on the sum over time. What has
no kernel (other neurons, operators, types) runs as in the dense engine, segment by segment.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isospike.engine.cost import dense_is_faster
from isospike.engine.dense import CHUNK, Dense, aligned
from isospike.engine.layers import Layers, prepared
from isospike.engine.native.layer import Layer
from isospike.engine.native.matrix import available
from isospike.engine.native.trains import KEPT, Trains, enabled, kept_room
from isospike.engine.run import Observer, Run, overflow
from isospike.errors import UsageError
from isospike.graph.graph import Node, apply
from isospike.program import Program

# Frames in one piece of work: more than in the dense engine, since the weights of a wide layer are
# read once for each piece and trains are a quarter of the size.
ROWS = 512
ENTRIES = 2**31 - 2**10  # of a list at most


def suits(program: Program, x: Tensor, observers: Sequence[Observer]) -> bool:
    """May the events engine do better than the dense one: do sites of the program have kernels?"""
    cpu = x.dtype == torch.float32 and x.device.type == "cpu"
    return cpu and enabled() and not observers and bool(prepared(program).at)


@torch.no_grad()
def run_events(
    program: Program,
    x: Tensor,
    steps: Sequence[int],
    observers: Sequence[Observer] = (),
    tally: bool = True,
    way: str = "walk",
) -> Run:
    """x [B, ...]; readings at sorted `steps`; without `tally` spikes are not counted.

    way: how segments are run. walk: spike by spike; multiply: on the matrix unit of the processor,
    where the segment suits it, at a cost that does not depend on the spikes; cheapest: multiply
    where spikes are many, dense where that is faster on this machine, else walk.
    UsageError without the native kernels or the unit, and with observers, who want to see every
    drive.
    """
    if observers:
        raise UsageError("the events engine stores no drive to observe: use engine='dense'")
    if not enabled():
        raise UsageError(
            "the events engine is made of native kernels, which are not built or turned off "
            "(ISOSPIKE_NATIVE): use engine='dense'"
        )
    if way == "multiply" and not available():
        raise UsageError(
            "the matrix engine needs a processor with a matrix unit for 8-bit numbers (AMX) and "
            "Linux: use engine='auto'"
        )
    events = Events(program, list(steps), tally, way)
    frames = min(ROWS, ENTRIES // events.layers.entries)
    length = max(1, min(max(steps), CHUNK, frames))
    return Run.join([events.run(part, length) for part in x.split(max(1, frames // length))])


class Events(Dense):
    """Values are tensors, or trains until someone wants the tensor; nodes run when asked for."""

    def __init__(self, program: Program, steps: list[int], tally: bool, way: str) -> None:
        super().__init__(program, steps, (), tally)
        self.wanted = way
        self.layers: Layers = prepared(program)
        self.dead = self.layers.dead
        self.steady: dict[str, Tensor] = {}  # of the micro-batch
        self.room = kept_room()

    def run(self, x: Tensor, length: int) -> Run:
        self.steady.clear()
        run = super().run(x, length)
        self.room.shrink(KEPT)
        return run

    def drop(self, value: Tensor | Trains | None) -> None:
        if isinstance(value, Trains):
            value.release()

    def visit(self, node: Node, values, held, start: int, count: int, states, run: Run) -> None:
        if not node.is_site:
            if node.name in self.edge:
                self.value(node.name, values, held, count)
            return
        layer = self.layers.at.get(node.name)
        if layer is None:
            z = self.value(node.inputs[0], values, held, count).contiguous()
            still = self.stands(node.inputs[0], values, held)
            values[node.name] = self.site(node, z, still, start, count, states, run)
            return
        trains = self.fire(node, layer, values, held, start, count, states)
        if not trains.sound:
            raise overflow(node)
        values[node.name] = trains
        if start + count == self.steps[-1] + self.settle:
            self.room.give(states.pop(node.name))
        if self.counting:
            for steps, first, last in self.pieces(start, count):
                run.tally(node.name, steps, trains.counts(first, last))

    def fire(self, node: Node, layer: Layer, values, held, start, count: int, states) -> Trains:
        """The trains of a site that has a kernel."""
        segment = layer.segment
        trains = {each.site: values[each.site] for each in (*segment.mixed, *segment.channelwise)}
        batch = next(iter(held.values())).shape[0]
        if node.name not in states:
            states[node.name] = layer.memory(batch, self.room)
        state = states[node.name]
        way = self.way(layer, trains, batch * count) if segment.walked else "dense"
        if way != "dense":
            steady = self.still(node, layer, held)
            frames = [self.value(name, values, held, count) * s for name, s in segment.frames]
            moving = _last(sum(frames[1:], frames[0]), count) if frames else None
            serve = layer.multiply if way == "multiply" else layer.walk
            return serve(trains, steady, moving, state, start, count, self.room)
        if not segment.walked and not segment.frames:
            still = self.still(node, layer, held)
            return layer.fire(still, None, state, start, count, self.room)
        z = self.value(node.inputs[0], values, held, count)
        bias = layer.unit.bias
        drive = _last(z if bias is None else z + bias, count)
        return layer.fire(None, drive, state, start, count, self.room)

    def way(self, layer: Layer, trains, frames: int) -> str:
        """walk, multiply or dense."""
        if self.wanted == "multiply":
            return "multiply" if layer.suits_matrix(trains) else "walk"
        if self.wanted == "cheapest":
            if layer.multiply_is_faster(trains, frames):
                return "multiply"
            return "dense" if dense_is_faster(layer, trains, frames) else "walk"
        return "walk"

    def still(self, node: Node, layer: Layer, held) -> Tensor | None:
        """Drive that is the same at every step [B, H, W, C], in units of theta."""
        if not layer.segment.steady:
            return None
        if node.name not in self.steady:
            parts = [held[name] * s if s != 1 else held[name] for name, s in layer.segment.steady]
            z = sum(parts[1:], parts[0])
            alone = not (layer.segment.walked or layer.segment.frames)
            if alone and layer.unit.bias is not None:
                z = z + layer.unit.bias
            self.steady[node.name] = _last(z, 1)[0] / layer.theta
        return self.steady[node.name]

    def value(self, name: str, values, held, count: int) -> Tensor:
        """The tensor `name`: [count * B, ...], or [B, ...] where it stands still."""
        if self.stands(name, values, held):
            return held[name]
        if name not in values:
            node = self.graph[name]
            inputs = [self.value(source, values, held, count) for source in node.inputs]
            moving = [not self.stands(source, values, held) for source in node.inputs]
            values[name] = apply(self.graph, node, aligned(inputs, moving, count))
        found = values[name]
        return found.floats if isinstance(found, Trains) else found

    @staticmethod
    def stands(name: str, values, held) -> bool:
        return name in held and name not in values  # frames of a coder come before the image

    def total(self, moving: Tensor | Trains, first: int, last: int, count: int) -> Tensor:
        if isinstance(moving, Trains):
            return moving.total(first, last)
        return super().total(moving, first, last, count)


def _last(z: Tensor, count: int) -> Tensor:
    """[T * B, C, ...] -> [T, B, H, W, C]"""
    z = z[:, :, None] if z.dim() == 3 else z[..., None, None] if z.dim() == 2 else z
    return z.permute(0, 2, 3, 1).contiguous().unflatten(0, (count, len(z) // count))
