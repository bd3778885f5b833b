"""Neurons whose activation is far above what they can send: they fire at every step and lose it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from isospike.fit.observe import SiteStats
from isospike.program import Program
from isospike.units.no_neuron import NoNeuron

FAR, MANY = 2.0, 0.1
SHOWN = 5  # sites


def saturated(top: Tensor, stats: SiteStats) -> float:
    """The share of activations a > FAR * top, of all that the calibration images bring.

    top: the largest mean output, a scalar, [C, 1, 1] or [C]; of one for each neuron the mean.
    """
    channels = len(stats.maxima)
    per_channel = top.numel() in (1, channels)
    limit = top.reshape(-1, 1) if per_channel else top.reshape(channels, -1).mean(1, keepdim=True)
    beyond = int(stats.counts[stats.centres > FAR * limit].sum())
    return beyond / (stats.values * channels)


def tell_saturated(program: Program, stats: Mapping[str, SiteStats]) -> None:
    """One warning with every site of which MANY of the activations are so."""
    told = []
    for node in program.graph.sites:
        unit = program.units[node.name]
        if node.name in stats and not isinstance(unit, NoNeuron):
            share = saturated(torch.as_tensor(unit.top), stats[node.name])
            told += [f"{share:.0%} at {node.place}"] if share >= MANY else []
    if told:
        more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
        warnings.warn(
            f"neurons are saturated, their activation is more than {FAR:g} times what they can "
            f"send: {', '.join(told[:SHOWN])}{more}. Raise the threshold (threshold=mmse)",
            stacklevel=3,
        )
