"""A site as a calibrator finds it, from plain numbers."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from common.nets import Builder
from isospike.fit.observe import BINS, SiteStats
from isospike.fit.site import Site
from isospike.graph.graph import Node
from isospike.units.binary import IF


def stats_of(values: Tensor, rank: int = 1) -> SiteStats:
    """Statistics of activations [N, C], as observe would keep them."""
    maxima = values.amax(0)
    counts = torch.zeros(values.shape[1], BINS, dtype=torch.int64)
    for channel, column in enumerate(values.T):
        for value in column[column > 0]:
            counts[channel, min(int(value / maxima[channel] * BINS), BINS - 1)] += 1
    alive = torch.where(maxima > 0, maxima, maxima.max())
    return SiteStats(alive, alive.reshape(-1, *[1] * (rank - 1)), counts, len(values))


def site_of(stats: SiteStats, steps: int = 8, v0: float = 0.5, build=IF, **parts) -> Site:
    b = Builder()
    graph = b.graph(b.layer(".0"))
    node = parts.pop("node", graph.sites[0])
    return Site(node, steps, stats, graph, torch.tensor(v0), build, **parts)


def with_unit(site: Site, theta, v0: float = 0.5, bias=None) -> Site:
    return replace(site, unit=IF(torch.as_tensor(theta), torch.tensor(v0), bias))


def noisy_site(rank: int, steps: int = 8):
    """A drive that varies in time around the source's pre-activation, and is too low by a third."""
    generator = torch.Generator().manual_seed(rank)
    shape = (200, 3, *[4] * (rank - 1))
    target = torch.randn(shape, generator=generator)
    drive = target * 0.7 - 0.1 + torch.randn(steps, *shape, generator=generator) / 4
    site = site_of(stats_of(target.relu().movedim(1, -1).reshape(-1, 3)[:50], rank), steps)
    site.target, site.current, site.images = target, lambda: drive, len(target)
    return with_unit(site, 1.5)


def clip_node(high: float) -> Node:
    return Node("act", "clip", (".1",), {"high": high}, path="act", line="net.py:3: x")
