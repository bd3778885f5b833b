"""Two passes over the same images: the quantised network's and its spiking network's.

Both run end to end, batch norm in eval; IF neurons as validate.py has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from isospike.data.check import unit_range
from isospike.engine import run
from isospike.engine.run import checked_steps
from isospike.errors import DataError, UsageError
from isospike.graph.graph import Graph, Node, execute
from isospike.program import Program
from isospike.train.validate import spiking
from isospike.units.binary import IF


@dataclass(frozen=True)
class Passage:
    """One site over one batch: clean activation a, mean drive z and mean spikes per step, each
    [B, ...]; a and z in the units of a."""

    graph: Graph
    node: Node
    unit: IF
    a: Tensor
    z: Tensor
    rate: Tensor

    @property
    def theta(self) -> float:
        """One number: a clip is a scalar."""
        return float(self.unit.theta.mean())


@dataclass
class _Sums:
    """An observer: drive and spikes of every site, summed over the steps."""

    drives: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, Tensor] = field(default_factory=dict)

    def spikes(self, site: str, start: int, drive: Tensor, spikes: Tensor, state: Tensor) -> None:
        for sums, part in ((self.drives, drive.sum(0)), (self.counts, spikes.sum(0))):
            sums[site] = sums[site] + part if start else part


@torch.no_grad()
def passages(
    model: nn.Module, images: Tensor, steps: int, batch: int, program: Program | None = None
) -> Iterator[Passage]:
    """Every site of every batch of images [N, C, H, W].

    UsageError for a model without clips, or steps or a batch that are none; DataError for no
    images.
    """
    checked_steps(steps)
    if batch < 1:
        raise UsageError(f"the batch size must be at least 1, got {batch}")
    if len(images) == 0:
        raise DataError("no images to measure the gap on")
    program = program or spiking(model, unit_range(images[:4]))
    if program is None:
        raise UsageError("the model has no activation with a clip to measure the gap of")
    device = next(iter(program.graph.tensors.values())).device
    for x in (unit_range(part).to(device) for part in pieces(images, batch)):
        sums, clean = _Sums(), {}
        run(program, x, [steps], [sums], engine="steploop")
        execute(program.graph, x, watch=lambda node, v, into=clean: into.__setitem__(node.name, v))
        for node in program.graph.sites:
            unit = program.units[node.name]
            if isinstance(unit, IF):
                z, rate = sums.drives[node.name] / steps, sums.counts[node.name] / steps
                yield Passage(program.graph, node, unit, clean[node.name], z, rate)


def pieces(images: Tensor, batch: int) -> list[Tensor]:
    """Batches; a last one of a single image, which has no variance, belongs to the one before."""
    parts = list(images.split(batch))
    if batch > 1 < len(parts) and len(parts[-1]) == 1:
        parts[-2:] = [images[-batch - 1 :]]
    return parts


def added(sites: Iterator[Passage], part: Callable[[Passage], Any]) -> dict[str, Any]:
    """Site path -> the sum of its parts over the batches."""
    found: dict[str, Any] = {}
    for site in sites:
        one, path = part(site), site.node.path
        found[path] = found[path] + one if path in found else one
    return found
