"""Separated networks whose layers fire before all that they wait for has come.

A layer's phase begins `lead` steps after that of the layer below, not P. At step t of its phase it
knows the spikes of steps 0 .. t + lead - 1 below, weighted by their codes, and every constant:

    u(t) = (V(t + lead - 1) + v0 - sent) / k^(P-1-t),   Y(t) = H(u(t) - 1),   sent += Y(t) k^(P-1-t)

A value that comes later counts for the steps that are left; what has been sent is not taken back.
Layer after layer, each at all P steps: P passes of the size of the network.

Source: Park et al., DAC 2020 (T2FSNN); for codes with more than one spike it is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from isospike.engine.run import Run, fold_time
from isospike.errors import UsageError
from isospike.graph.graph import Node, execute
from isospike.program import Program
from isospike.schedule import Separated
from isospike.units.radix import Radix, RadixCode

FRAMES = 512  # images x steps at once

# A site, its mean drive and its mean output [B, ...].
Watch = Callable[[Node, Tensor, Tensor], None]


def run_early(
    program: Program, x: Tensor, steps: Sequence[int], watch: Watch = lambda node, z, phi: None
) -> Run:
    """x [B, ...]; `watch` sees every site of every part of the batch. UsageError for a site that is
    no neuron."""
    neurons_only(program)
    size = max(1, FRAMES // max(steps))
    return Run.join([
        Run.merge(_reading(program, part, each, watch) for each in steps) for part in x.split(size)
    ])  # fmt: skip


def neurons_only(program: Program) -> None:
    """UsageError for every other site: it needs the whole sum at once."""
    wrong = [n.place for n in program.graph.sites if not isinstance(program.units[n.name], Radix)]
    if wrong:
        raise UsageError(f"only neurons fire early: schedule.early=0, for {', '.join(wrong)}")


def _reading(program: Program, x: Tensor, steps: int, watch: Watch) -> Run:
    schedule = program.schedule
    assert isinstance(schedule, Separated)
    code, lead, run = schedule.code, schedule.lead(steps), Run()
    gain, digits = code.gain(steps), code.digits(steps)

    def site(node: Node, z: Tensor) -> Tensor:
        unit = program.units[node.name]
        assert isinstance(unit, Radix)
        z = z.unflatten(0, (digits, -1))
        total = code.exact(unit.total(z, gain), steps) + unit.v0
        train, sent = fire(code, total, lead, steps)
        run.tally(node.name, steps, train.sum((0, 1)))
        values = (sent * unit.amplitude).to(z.dtype)
        watch(node, z[-1] / gain, values[-1] / gain)
        return fold_time(values)

    y = execute(program.graph, fold_time((x * gain).expand(digits, *x.shape)), site, gain)
    run.outputs[steps] = y.unflatten(0, (digits, -1))[-1] / gain
    return run


def fire(code: RadixCode, total: Tensor, lead: int, steps: int) -> tuple[Tensor, Tensor]:
    """Spikes [P, B, ...], and the code they have sent up to each step, from the potential
    [P, B, ...] after each step of the phase below, in units of theta."""
    train, sent = torch.zeros_like(total), torch.zeros_like(total)
    before = torch.zeros_like(total[0])
    for t in range(len(total)):
        weight = code.base(steps) ** (len(total) - 1 - t)
        u = (total[min(t + lead, len(total)) - 1] - before) / weight
        train[t] = code.fire(u, steps)
        if code.once:
            train[t] *= before == 0
        before = sent[t] = before + train[t] * weight
    return train, sent
