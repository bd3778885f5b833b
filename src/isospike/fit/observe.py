"""Statistics of the source network's activations: whole numbers, so that they add in any order.

Two passes over the calibration images: the largest value of each neuron, then a histogram of the
positive values of each channel, with bins of max / BINS. Several processes share the passes
(processes.py), and all of them hold the statistics of all images.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from isospike.errors import DataError
from isospike.fit.calibration import Calibration
from isospike.graph.graph import Graph, Node, execute
from isospike.graph.ops import Kind
from isospike.processes import largest, share, together, total

BINS = 2048


@dataclass(frozen=True)
class SiteStats:
    """Largest activations, maxima [C] of each channel and peaks [C, ...] of each neuron; counts
    [C, BINS]: positive activations; values: activations seen per channel, zeros included."""

    maxima: Tensor
    peaks: Tensor
    counts: Tensor
    values: int

    @property
    def centres(self) -> Tensor:
        """[C, BINS] the value of each bin."""
        return self.maxima[:, None] * ((torch.arange(BINS) + 0.5) / BINS)

    @property
    def edges(self) -> Tensor:
        """[C, BINS] the upper end of each bin; the last one is the maximum itself."""
        return self.maxima[:, None] * ((torch.arange(BINS) + 1.0) / BINS)

    def shaped(self, per_channel: Tensor) -> Tensor:
        """[C] -> [C, 1, 1] for a site of rank 3, [C] for rank 1."""
        return per_channel.reshape(-1, *[1] * (self.peaks.dim() - 1))


def observe(graph: Graph, calibration: Calibration) -> dict[str, SiteStats]:
    """Site name -> statistics. DataError names the first site where a NaN appears; a site that is
    never positive is warned of and gets threshold 1."""
    peaks: dict[str, Tensor] = {}
    values: dict[str, int] = {}

    def note_max(node: Node, value: Tensor) -> None:
        if _measured(node):
            if not value.isfinite().all():
                raise DataError(f"calibration: {node.place} becomes NaN or infinite")
            top = value.amax(0).clamp(min=0.0)
            values[node.name] = value[0, 0].numel() * len(calibration.images)
            peaks[node.name] = torch.maximum(top, peaks.get(node.name, top))

    with together():
        # A process without a share sees the first piece again, which changes no maximum.
        for piece, count in [*share(calibration.pieces())] or islice(calibration.pieces(), 1):
            execute(graph, piece, watch=lambda node, v, n=count: note_max(node, v[:n]))
    peaks = {name: largest(top) for name, top in peaks.items()}
    maxima = {name: top.reshape(len(top), -1).amax(1) for name, top in peaks.items()}
    counts = {n: torch.zeros(len(m), BINS, dtype=torch.int64) for n, m in maxima.items()}
    with together():
        for piece, count in share(calibration.pieces()):
            execute(graph, piece, watch=lambda node, v, n=count: _bin(node, v[:n], maxima, counts))
    counts = {name: total(found) for name, found in counts.items()}
    return {
        name: SiteStats(_alive(name, maxima[name]), top, counts[name], values[name])
        for name, top in peaks.items()
    }


def _measured(node: Node) -> bool:
    return node.is_site and node.kind is not Kind.ANALOGUE  # which has no threshold to find


def channels_first(value: Tensor) -> Tensor:
    """[N, C, ...] -> [C, N * ...]"""
    return value.transpose(0, 1).flatten(1)


def _bin(node: Node, value: Tensor, maxima: dict[str, Tensor], counts: dict[str, Tensor]) -> None:
    if not _measured(node):
        return
    x, top = value.movedim(1, -1), maxima[node.name]
    place = (x / top.clamp(min=torch.finfo(top.dtype).tiny) * BINS).clamp_(max=BINS - 1).int()
    place.add_(1).mul_(x > 0)  # bin 0 is for what is not positive
    place += torch.arange(len(top), dtype=torch.int32, device=top.device) * (BINS + 1)
    found = torch.bincount(place.flatten(), minlength=len(top) * (BINS + 1))
    counts[node.name] += found.reshape(-1, BINS + 1)[:, 1:]


def _alive(name: str, maxima: Tensor) -> Tensor:
    """Dead channels take the site's largest value, a dead site takes 1: any threshold is right for
    a neuron that never fires, but it must not be zero."""
    if not bool((maxima > 0).any()):
        warnings.warn(f"{name}: never active on the calibration images, threshold 1", stacklevel=2)
        return torch.ones_like(maxima)
    return torch.where(maxima > 0, maxima, maxima.max())
