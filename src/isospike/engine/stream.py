"""One run that goes on: frames come one after the other, and the reading is there after each.

A `Stream` holds all state of its run, so any number of them go side by side, and what they answer
after t steps is what a run of t steps answers. Samples that need no more steps may leave the batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from isospike.engine.cuda import full_precision
from isospike.engine.dense import CHUNK, Dense
from isospike.engine.run import MAX_STEPS, Run, check_finite, check_input, check_potentials
from isospike.errors import DataError, UsageError
from isospike.program import Program
from isospike.schedule import Synchronous
from isospike.units.coders import Constant, Frames


class Stream:
    """steps: how many have been; state: site -> what its neurons hold, [B, ...] or [2, B, ...].

    UsageError for a schedule with phases, probes, settling steps, or a read-out that is delayed or
    drawn: their answer belongs to one T.
    """

    def __init__(self, program: Program) -> None:
        if not isinstance(program.schedule, Synchronous) or not program.schedule.plain:
            raise UsageError("a stream goes on for any number of steps: take a synchronous recipe")
        if not isinstance(program.coder, Constant | Frames):
            raise UsageError("a stream takes frames as they are: coder=direct")
        self.program, self.steps = program, 0
        self.state: dict[str, Any] = {}
        self._dense = Dense(program, [MAX_STEPS], (), True)
        self._held: dict[str, Tensor] = {}
        self._sums: dict[str, dict[int, Tensor]] = {name: {} for name in self._dense.edge}
        self._run = Run()

    @torch.no_grad()
    def hold(self, x: Tensor, count: int = 1) -> Tensor:
        """`count` steps with x [B, ...] as the input of each -> the reading [B, classes]."""
        self._check_count(count)
        self._check(x, 1)
        with full_precision(x):
            self._held = self._dense.hold(x)
        return self._advance(None, count)

    @torch.no_grad()
    def go_on(self, count: int = 1) -> Tensor:
        """`count` more steps with the input of the last `hold` -> the reading [B, classes]."""
        self._check_count(count)
        if not self._held:
            raise UsageError("nothing is held: hold(x) first")
        return self._advance(None, count)

    @torch.no_grad()
    def step(self, frames: Tensor) -> Tensor:
        """One frame [B, ...], or several [n, B, ...] -> the reading after the last [B, classes]."""
        single = frames.dim() == len(self.program.graph.input_shape) + 1
        frames = frames[None] if single else frames
        self._check_count(len(frames))
        self._check(frames, 2)
        self._held = {}
        return self._advance(frames, len(frames))

    @property
    def counts(self) -> dict[str, Tensor]:
        """Site -> spikes of each neuron so far, summed over the batch, int64."""
        return {site: at[MAX_STEPS] for site, at in self._run.counts.items()}

    def keep(self, rows: Tensor) -> None:
        """The samples `rows` (bool [B]) go on, the others leave the batch."""
        units = self.program.units
        self.state = {n: units[n].select(state, rows) for n, state in self.state.items()}  # type: ignore[union-attr]
        self._sums = {n: {t: v[rows] for t, v in at.items()} for n, at in self._sums.items()}
        self._held = {name: value[rows] for name, value in self._held.items()}

    def _advance(self, frames: Tensor | None, count: int) -> Tensor:
        graph = self.program.graph
        for start in range(0, count, CHUNK):
            end, before = min(start + CHUNK, count), self.steps
            part = None if frames is None else frames[start:end]
            self.steps += end - start
            with full_precision(self._held[graph.input] if part is None else part):
                self._dense.chunk(
                    before, self.steps, part, self._held, self.state, self._sums, self._run
                )
        check_potentials(self.program, self.state)
        sums = {name: at[MAX_STEPS] for name, at in self._sums.items()}
        reading = self._dense.read_out(sums, self.steps)
        if not check_finite({self.steps: reading}):
            raise DataError(f"the reading after {self.steps} steps is NaN or infinite")
        return reading

    def _check_count(self, count: int) -> None:
        if not 1 <= count <= MAX_STEPS - self.steps:
            raise UsageError(
                f"a stream goes on by 1 to {MAX_STEPS - self.steps} steps, not {count}"
            )

    def _check(self, x: Tensor, leading: int) -> None:
        check_input(x, self.program.graph, leading)
        going = next(iter(self._sums.values()), {}).get(MAX_STEPS)
        batch = len(going) if going is not None else None
        if batch is not None and x.shape[leading - 1] != batch:
            raise DataError(f"{batch} samples go on, got frames of {x.shape[leading - 1]}")
