"""A spiking network as an nn.Module: logits in, logits out, like the network it came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from isospike.engine import run
from isospike.engine.memory import fitting
from isospike.engine.run import Observer, Run, check_finite, check_input, checked_steps
from isospike.engine.stream import Stream
from isospike.errors import DataError, UsageError
from isospike.graph.graph import Node, execute
from isospike.program import Program
from isospike.schedule import Separated, Settled
from isospike.units.coders import Frames


class SpikingNetwork(nn.Module):
    """A Program, a number of steps and a choice of engine.

    `snn(x [B, ...]) -> logits [B, classes]` after `steps` steps. No state is kept between calls.
    """

    def __init__(self, program: Program, steps: int, engine: str = "auto") -> None:
        super().__init__()
        self.program = program
        (self.steps,) = checked_steps([steps])
        self.engine = engine

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x, self.steps, tally=False).outputs[self.steps]

    def run(
        self,
        x: Tensor,
        steps: int | Sequence[int],
        observers: Sequence[Observer] = (),
        **options: bool,
    ) -> Run:
        """Readings at every T of `steps`, with spike counts.

        DataError: images of another shape or type, not finite, or not where the network is;
        UsageError: more images than the memory of a GPU holds.
        """
        self.check(x)
        engine = "steploop" if observers and self.engine == "closed" else self.engine
        if engine in ("steploop",):
            options = {}
        found = fitting(
            lambda part: run(self.program, part, steps, observers, engine, **options), x
        )
        if not check_finite(found.outputs):
            raise DataError(f"the outputs become NaN or infinite, first at {self._overflow(x)}")
        return found

    def _overflow(self, x: Tensor) -> str:
        """The first node that is not finite on x [B, ...], every neuron by its static transfer."""
        graph, broken = self.program.graph, []

        def watch(node: Node, value: Tensor) -> None:
            if not value.isfinite().all():
                broken.append(node)

        units = self.program.units
        execute(graph, x, lambda node, z: units[node.name].dual(z, self.steps), watch=watch)
        # What only the sum over time overflows is the read-out.
        node: Node = next(iter(broken), graph[graph.output])
        return node.place

    def run_frames(self, frames: Tensor, steps: int | Sequence[int] | None = None) -> Run:
        """Readings on frames [T, B, ...], one a step, in place of an image that stands still.

        steps: by default after the last frame. UsageError on a separated schedule.
        """
        if isinstance(self.program.schedule, Separated | Settled):
            raise UsageError("frames are read step by step: take a synchronous recipe")
        check_input(frames, self.program.graph, 2)
        program = replace(self.program, coder=Frames())
        wanted = len(frames) if steps is None else steps
        found = run(program, frames.transpose(0, 1), wanted, (), self.engine)
        if not check_finite(found.outputs):
            raise DataError("the outputs become NaN or infinite")
        return found

    def stream(self) -> Stream:
        """A run that goes on, frame by frame; see engine/stream.py."""
        return Stream(self.program)

    def check(self, x: Tensor) -> None:
        """DataError unless x is a batch of images of the shape that this network takes."""
        check_input(x, self.program.graph)

    def unspike(self) -> Callable[[Tensor], Tensor]:
        """Every neuron replaced by its static transfer over `steps` steps."""
        return self.program.unspike(self.steps)

    @property
    def recipe(self) -> str:
        return self.program.provenance.get("recipe", "")

    @property
    def provenance(self) -> dict[str, Any]:
        return dict(self.program.provenance)

    @property
    def latency(self) -> int:
        """Steps until the answer is out."""
        return self.program.latency(self.steps)

    def save(self, path: str | Path) -> None:
        """One safetensors file with everything; loads without the model's class."""
        from isospike.serialise import save

        save(self, Path(path))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True):
        """Moves and casts (`.to`, `.cuda`, `.double`) reach the program's tensors."""
        self.program = self.program.map_tensors(fn)
        return super()._apply(fn, recurse)

    def extra_repr(self) -> str:
        sites = len(self.program.graph.sites)
        return f"recipe={self.recipe}, steps={self.steps}, latency={self.latency}, sites={sites}"
