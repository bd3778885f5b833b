"""The plain reference: step after step, the whole graph at each. For tests, not for speed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isospike.engine.clock import run_clock
from isospike.engine.early import neurons_only
from isospike.engine.pipeline import run_pipelined
from isospike.engine.run import Observer, Run, check_potentials, quiet, settling
from isospike.graph.graph import Node, execute
from isospike.program import Program
from isospike.schedule import Separated


@torch.no_grad()
def run_steploop(
    program: Program, x: Tensor, steps: Sequence[int], observers: Sequence[Observer] = ()
) -> Run:
    """x [B, ...]; readings at `steps`. A separated network is one run per reading."""
    if isinstance(program.schedule, Separated):
        if program.schedule.early:
            neurons_only(program)
            return Run.merge(run_clock(program, x, each) for each in steps)
        return Run.merge(run_pipelined(program, [x], each)[0] for each in steps)
    return _synchronous(program, x, steps, observers)


def _synchronous(
    program: Program, x: Tensor, steps: Sequence[int], observers: Sequence[Observer]
) -> Run:
    frames, settle = program.coder.frames(x, max(steps)), settling(program)
    units, gain = program.units, 1.0
    states: dict[str, Tensor] = {}
    sums: dict[str, Tensor] = {}
    total: Tensor | None = None
    run = Run()

    def site(node: Node, z: Tensor) -> Tensor:
        unit = units[node.name]
        mark = unit.mark(states.get(node.name))  # type: ignore[union-attr]
        spikes, state = unit.scan(z.unsqueeze(0), states.get(node.name), step)  # type: ignore[union-attr]
        states[node.name] = state
        for observer in observers:
            observer.spikes(node.name, step, z.unsqueeze(0), spikes, unit.membrane(state))  # type: ignore[union-attr]
        count = unit.events(spikes, mark, step)[0].sum(0)  # type: ignore[union-attr]
        sums[node.name] = sums[node.name] + count if node.name in sums else count
        return (spikes[0] * unit.amplitude).to(z.dtype)

    for step in range(max(steps) + settle):
        if step == max(steps):  # nothing more comes in
            units, gain, x, frames = quiet(program, step), 0.0, torch.zeros_like(x), None
        y = execute(program.graph, x if frames is None else frames[step], site, gain)
        total = y if total is None else total + y
        if step + 1 - settle in steps:
            reading = step + 1 - settle
            run.outputs[reading] = total / reading
            for name, spikes in sums.items():
                run.tally(name, reading, spikes)
    check_potentials(program, states)
    return run
