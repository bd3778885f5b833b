"""What every engine returns, and the questions every engine asks of a graph."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from isospike.errors import DataError, UsageError
from isospike.graph.graph import Graph, Node
from isospike.program import Program, Unit
from isospike.schedule import Settled
from isospike.units.neuron import Neuron
from isospike.units.signed import Signed

MAX_STEPS = 10_000_000
FRESH = ("conv", "conv_transpose", "linear", "add", "sub", "cat")  # never a view of their input


@dataclass
class Run:
    """outputs: steps -> logits [B, ...], the mean over the steps so far.
    counts: site -> steps -> spikes of each neuron up to then, summed over the batch, int64.
    probe: site -> spikes of each neuron in the probe before the run, likewise; not in counts.
    """

    outputs: dict[int, Tensor] = field(default_factory=dict)
    counts: dict[str, dict[int, Tensor]] = field(default_factory=dict)
    probe: dict[str, Tensor] = field(default_factory=dict)

    def tally(self, site: str, steps: int, spikes: Tensor) -> None:
        """Add spikes [...] (already summed over time and batch) to a site's count at `steps`."""
        at = self.counts.setdefault(site, {})
        spikes = spikes.round().to(torch.int64)
        at[steps] = at[steps] + spikes if steps in at else spikes

    def probed(self, spikes: Mapping[str, Tensor]) -> None:
        """Add the spikes of a probe."""
        for site, sent in spikes.items():
            self.probe[site] = self.probe[site] + sent if site in self.probe else sent

    def accumulate(self) -> None:
        """Counts between one reading and the next become counts up to each."""
        for at in self.counts.values():
            for before, steps in itertools.pairwise(sorted(at)):
                at[steps] = at[steps] + at[before]

    @staticmethod
    def merge(runs: Iterable[Run]) -> Run:
        """Runs of one batch at different readings as one."""
        whole = Run()
        for run in runs:
            whole.outputs.update(run.outputs)
            whole.probe.update(run.probe)  # one probe for all readings
            for site, at in run.counts.items():
                whole.counts.setdefault(site, {}).update(at)
        return whole

    @staticmethod
    def join(runs: Sequence[Run]) -> Run:
        """Runs of consecutive parts of a batch as one."""
        whole = Run()
        for steps in runs[0].outputs:
            whole.outputs[steps] = torch.cat([run.outputs[steps] for run in runs])
        for run in runs:
            for site, at in run.counts.items():
                for steps, spikes in at.items():
                    whole.tally(site, steps, spikes)
            whole.probed(run.probe)
        return whole


class Observer(Protocol):
    """Sees every spike train of the step-by-step engines, a time chunk at a time."""

    def spikes(self, site: str, start: int, drive: Tensor, spikes: Tensor, state: Tensor) -> None:
        """drive, spikes: [n, B, ...] of steps start+1 .. start+n; state: the membrane after them,
        of a neuron in units of theta."""


def checked_steps(steps: int | Sequence[int]) -> list[int]:
    """Sorted, without repeats; UsageError for anything that is no positive whole number."""
    listed = list(steps) if isinstance(steps, Iterable) else [steps]
    for step in listed:
        if isinstance(step, bool) or not isinstance(step, int) or not 1 <= step <= MAX_STEPS:
            raise UsageError(f"steps must be whole numbers from 1 to {MAX_STEPS}, got {step!r}")
    if not listed:
        raise UsageError("no steps given")
    return sorted(set(listed))


def below_sites(graph: Graph) -> set[str]:
    """Nodes whose value changes with time: a site is above them."""
    changing: set[str] = set()
    for node in graph.nodes:
        if node.is_site or any(source in changing for source in node.inputs):
            changing.add(node.name)
    return changing


def tail(graph: Graph) -> set[str]:
    """The read-out: nodes that no site needs, so that they may run once, on the sum over time."""
    needed: set[str] = set()
    for node in reversed(graph.nodes):
        if node.is_site or node.name in needed:
            needed.update(node.inputs)
    return {n.name for n in graph.nodes if n.name not in needed and not n.is_site} - {graph.input}


def scratch(graph: Graph) -> set[str]:
    """Nodes whose value is made for one reader alone, which may write over it."""
    readers = graph.consumers()
    return {n.name for n in graph.nodes if n.op in FRESH and len(readers[n.name]) == 1}


def settling(program: Program) -> int:
    """Silent steps after T."""
    return program.schedule.settle if isinstance(program.schedule, Settled) else 0


def quiet(program: Program, steps: int) -> dict[str, Unit]:
    """The units for the silent steps after T = `steps`: without constants, and with running sums
    that stay within what T steps can send."""

    def silent(unit: Unit) -> Unit:
        if isinstance(unit, Signed):
            most = unit.cap * steps if unit.most is None else min(unit.most, unit.cap * steps)
            return replace(unit, bias=None, drift=None, most=most)
        return replace(unit, bias=None, drift=None) if isinstance(unit, Neuron) else unit

    return {name: silent(unit) for name, unit in program.units.items()}


def fold_time(x: Tensor) -> Tensor:
    """[T, B, ...] -> [T * B, ...]"""
    return x.flatten(0, 1)


def check_input(x: Tensor, graph: Graph, leading: int = 1) -> None:
    """DataError unless x is [B, *shape] of finite floats, or [T, B, *shape] with leading = 2, where
    the network is."""
    shape = graph.input_shape
    if (
        not isinstance(x, Tensor)
        or tuple(x.shape[leading:]) != shape
        or x.dim() - leading != len(shape)
    ):
        got = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
        axes = ["T", "B"][2 - leading :]
        wanted = ", ".join(map(str, (*axes, *shape)))
        raise DataError(f"expected images [{wanted}], got {got}")
    if not x.is_floating_point():
        raise DataError(f"expected images of a float type, got {x.dtype}: divide uint8 by 255")
    for tensor in graph.tensors.values():
        if tensor.device != x.device:
            raise DataError(
                f"images on {x.device}, the network on {tensor.device}: move one of them"
            )
    if not bool(x.isfinite().all()):
        first = (~x.isfinite()).nonzero()[0].tolist()
        raise DataError(f"images hold NaN or infinite values, the first at {first}")


def check_potentials(program: Program, states: Mapping[str, Tensor]) -> None:
    """DataError with the first site whose potential became NaN or infinite; minus infinity is that
    of a neuron which is kept silent."""
    potentials = {
        name: program.units[name].membrane(state)  # type: ignore[union-attr]
        for name, state in states.items()
    }
    # One look where all is well, which a GPU waits for only once; but a sum may overflow.
    if potentials and not sum(v.sum() for v in potentials.values()).isfinite():  # type: ignore[union-attr]
        for node in program.graph.sites:
            if node.name in potentials and not (potentials[node.name] < torch.inf).all():
                raise overflow(node)


def overflow(node: Node) -> DataError:
    """Such a neuron is silent or never rests, and the outputs may look sound."""
    return DataError(f"potentials become NaN or infinite, first at {node.place}")


def check_finite(outputs: Mapping[int, Tensor]) -> bool:
    return all(bool(out.isfinite().all()) for out in outputs.values())
