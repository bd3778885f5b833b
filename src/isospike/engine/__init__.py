"""Engines run a Program; which one serves never changes the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from isospike.engine.closed import run_closed
from isospike.engine.cuda import full_precision
from isospike.engine.decoder import softmax_spikes
from isospike.engine.dense import CHUNK, ROWS, run_dense
from isospike.engine.events import run_events, suits
from isospike.engine.native import clip as clip
from isospike.engine.probe import probed
from isospike.engine.run import Observer, Run, checked_steps
from isospike.engine.steploop import run_steploop
from isospike.errors import UsageError
from isospike.program import Program
from isospike.schedule import Probed, Separated, Synchronous

MICRO = ROWS // CHUNK  # images that are probed together: no engine splits so few

ENGINES: dict[str, Callable[..., Run]] = {
    "steploop": run_steploop,
    "dense": run_dense,
    "closed": run_closed,
    "events": run_events,
    "matrix": partial(run_events, way="multiply"),
}
BY_EVENTS = ("events", "matrix")


def run(
    program: Program,
    x: Tensor,
    steps: int | Sequence[int],
    observers: Sequence[Observer] = (),
    engine: str = "auto",
    **options: Any,
) -> Run:
    """Readings of `program` on x [B, ...] at every T of `steps`.

    engine: auto, steploop, dense, closed, events, or matrix, which is events on the matrix unit of
    the processor; UsageError names one that cannot run the schedule. auto: closed for the separated
    schedule; else events, which takes the matrix unit or the dense way through segments where that
    is faster, or dense where nothing has a kernel.
    """
    readings = checked_steps(steps)
    separated = isinstance(program.schedule, Separated)
    if engine == "auto":
        engine = "closed" if separated else "dense"
        if isinstance(program.schedule, Synchronous) and suits(program, x, observers):
            engine, options = "events", {**options, "way": "cheapest"}
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}: auto, {', '.join(ENGINES)}")
    if engine in ("dense", *BY_EVENTS) and separated:
        raise UsageError(
            f"the {engine} engine cannot run the separated schedule: use engine='closed'"
        )
    if engine in BY_EVENTS and not isinstance(program.schedule, Synchronous):
        raise UsageError(
            f"the {engine} engine has no probe and no settling steps: use engine='dense'"
        )
    with full_precision(x):
        return _scheduled(program, x, readings, partial(
            ENGINES[engine], observers=observers, **options
        ))  # fmt: skip


def _scheduled(program: Program, x: Tensor, readings: list[int], call: Callable[..., Run]) -> Run:
    # Where a phase or a coder's remainder belongs to one T, every reading is a run of its own.
    groups = [readings] if program.anytime else [[each] for each in readings]
    way = call
    if isinstance(program.schedule, Probed):
        way = partial(_probed_run, call=call)
    elif isinstance(program.schedule, Synchronous) and program.schedule.draws:
        way = partial(_drawn_run, call=call)
    elif isinstance(program.schedule, Synchronous) and program.schedule.delay:
        way = partial(_delayed_run, call=call)
    return Run.merge(way(program, x, group) for group in groups)


def _probed_run(program: Program, x: Tensor, steps: list[int], call: Callable[..., Run]) -> Run:
    # Each piece with potentials of its own; an observer sees the batch whole.
    parts = [x] if call.keywords["observers"] else x.split(MICRO)  # type: ignore[attr-defined]
    runs = []
    for part in parts:
        corrected, spikes = probed(program, part)
        runs.append(call(corrected, part, steps))
        runs[-1].probed(spikes)
    return Run.join(runs)


def _delayed_run(program: Program, x: Tensor, steps: list[int], call: Callable[..., Run]) -> Run:
    """Readings without the first steps: T mean(1 .. T) - d mean(1 .. d), over T - d steps."""
    skipped = program.schedule.skipped  # type: ignore[union-attr]
    run = call(program, x, sorted({*steps, *(skipped(t) for t in steps)} - {0}))
    outputs = {}
    for t in steps:
        d = skipped(t)
        whole = run.outputs[t]
        outputs[t] = (whole * t - run.outputs[d] * d) / (t - d) if d else whole
    return Run(outputs, _counts(run, steps))


def _drawn_run(program: Program, x: Tensor, steps: list[int], call: Callable[..., Run]) -> Run:
    """Readings of the softmax decoder, which needs the logits of every step."""
    run = call(program, x, list(range(1, max(steps) + 1)))
    seed = program.schedule.seed  # type: ignore[union-attr]
    return Run(softmax_spikes(run.outputs, steps, seed), _counts(run, steps))


def _counts(run: Run, steps: list[int]) -> dict[str, dict[int, Tensor]]:
    return {site: {t: at[t] for t in steps} for site, at in run.counts.items()}
