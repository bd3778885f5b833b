"""A method is a value: one frozen dataclass that names its parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from isospike.errors import UsageError
from isospike.fit.bias import BiasMatch, HalfShift
from isospike.fit.burst_search import BurstSearch
from isospike.fit.few_spike import FewSpikeFit
from isospike.fit.gain_match import GainMatch
from isospike.fit.layer_gradient import LayerGradient
from isospike.fit.neuron_search import NeuronSearch
from isospike.fit.neurons import Binary, Burst, Group, Imbalanced, Leaky, NeuronPart, Signed
from isospike.fit.potential_match import PotentialMatch
from isospike.fit.potentials import Both, Constant, FromANN, Potential
from isospike.fit.step_bias import StepBias
from isospike.fit.thresholds import Percentile, SpikeMax, Threshold, WeightSum
from isospike.fit.weights import WeightRefit
from isospike.graph.graph import Node
from isospike.graph.pool import POLICIES
from isospike.knobs import name_of, part_name, parts_of, set_knob, wrong_knobs
from isospike.program import Unit
from isospike.schedule import Probed, Schedule, Separated, Settled, Synchronous
from isospike.tune.settings import Tune
from isospike.units.coders import Coder
from isospike.units.coders import Constant as Direct
from isospike.units.radix import Radix

UNSIGNED = (Binary, Burst, Group, Imbalanced)  # what one spike tells is never taken back
CLOSED = (Binary, Burst, Group, Signed)  # the static transfer is a formula
Calibrator = (
    WeightRefit | LayerGradient | GainMatch | NeuronSearch | BiasMatch | StepBias | PotentialMatch
    | HalfShift
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How a Program is fitted to a Graph and calibration images.

    neuron: of a synchronous network; the separated schedule brings its own inverse-leaky one
    pool: what becomes of max-pooling (graph/pool.py)
    caps: how many spikes a step each layer may send; needs the burst neuron
    few_spike: functions such as SiLU become programs of few spikes, on a separated schedule
    tune: gradient steps after the fit
    calibrators: in the order they run; those of the weights before threshold and potential
    """

    name: str
    threshold: Threshold = field(default_factory=Percentile)
    potential: Potential = field(default_factory=Constant)
    neuron: NeuronPart = field(default_factory=Binary)
    calibrators: tuple[Calibrator, ...] = ()
    coder: Coder = field(default_factory=Direct)
    schedule: Schedule = field(default_factory=Synchronous)
    pool: str = "gated"
    caps: BurstSearch | None = None
    few_spike: FewSpikeFit | None = None
    tune: Tune | None = None

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise UsageError(f"recipe {self.name!r}: " + "; ".join(problems))

    def _problems(self):
        """Knobs out of range and combinations without a meaning, all at once."""
        separated = isinstance(self.schedule, Separated)
        if self.pool not in POLICIES:
            yield f"pool must be one of {', '.join(POLICIES)}, got {self.pool!r}"
        for label, part in parts_of(vars(self)).items():
            yield from wrong_knobs(label, part)
        if isinstance(self.threshold, SpikeMax):
            for part in (self.potential, *self.calibrators):
                if part.depends_on_steps:
                    yield (
                        f"threshold=spike-max runs {self.threshold.steps} steps of its own, and "
                        f"{part_name(part)} is fitted for T"
                    )
        if isinstance(self.threshold, WeightSum) and not isinstance(self.neuron, UNSIGNED):
            yield "threshold=weight-sum bounds spikes that are never taken back: neuron=binary"
        if isinstance(self.potential, FromANN | Both) and not isinstance(self.neuron, CLOSED):
            yield "a potential from the network needs a transfer in closed form: neuron=binary"
        if self.caps is not None and (separated or not isinstance(self.neuron, Burst)):
            yield "caps are chosen for burst neurons: neuron=burst"
        if self.few_spike is not None and not separated:
            yield "programs run in one phase: schedule=separated"
        if self.tune is not None:
            yield from self._tuning_problems()
        if isinstance(self.schedule, Settled) and not isinstance(self.neuron, Signed):
            yield "settling steps take spikes back: neuron=signed"
        if isinstance(self.schedule, Probed) and self.neuron != Binary():
            yield "a probe knows the plain neuron, with soft reset and no leak"
        if isinstance(self.schedule, Synchronous) and self.schedule.delay and self.schedule.draws:
            yield "a read-out that draws a class at each step has no delay: schedule.delay=0"
        if separated:
            yield from self._separated_problems()

    def _separated_problems(self):
        try:
            _ = self.schedule.code  # type: ignore[union-attr]
        except ValueError as error:
            yield f"schedule: {error}"
        if self.schedule.early and self.few_spike is not None:  # type: ignore[union-attr]
            yield "programs need the whole charge of a phase, none begins early: schedule.early=0"
        if self.neuron != Binary():
            yield "a separated network has a neuron of its own, which resets softly and has no leak"
        if self.pool in ("gated", "lateral", "pre-neuron"):
            yield f"pool {self.pool!r} compares spikes of one step, a separated network sums them"
        if not isinstance(self.coder, Direct):
            yield "a separated network takes the image as a held current (coder direct)"
        if not isinstance(self.potential, Constant):
            yield "a separated network rounds with a constant potential"
        for part in self.calibrators:
            if isinstance(part, NeuronSearch | StepBias):
                yield f"a separated network has no drive of one step for {part_name(part)}"
        if isinstance(self.threshold, SpikeMax):
            yield "a separated network has no largest drive of one step: threshold max or mmse"

    def _tuning_problems(self):
        assert self.tune is not None
        if not isinstance(self.schedule, Synchronous) or not self.schedule.plain:
            yield "tuning runs T steps and reads all of them: no other schedule, delay or decoder"
        if not isinstance(self.neuron, Binary):
            yield f"tuning knows binary neurons, not {part_name(self.neuron)}"
        elif self.tune.learn_leak and self.neuron.leak == 1.0:
            yield "tune.learn_leak learns from a neuron.leak below 1"

    @property
    def fitted(self) -> list[Any]:
        """The parts that have a say in the fit."""
        parts = (
            self.threshold, self.potential, *self.calibrators, self.caps, self.few_spike, self.tune
        )  # fmt: skip
        return [part for part in parts if part is not None]

    @property
    def depends_on_steps(self) -> bool:
        """True when a network converted for one T is not the one converted for another."""
        return any(getattr(part, "depends_on_steps", False) for part in self.fitted)

    @property
    def needs_images(self) -> bool:
        """False when the network that comes out does not depend on calibration images."""
        return any(getattr(part, "needs_images", True) for part in self.fitted)

    @property
    def needs_drive(self) -> bool:
        """True when fitting simulates the spiking network on calibration images."""
        return any(getattr(part, "needs_drive", False) for part in self.fitted)

    def fit_steps(self, steps: int) -> int:
        """Steps that the fitting simulates."""
        return self.threshold.steps if isinstance(self.threshold, SpikeMax) else steps

    @property
    def hardware_class(self) -> str:
        """The largest class that a part asks for."""
        return self._class(self.neuron)

    def class_on(self, sites: Iterable[Node]) -> str:
        """The same on a network with these sites, whose neurons may ask for less."""
        return self._class(*map(self.neuron_at, sites))

    def _class(self, *neurons: NeuronPart | Leaky) -> str:
        parts = (
            self.schedule, self.coder, self.threshold, self.potential, *neurons,
            *self.calibrators, self.few_spike, self.tune,
        )  # fmt: skip
        return max(getattr(part, "hardware_class", "H0") for part in parts)

    def neuron_at(self, site: Node) -> NeuronPart | Leaky:
        """The neuron part of a site."""
        neuron = self.neuron
        return neuron.at(site) if isinstance(neuron, Burst | Imbalanced) else neuron

    def build(self, theta: Tensor, v0: Tensor, site: Node) -> Unit:
        """The neuron of a site."""
        if isinstance(self.schedule, Separated):
            return Radix(theta, v0, self.schedule.code)
        return self.neuron_at(site).build(theta, v0)

    def scale(self, site: Node) -> float:
        """The threshold of a site over the one that the threshold part finds."""
        neuron = self.neuron_at(site)
        return neuron.scale if isinstance(neuron, Burst) else 1.0

    def override(self, settings: Mapping[str, Any]) -> Recipe:
        """`{"threshold.p": 99.5, "bias.passes": 1, "pool": "average"}`; UsageError for the unknown.

        A part is replaced by name: `{"threshold": "mmse"}`.
        """
        draft = dict(vars(self))
        for key in sorted(settings, key=lambda key: "." in key):  # parts before their knobs
            set_knob(draft, key, settings[key])
        return Recipe(**draft)  # checked once, with every change in place

    def settings(self) -> dict[str, Any]:
        """Every knob as `part.knob: value`, for reports and files."""
        found: dict[str, Any] = {"pool": self.pool}
        for label, part in parts_of(vars(self)).items():
            found[label] = name_of(label, part)
            found.update(
                {f"{label}.{f.name}": getattr(part, f.name) for f in dataclasses.fields(part)}
            )
        return found
