"""What a segment costs by its spikes and what it costs densely, in seconds on this machine.

    events = synops * a + neurons * b        dense = macs * c + neurons * d

a to d are measured once per process and number of threads (about two tenths of a second), on a
layer of each kind: narrow ones scatter, wide ones collect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from isospike.engine.native.layer import NARROW, Layer
from isospike.engine.native.trains import Room, Trains
from isospike.engine.segments import Mixed, Segment, Window
from isospike.units.binary import IF

STEPS, BATCH, SIDE = 8, 4, 16
RATES = (0.02, 0.2)  # spikes per neuron and step
REPEATS = 5
MARGIN = 0.8  # of the time by spikes: what is measured here on one layer is not sharper


@dataclass(frozen=True)
class Cost:
    """Seconds per synaptic operation, per neuron and step that walks, per multiply-accumulate, per
    neuron and step behind a dense convolution."""

    synop: float
    walked: float
    mac: float
    dense: float

    def prefers_dense(self, layer: Layer, trains: Mapping[str, Trains], frames: int) -> bool:
        neurons = torch.Size(layer.shape).numel() * frames
        events = layer.synops(trains) * self.synop + neurons * self.walked
        return layer.macs * frames * self.mac + neurons * self.dense < MARGIN * events


def dense_is_faster(layer: Layer, trains: Mapping[str, Trains], frames: int) -> bool:
    """Are the spikes of `trains` in `frames` steps and images so many that walking does not pay?"""
    return fitted(layer.scatter, torch.get_num_threads()).prefers_dense(layer, trains, frames)


@cache
def fitted(scatter: bool, threads: int) -> Cost:
    """The cost of layers that scatter, or of others, with so many threads."""
    channels = NARROW if scatter else 128
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(channels, channels, 3, 3, generator=generator, dtype=torch.float64) - 0.5
    mixed = Mixed("source", weight, Window((3, 3), padding=(1, 1)))
    unit, theta = IF(torch.ones(()), torch.full((), 0.5)), torch.ones(channels)
    layer = Layer(unit, (channels, SIDE, SIDE), Segment((mixed,)), {"source": theta})
    room, v = Room(), torch.zeros(1, BATCH, SIDE, SIDE, channels)
    frames, seconds, synops = STEPS * BATCH, [], []
    both = [_random(rate, channels, generator, room) for rate in RATES]
    for trains in both:
        synops.append(layer.synops({"source": trains}))
        seconds.append(_time(lambda trains=trains: _walk(layer, trains, v, room)))
    synop = max((seconds[1] - seconds[0]) / (synops[1] - synops[0]), 0.0)
    neurons = v.numel() * STEPS
    spikes = both[0]
    like = spikes.floats
    kernel = weight.float().to(memory_format=torch.channels_last)
    conv = _time(lambda: F.conv2d(like, kernel, None, padding=1))
    drive = torch.rand(STEPS, BATCH, SIDE, SIDE, channels, generator=generator)
    neuron = _time(lambda: layer.fire(None, drive, v, 0, STEPS, room).release())
    floats = _time(lambda: spikes.spikes.float() * spikes.amplitude)
    return Cost(
        synop,
        max(seconds[0] - synops[0] * synop, 0.0) / neurons,
        conv / (layer.macs * frames),
        (neuron + floats) / neurons,
    )


def _random(rate: float, channels: int, generator: torch.Generator, room: Room) -> Trains:
    shape = (STEPS, BATCH, SIDE, SIDE, channels)
    trains = Trains.empty(shape, torch.ones(channels), 3, room)
    trains.spikes.copy_(torch.rand(shape, generator=generator) < rate)
    return trains


def _walk(layer: Layer, trains: Trains, v: Tensor, room: Room) -> None:
    again = Trains(trains.spikes, trains.amplitude, trains.rank, room)
    layer.walk({"source": again}, None, None, v, 0, STEPS, room).release()
    again.release_lists()


def _time(work: Callable[[], object]) -> float:
    work()
    found = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)
