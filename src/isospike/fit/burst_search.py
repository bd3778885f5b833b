"""How many spikes a step each layer may send, and how large: few where the output does not care.

    S(l, c, r)   KL divergence of the outputs when layer l alone is held to bursts of c spikes and
                 to r times its threshold
    N(l, c, r)   spikes of layer l then
    minimise sum_l S(l, c_l, r_l)   with   sum_l N(l, c_l, r_l) <= budget * sum_l N(l, largest c, 1)

Both sums are over layers taken one by one, so for a price p of a spike each layer takes what has
the least S + p N, and the price is found by bisection. Then everything is fitted once more.
Source: Wang et al., AAAI 2025 (AdaFire: sensitivity spike compression by a threshold ratio for each
layer, burst search). The paper walks a Pareto front of the same two sums, and its divergence is
symmetric and from the source network; ours is from the network with the longest bursts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from isospike.engine import run
from isospike.fit.site import bounded
from isospike.program import Program
from isospike.units.binary import IF

ROUNDS = 60  # of the bisection
LARGEST_PRICE = 1e6

Form = tuple[int, float]  # cap, and ratio of the threshold
Choice = dict[str, dict[Form, tuple[float, float]]]  # site -> form -> (S, N)


@dataclass(frozen=True)
class BurstSearch:
    """budget: share of the spikes that bursts of the largest cap would send; images: for S and
    N."""

    budget: float = 0.8
    images: int = 64
    key = "caps"
    caps = (1, 2, 4)
    ratios = (1.0, 1.5, 2.0)
    depends_on_steps = True
    needs_drive = True

    def choose(self, fit: Callable[[int], Program], images: Tensor, steps: int) -> dict[str, Form]:
        """Site -> form; `fit(cap)` gives the network with that cap everywhere."""
        programs = {cap: fit(cap) for cap in self.caps}
        known = sensitivities(programs, self.ratios, images[: self.images], steps)
        return cheapest(known, self.budget)


@torch.no_grad()
def sensitivities(
    programs: dict[int, Program], ratios: Sequence[float], images: Tensor, steps: int
) -> Choice:
    """S and N of every neuron site of the program with the largest cap, in each form."""
    base = programs[max(programs)]
    expected = run(base, images, steps).outputs[steps].log_softmax(1)
    found: Choice = {}
    for name, unit in base.units.items():
        if not isinstance(unit, IF):
            continue
        found[name] = {}
        for cap, ratio in product(programs, ratios):
            own = programs[cap].units[name]
            assert isinstance(own, IF)
            own = bounded(replace(own, theta=own.theta * ratio), base.graph, base.graph[name])
            units = {**base.units, name: own}
            done = run(Program(base.graph, units, base.schedule, base.coder), images, steps)
            answer = done.outputs[steps].log_softmax(1)
            apart = (expected.exp() * (expected - answer)).sum(1).mean()
            found[name][cap, ratio] = (float(apart), float(done.counts[name][steps].sum()))
    return found


def cheapest(known: Choice, budget: float) -> dict[str, Form]:
    """The forms with the least sum of S within the budget of spikes; else the thriftiest ones."""
    allowed = budget * sum(at[max(cap for cap, _ in at), 1.0][1] for at in known.values())
    low, high = 0.0, LARGEST_PRICE
    for _ in range(ROUNDS):
        price = (low * high) ** 0.5 if low else high / 2**30
        if _spikes(known, _taken(known, price)) > allowed:
            low = price
        else:
            high = price
    return _taken(known, high)


def _taken(known: Choice, price: float) -> dict[str, Form]:
    return {
        site: min(at, key=lambda form: at[form][0] + price * at[form][1])
        for site, at in known.items()
    }  # fmt: skip


def _spikes(known: Choice, forms: dict[str, Form]) -> float:
    return sum(known[site][form][1] for site, form in forms.items())
