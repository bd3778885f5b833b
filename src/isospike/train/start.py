"""Clips for weights that were already trained with ReLU."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import nn

from isospike.activations import ClipQuant
from isospike.data.loader import batches_of
from isospike.errors import UsageError
from isospike.fit.calibration import Calibration
from isospike.fit.observe import SiteStats, observe
from isospike.fit.site import Site
from isospike.fit.thresholds import MMSE, Percentile
from isospike.graph.graph import Graph, Node
from isospike.graph.rewrite import rewrite
from isospike.units.binary import IF


def start_thetas(model: nn.Module, images: Any) -> dict[str, float]:
    """Set the clip of every ClipQuant from what a ReLU in its place gives on `images` [N, ...].

    levels=L     theta = argmin of mean (a - quantised a)^2 over the activations a of the layer
    levels=None  the 99.9th percentile of the positive activations

    Returns path of the module -> theta. All are set, or none: UsageError where no ClipQuant is
    reached, DataError for images that cannot be used, ConversionError for a model that cannot be
    captured. A module that is called several times takes the largest of its thetas.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    clips = {name: m for name, m in modules.items() if isinstance(m, ClipQuant)}
    if not clips:
        raise UsageError("start_thetas: the model has no ClipQuant; make it with isospike.prepare")
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    batch = torch.cat([x for x, _ in batches_of(images)]).cpu().to(dtype)
    graph, _, _ = rewrite(_relus(model).cpu(), batch[:4])
    stats = observe(graph, Calibration.collect(batch, graph.input_shape, dtype))
    found: dict[ClipQuant, float] = {}
    for node in graph.sites:
        clip = clips.get(node.path.split("@")[0])
        if clip is not None:
            theta = _theta(graph, node, stats[node.name], clip)
            found[clip] = max(theta, found.get(clip, 0.0))
    if not found:
        raise UsageError("start_thetas: the model calls none of its ClipQuant modules")
    for clip, theta in found.items():
        clip.set_theta(theta)
    return {name: found[clip] for name, clip in clips.items() if clip in found}


def _theta(graph: Graph, node: Node, stats: SiteStats, clip: ClipQuant) -> float:
    site = Site(node, clip.levels or 1, stats, graph, torch.tensor(clip.shift), IF)
    estimate = MMSE(grain="layer") if clip.levels else Percentile(99.9)
    return float(estimate.estimate(site))


def _relus(model: nn.Module) -> nn.Module:
    """A copy with the ReLU, or the bounded ReLU, that each ClipQuant stands for."""
    reference = copy.deepcopy(model)
    for parent in list(reference.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, ClipQuant):
                plain = math.isinf(child.ceiling)
                setattr(parent, name, nn.ReLU() if plain else nn.Hardtanh(0.0, child.ceiling))
    return reference
