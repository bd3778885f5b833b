"""The order of computation and what it costs in steps.

synchronous   every layer works at every step: the answer is out after T steps
separated     a layer first accumulates for one phase, then fires for one phase while the next layer
              accumulates: (D + 1) phases until the answer, one image every two phases, with D
              spiking layers on the longest path (Liu et al. 2022)
"""

from __future__ import annotations

from dataclasses import dataclass

from isospike.units.radix import RadixCode


@dataclass(frozen=True)
class Synchronous:
    """One pass gives the reading at every step up to T."""

    anytime = True
    extra = 0
    hardware_class = "H0"

    def latency(self, depth: int, steps: int) -> int:
        """Steps until the answer is out."""
        return steps

    def interval(self, steps: int) -> int:
        """Steps between two images."""
        return steps


@dataclass(frozen=True)
class Separated:
    """k, extra: see RadixCode. T is the length of a phase without its extra steps."""

    k: float = 2.0
    extra: int = 0
    anytime = False
    hardware_class = "H3"

    @property
    def code(self) -> RadixCode:
        return RadixCode(float(self.k), self.extra)

    def phase(self, steps: int) -> int:
        return steps + self.extra

    def latency(self, depth: int, steps: int) -> int:
        """(D + 1) phases."""
        return (depth + 1) * self.phase(steps)

    def interval(self, steps: int) -> int:
        """Two phases: a neuron has one potential, and needs it for both."""
        return 2 * self.phase(steps)


Schedule = Synchronous | Separated
