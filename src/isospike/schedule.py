"""The order of computation and what it costs in steps.

synchronous   every layer works at every step: the answer is out after T steps
settled       after T steps nothing more comes in, and the network runs on until its signed neurons
              have taken back what was too much
probed        a first run shows which neurons fire wrongly; the second, corrected, is the answer
separated     a layer first accumulates for one phase, then fires for one phase while the next layer
              accumulates: (D + 1) phases until the answer, one image every two phases, with D
              spiking layers on the longest path (Liu et al. 2022)
"""

from __future__ import annotations

from dataclasses import dataclass

from isospike.units.first_spike import FirstSpikeCode
from isospike.units.radix import RadixCode


@dataclass(frozen=True)
class Synchronous:
    """One pass gives the reading at every step up to T.

    delay: first steps that the read-out leaves out, at most half of T (Bu et al. 2025, "delayed
    evaluation"): the spikes that reach it then are of neurons that have just begun.
    decoder: "mean", the logits over the steps; or "softmax", a class drawn at each step, by `seed`
    (engine/decoder.py).
    """

    delay: int = 0
    decoder: str = "mean"
    seed: int = 0
    anytime = True
    hardware_class = "H0"

    @property
    def plain(self) -> bool:
        """Is the reading the mean of the logits of all steps?"""
        return not self.delay and not self.draws

    def extra_steps(self, depth: int) -> int:
        """Steps beyond T that an answer takes."""
        return 0

    def latency(self, depth: int, steps: int) -> int:
        """Steps until the answer is out."""
        return steps

    def interval(self, steps: int) -> int:
        """Steps between two images."""
        return steps

    def updates(self, steps: int) -> int:
        """Updates of one neuron until the answer at T."""
        return steps

    def frames(self, steps: int) -> int:
        """Steps in which spikes reach a layer until the answer at T."""
        return steps

    @property
    def draws(self) -> bool:
        return self.decoder == "softmax"

    def skipped(self, steps: int) -> int:
        """Steps that the reading at T leaves out."""
        return min(self.delay, steps // 2)


@dataclass(frozen=True)
class Settled:
    """`settle` silent steps after T: no input, no constants. With signed neurons and as many steps
    as the network is deep, counts become those of the quantised network."""

    settle: int = 8
    anytime = False
    hardware_class = "H2"

    def extra_steps(self, depth: int) -> int:
        return self.settle

    def latency(self, depth: int, steps: int) -> int:
        return steps + self.settle

    def interval(self, steps: int) -> int:
        return steps + self.settle

    def updates(self, steps: int) -> int:
        return steps + self.settle

    def frames(self, steps: int) -> int:
        return steps + self.settle


@dataclass(frozen=True)
class Probed:
    """A probe of `probe` steps, then v(0) anew for every neuron and image, then the run (H4).

    rule "mask":  the whole network is probed once; a neuron that ends with v <= 0.001 stays silent
                  (Hao et al., AAAI 2023, SRP)
    rule "shift": layer after layer; a neuron that has fired too much loses a threshold, one that
                  still could fire gains one: one spike fewer or more (Hao et al., ICLR 2023, COS)
    """

    probe: int = 4
    rule: str = "mask"
    anytime = True
    hardware_class = "H4"

    def extra_steps(self, depth: int) -> int:
        return self.latency(depth, 0)

    def latency(self, depth: int, steps: int) -> int:
        """Layer after layer, each layer waits for the last spike of the one below."""
        rounds = depth if self.rule == "shift" else 1
        return rounds * (self.probe + steps)

    def interval(self, steps: int) -> int:
        return self.probe + steps

    def updates(self, steps: int) -> int:
        """A shifted neuron goes through its probe twice: as it was, and corrected, over drives that
        it stored, so that the layers below fire once."""
        return self.probe * (2 if self.rule == "shift" else 1) + steps

    def frames(self, steps: int) -> int:
        return self.probe + steps


@dataclass(frozen=True)
class Separated:
    """k, extra: see RadixCode. T is the length of a phase without its extra steps.

    ratio: above 1, at most one spike a phase, the sooner the larger the value: that of the
    first step's spike to the last one's (units/first_spike.py); k and extra are not used then.
    early: share of a phase by which a layer begins to fire before the one below has ended (Park et
    al. 2020, "early firing"): D phases until the answer become so much shorter, and what comes
    after a neuron has fired is lost to it (engine/early.py).
    """

    k: float = 2.0
    extra: int = 0
    ratio: float = 0.0
    early: float = 0.0
    anytime = False
    hardware_class = "H3"

    @property
    def code(self) -> RadixCode:
        if self.ratio > 1:
            return FirstSpikeCode(ratio=float(self.ratio))
        return RadixCode(float(self.k), self.extra)

    def extra_steps(self, depth: int) -> int:
        return self.code.extra

    def phase(self, steps: int) -> int:
        return steps + self.code.extra

    def lead(self, steps: int) -> int:
        """Steps from the first of a layer's phase to the first of the next layer's."""
        phase = self.phase(steps)
        return max(1, phase - int(self.early * phase))

    def latency(self, depth: int, steps: int) -> int:
        """(D + 1) phases where none begins early."""
        return depth * self.lead(steps) + self.phase(steps)

    def interval(self, steps: int) -> int:
        """Until a neuron has charged and fired: it has one potential and needs it for both."""
        return self.lead(steps) + self.phase(steps)

    def updates(self, steps: int) -> int:
        """One phase of charge, one of fire; once where they overlap."""
        return self.lead(steps) + self.phase(steps)

    def frames(self, steps: int) -> int:
        return self.phase(steps)


Schedule = Synchronous | Settled | Probed | Separated
