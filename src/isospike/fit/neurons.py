"""Which neuron stands at a site: `build(theta, v0)` gives the unit, theta being the largest mean
output that one spike a step could give. Where the source's activation ends (QCFS, ReLU6) the site
makes theta smaller if need be, so that no number of spikes tells more (Neuron.within); a search by
the error that is left (fit/neuron_search.py) may go a little beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from isospike.graph.graph import Node
from isospike.graph.leaky import LEAKY
from isospike.units import differential, lif, signed, switched
from isospike.units.binary import IF
from isospike.units.neuron import Neuron
from isospike.units.timed import Timed


@dataclass(frozen=True)
class Binary:
    """Integrate and fire. reset: "soft" (by subtraction) or "hard" (to zero); leak: what a step
    keeps of the potential."""

    reset: str = "soft"
    leak: float = 1.0
    hardware_class = "H0"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        return IF(theta, v0, reset=self.reset, leak=self.leak)


@dataclass(frozen=True)
class Burst:
    """Up to `cap` spikes a step, each of theta (Li & Zeng 2022); the fit makes theta `scale` times
    what the threshold part finds; `caps`: "site:cap*scale,..." for those that have their own."""

    cap: int = 5
    scale: float = 1.0
    caps: str = ""
    hardware_class = "H2"
    reset = "soft"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        return IF(theta, v0, cap=self.cap)

    def at(self, node: Node) -> Burst:
        """The neuron of one site."""
        own = dict(each.rsplit(":", 1) for each in self.caps.split(",") if each)
        cap, _, scale = own.get(node.name, str(self.cap)).partition("*")
        return Burst(int(cap), float(scale or self.scale))


@dataclass(frozen=True)
class Group:
    """m members with thresholds theta / m, 2 theta / m, ... theta (Lv et al. 2024): a burst of up
    to m spikes of theta / m. v0 is in units of theta / m."""

    members: int = 6
    hardware_class = "H2"
    reset = "soft"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        return IF(theta / self.members, v0, cap=self.members)


@dataclass(frozen=True)
class Signed:
    """Takes spikes back, below v = -low theta, while its count is above 0 (units/signed.py); cap:
    spikes of one step at most, of either sign."""

    low: float = 0.0
    cap: int = 1
    hardware_class = "H2"
    reset = "soft"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        return signed.Signed(theta, v0, low=self.low, cap=self.cap)


@dataclass(frozen=True)
class Leaky:
    """+1 at v >= theta, -1 at v < -theta / slope, which v then gains: its rate is a leaky ReLU of
    the drive (units/signed.py)."""

    slope: float
    hardware_class = "H2"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        back = 1 / self.slope
        return signed.Signed(theta, v0, low=back, back=back, least=None)


@dataclass(frozen=True)
class Imbalanced:
    """`Leaky` where the source has a leaky ReLU, plain where it has a ReLU (Kim et al. 2020)."""

    hardware_class = "H2"
    reset = "soft"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        return Binary().build(theta, v0)

    def at(self, node: Node) -> Leaky | Binary:
        """The neuron of one site."""
        return Leaky(float(node.attrs["slope"])) if node.op == LEAKY else Binary()  # type: ignore[arg-type]


@dataclass(frozen=True)
class Phased:
    """Spikes that weigh what their phase of a period of steps says (units/timed.py)."""

    period: int = 8
    hardware_class = "H3"
    reset = "soft"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        return Timed(theta, v0, period=self.period)


@dataclass(frozen=True)
class Switched:
    """Events only where what is sent changes (units/switched.py)."""

    hardware_class = "H3"
    reset = "soft"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        return switched.Switched(theta, v0)


@dataclass(frozen=True)
class Differential:
    """Sends changes of its rate, in `levels` sizes; the largest is a threshold (units/
    differential.py)."""

    levels: int = 8
    hardware_class = "H4"
    reset = "soft"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        return differential.Differential(theta, v0, levels=self.levels)


@dataclass(frozen=True)
class LIF:
    """Leaky, with a rest after spikes (units/lif.py); tau_syn: time constant of the synapse."""

    tau_syn: float = 5.0
    hardware_class = "H0"
    reset = "hard"

    def build(self, theta: Tensor, v0: Tensor) -> Neuron:
        return lif.LIF(theta, v0, tau_syn=self.tau_syn)


NeuronPart = Binary | Burst | Group | Signed | Imbalanced | Phased | Switched | Differential | LIF
