"""Engines run a Program; which one serves never changes the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from isospike.engine.closed import run_closed
from isospike.engine.dense import run_dense
from isospike.engine.events import run_events, suits
from isospike.engine.run import Observer, Run, checked_steps
from isospike.engine.steploop import run_steploop
from isospike.errors import UsageError
from isospike.program import Program
from isospike.schedule import Separated

ENGINES: dict[str, Callable[..., Run]] = {
    "steploop": run_steploop,
    "dense": run_dense,
    "closed": run_closed,
    "events": run_events,
}


def run(
    program: Program,
    x: Tensor,
    steps: int | Sequence[int],
    observers: Sequence[Observer] = (),
    engine: str = "auto",
    **options: bool,
) -> Run:
    """Readings of `program` on x [B, ...] at every T of `steps`.

    engine: auto, steploop, dense, events or closed; UsageError names one that cannot run the
    schedule. auto: closed for the separated schedule; else events, which takes the dense way
    through segments where that is faster, or dense where nothing has a kernel.
    """
    readings = checked_steps(steps)
    separated = isinstance(program.schedule, Separated)
    if engine == "auto":
        engine = "closed" if separated else "dense"
        if not separated and suits(program, x, observers):
            engine, options = "events", {**options, "choose": True}
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}: auto, {', '.join(ENGINES)}")
    if engine in ("dense", "events") and separated:
        raise UsageError(
            f"the {engine} engine cannot run the separated schedule: use engine='closed'"
        )
    # Where a phase or a coder's remainder belongs to one T, every reading is a run of its own.
    groups = [readings] if program.anytime else [[each] for each in readings]
    return Run.merge(ENGINES[engine](program, x, group, observers, **options) for group in groups)
