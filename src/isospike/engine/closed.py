"""The separated schedule without its steps: one pass of the size of the network, whatever T is.

A layer needs only the sum of what it received, so every value here is that sum: theta times the
code, with constants multiplied by the gain. The spikes reported are those the trains would hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isospike.engine import native
from isospike.engine.early import run_early
from isospike.engine.run import Observer, Run, scratch
from isospike.errors import UsageError
from isospike.graph.graph import Node, execute
from isospike.program import Program
from isospike.schedule import Separated
from isospike.units.analogue import Analogue
from isospike.units.few_spike import FewSpike
from isospike.units.radix import Radix

ROWS = 128


@torch.no_grad()
def run_closed(
    program: Program,
    x: Tensor,
    steps: Sequence[int],
    observers: Sequence[Observer] = (),
    tally: bool = True,
) -> Run:
    """x [B, ...]; one pass per reading, or P of them where layers fire early. UsageError for a
    schedule that is not separated."""
    if not isinstance(program.schedule, Separated):
        raise UsageError("the closed engine runs the separated schedule only: use engine='dense'")
    if observers:
        raise UsageError("the closed engine has no steps to observe: use engine='steploop'")
    if program.schedule.early:
        return run_early(program, x, steps)
    return Run.join([_micro(program, part, steps, tally) for part in x.split(ROWS)])


def _micro(program: Program, x: Tensor, steps: Sequence[int], tally: bool) -> Run:
    run, own = Run(), scratch(program.graph)
    code = program.schedule.code  # type: ignore[union-attr]
    for each in steps:
        gain = code.gain(each)

        def site(node: Node, z: Tensor, each: int = each, gain: float = gain) -> Tensor:
            unit = program.units[node.name]
            assert isinstance(unit, Radix | FewSpike | Analogue)
            if isinstance(unit, Radix) and native.serves(unit, z):
                value, spikes = native.encode(unit, z, gain, each, node.inputs[0] in own, tally)
            else:
                value, spikes = unit.send(z, gain, each)
            if tally and spikes is not None:
                run.tally(node.name, each, spikes)
            return value

        run.outputs[each] = execute(program.graph, x * gain, site, gain) / gain
    return run
