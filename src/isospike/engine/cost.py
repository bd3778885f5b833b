"""Whether the spikes of a segment are so many that dense convolution is faster."""

from __future__ import annotations

from collections.abc import Mapping

from isospike.engine.native.layer import Layer
from isospike.engine.native.trains import Trains


def dense_is_faster(layer: Layer, trains: Mapping[str, Trains], frames: int) -> bool:
    return layer.synops(trains) > 0.3 * layer.macs * frames
