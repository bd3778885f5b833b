"""Operations and energy of one image.

    E = 0.9 pJ * SynOps + 4.6 pJ * MACs        45 nm, 32-bit float add and multiply-add

Source: Horowitz, "Computing's energy problem", ISSCC 2014. Memory and neuron updates are not in the
formula; updates are reported beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from isospike.engine.run import below_sites
from isospike.graph.graph import Graph
from isospike.graph.ops import Kind
from isospike.measure.fanout import connections, fanouts
from isospike.program import Program
from isospike.units.coders import Constant

ACCUMULATE_PJ, MULTIPLY_ACCUMULATE_PJ = 0.9, 4.6


def energy_nj(synops: float, macs: float) -> float:
    """Energy in nanojoules."""
    return (ACCUMULATE_PJ * synops + MULTIPLY_ACCUMULATE_PJ * macs) / 1000


@dataclass(frozen=True)
class Costs:
    """What one spike of each source costs, and what one pass of a graph costs."""

    fanout: Mapping[str, Tensor]
    neurons: Mapping[str, int]
    ann_macs: int  # all weight layers once
    held_macs: int  # what a held image runs through once
    step_macs: int  # second weight layers of a segment: graded input, once a step, all inputs

    @classmethod
    def of(cls, graph: Graph) -> Costs:
        fanout, changing = fanouts(graph), below_sites(graph)
        layers = [n.name for n in graph.nodes if n.kind is Kind.WEIGHT]
        analogue = [n.name for n in graph.sites if n.kind is Kind.ANALOGUE]  # graded values
        moving = [*(name for name in layers if name in changing), *analogue]
        still = [graph.input, *(name for name in layers if name not in changing)]
        firing = [n.name for n in graph.sites if n.kind is Kind.ACTIVATION]
        neurons = {name: int(fanout[name].numel()) for name in firing}
        everything = [*fanout, *layers]
        counts = (connections(graph, sources) for sources in (everything, still, moving))
        return cls(fanout, neurons, *counts)

    def synops(self, counts: Mapping[str, Tensor]) -> int:
        """Site -> spikes per neuron (summed over images): exact synaptic operations."""
        return sum(
            int((n.cpu().double() * self.fanout[s].double()).sum()) for s, n in counts.items()
        )

    def macs(self, program: Program, steps: int) -> int:
        """Multiply-accumulates of one image: the analogue first layer once while the image is held,
        graded layers every step, those of a probe and of settling too. A coder's compensation costs
        one more analogue pass."""
        direct = isinstance(program.coder, Constant)
        analogue = direct or getattr(program.coder, "compensate", False)
        frames = program.schedule.frames(steps)
        return (self.held_macs if analogue else 0) + self.step_macs * frames

    def updates(self, program: Program, steps: int) -> int:
        """Neuron updates of one image."""
        return sum(self.neurons.values()) * program.schedule.updates(steps)
