"""How many spikes a step each layer may send: few where the output does not care.

    S(l, c)   KL divergence of the outputs when layer l alone is held to bursts of c
    N(l, c)   spikes of layer l then
    minimise sum_l S(l, c_l)   with   sum_l N(l, c_l) <= budget * sum_l N(l, largest c)

Both sums are over layers taken one by one, so for a price p of a spike each layer takes the c with
the least S + p N, and the price is found by bisection. Then everything is fitted once more.
Source: Wang et al., AAAI 2025 (AdaFire: sensitivity spike compression, burst search). The paper
walks a Pareto front of the same two sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.engine import run
from isospike.program import Program
from isospike.units.binary import IF

ROUNDS = 60  # of the bisection
LARGEST_PRICE = 1e6

Choice = dict[str, dict[int, tuple[float, float]]]  # site -> cap -> (S, N)


@dataclass(frozen=True)
class BurstSearch:
    """budget: share of the spikes that bursts of the largest cap would send; images: for S and
    N."""

    budget: float = 0.8
    images: int = 128
    key = "caps"
    caps = (1, 2, 4)
    depends_on_steps = True
    needs_drive = True

    def choose(self, fit: Callable[[int], Program], images: Tensor, steps: int) -> dict[str, int]:
        """Site -> cap; `fit(cap)` gives the network with that cap everywhere."""
        programs = {cap: fit(cap) for cap in self.caps}
        return cheapest(sensitivities(programs, images[: self.images], steps), self.budget)


@torch.no_grad()
def sensitivities(programs: dict[int, Program], images: Tensor, steps: int) -> Choice:
    """S and N of every neuron site of the program with the largest cap, and of each cap."""
    base = programs[max(programs)]
    expected = run(base, images, steps).outputs[steps].log_softmax(1)
    found: Choice = {}
    for name, unit in base.units.items():
        if not isinstance(unit, IF):
            continue
        found[name] = {}
        for cap, program in programs.items():
            units = {**base.units, name: program.units[name]}
            done = run(Program(base.graph, units, base.schedule, base.coder), images, steps)
            answer = done.outputs[steps].log_softmax(1)
            apart = (expected.exp() * (expected - answer)).sum(1).mean()
            found[name][cap] = (float(apart), float(done.counts[name][steps].sum()))
    return found


def cheapest(known: Choice, budget: float) -> dict[str, int]:
    """The caps with the least sum of S within the budget of spikes; else the thriftiest ones."""
    allowed = budget * sum(at[max(at)][1] for at in known.values())
    low, high = 0.0, LARGEST_PRICE
    for _ in range(ROUNDS):
        price = (low * high) ** 0.5 if low else high / 2**30
        if _spikes(known, _taken(known, price)) > allowed:
            low = price
        else:
            high = price
    return _taken(known, high)


def _taken(known: Choice, price: float) -> dict[str, int]:
    return {
        site: min(at, key=lambda cap: at[cap][0] + price * at[cap][1])
        for site, at in known.items()
    }  # fmt: skip


def _spikes(known: Choice, caps: dict[str, int]) -> float:
    return sum(known[site][cap][1] for site, cap in caps.items())
