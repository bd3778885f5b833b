"""The neuron of temporal switch coding: what it sends lasts until the next event.

    v(t) = v(t-1) + d(t),   o(t) = H(v(t) - 1),   v(t) <- v(t) - o(t)

o(t) is the state of a switch, and an event is sent only when it turns: +1 on, -1 off. A synapse
adds its weight at every step while the switch is on, so a value takes two events however large it
is, if its neuron fires without a break. Counts and static transfer are those of integrate and fire.

Source: Han & Roy, ECCV 2020 (TSC); the paper's neuron is reconstructed from its idea.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from isospike.units.binary import IF
from isospike.units.coders import switches
from isospike.units.neuron import Paired


@dataclass(frozen=True, kw_only=True)
class Switched(Paired, IF):
    """State [2, B, ...]: the membrane, and whether the switch was on."""

    def scan(
        self, z: Tensor, state: Tensor | None, start: int = 0, scratch: bool = False
    ) -> tuple[Tensor, Tensor]:
        state = self.start(z[0]) if state is None else state
        spikes, _ = super().scan(z, state[0], start, scratch)
        if len(spikes):
            state[1].copy_(spikes[-1])
        return spikes, state

    def events(self, spikes: Tensor, mark: Tensor | None = None, start: int = 0) -> Tensor:
        """1 where the switch turns."""
        return switches(spikes, mark)
