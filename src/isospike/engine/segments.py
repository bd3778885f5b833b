"""What a site receives, as terms: which spike trains reach it and through which weights.

drive = sum of weights * trains (Mixed: every channel to every channel; Channelwise: each to its
        own) + values that stand still + values that only the dense way can make
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isospike.graph.graph import Graph, Node

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Window:
    """Sizes of a convolution or a pooling, in the order of events.hpp."""

    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    @property
    def numbers(self) -> list[int]:
        return [*self.size, *self.stride, *self.padding, *self.dilation]

    @property
    def area(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def density(self) -> float:
        """Windows that an input is in, but for the borders."""
        return self.area / (self.stride[0] * self.stride[1])


@dataclass(frozen=True)
class Mixed:
    """Trains of `site`, pooled first where `pool` says so, by weight [O, C / groups, kh, kw]."""

    site: str
    weight: Tensor
    window: Window
    pool: Window | None = None
    groups: int = 1


@dataclass(frozen=True)
class Channelwise:
    """Trains of `site` by weight [C, kh, kw]: a shortcut is 1 x 1."""

    site: str
    weight: Tensor
    window: Window


@dataclass(frozen=True)
class Segment:
    """bias [O] or none; `steady` and `frames`: names of values, with their signs."""

    mixed: tuple[Mixed, ...] = ()
    channelwise: tuple[Channelwise, ...] = ()
    bias: Tensor | None = None
    steady: tuple[tuple[str, float], ...] = ()
    frames: tuple[tuple[str, float], ...] = ()

    def __add__(self, other: Segment) -> Segment:
        biases = [b for b in (self.bias, other.bias) if b is not None]
        return Segment(
            self.mixed + other.mixed,
            self.channelwise + other.channelwise,
            sum(biases[1:], biases[0]) if biases else None,
            self.steady + other.steady,
            self.frames + other.frames,
        )

    def __neg__(self) -> Segment:
        return Segment(
            tuple(replace(m, weight=-m.weight) for m in self.mixed),
            tuple(replace(c, weight=-c.weight) for c in self.channelwise),
            None if self.bias is None else -self.bias,
            tuple((name, -sign) for name, sign in self.steady),
            tuple((name, -sign) for name, sign in self.frames),
        )

    @property
    def walked(self) -> bool:
        return bool(self.mixed or self.channelwise)


@dataclass(frozen=True)
class _Trains:
    """A value made of spikes alone: channels `first` .. `first + count` of it are trains of `site`,
    pooled by `pool`, times `scale`."""

    site: str
    first: int
    count: int
    pool: Window | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Reader:
    """Reads segments off a graph.

    shapes    node name -> shape of one sample's value
    changing  nodes whose value changes with time
    spiking   sites whose spikes come as trains
    """

    graph: Graph
    shapes: Shapes
    changing: Set[str]
    spiking: Set[str]

    def segment(self, name: str) -> Segment:
        """The value `name` as terms."""
        whole, left = Segment(), [(name, False)]  # no recursion: a sum may be of thousands
        while left:
            at, minus = left.pop()
            node = self.graph[at]
            if at in self.changing and node.op in ("add", "sub"):
                first, second = node.inputs
                left += [(second, minus != (node.op == "sub")), (first, minus)]
            else:
                term = self._term(at)
                whole = whole + (-term if minus else term)
        return whole

    def _term(self, name: str) -> Segment:
        if name not in self.changing:
            return Segment(steady=((name, 1.0),))
        node = self.graph[name]
        found = self._weighted(node) if node.op in ("conv", "linear") else self._own(node)
        return found or Segment(frames=((name, 1.0),))

    def _own(self, node: Node) -> Segment | None:
        """A shortcut: spikes, or average-pooled spikes, as they are."""
        trains = self._trains(node.name)
        if trains is None or len(trains) > 1:
            return None
        window = trains[0].pool or Window((1, 1))
        weight = torch.full((trains[0].count, *window.size), trains[0].scale, dtype=torch.float64)
        return Segment(channelwise=(Channelwise(trains[0].site, weight, window),))

    def _weighted(self, node: Node) -> Segment | None:
        tensors = self.graph.parameters_of(node)
        bias = tensors.get("bias")
        bias = None if bias is None else bias.double()
        weight = tensors["weight"].double()
        if node.op == "linear":
            source, weight, window = self._flattened(node, weight)
        else:
            weight = weight.unsqueeze(2) if weight.dim() == 3 else weight  # a map of height 1
            source, window = node.inputs[0], _window(node, weight)
        trains = None if source is None or window is None else self._trains(source)
        if trains is None or window is None:
            return None
        groups = node.attrs.get("groups", 1)
        if groups == 1:
            return Segment(mixed=tuple(_mixed(t, weight, window) for t in trains), bias=bias)
        if len(trains) > 1:
            return None
        local = weight * trains[0].scale
        if groups == len(weight) == trains[0].count and trains[0].pool is None:
            each = Channelwise(trains[0].site, local[:, 0], window)
            return Segment(channelwise=(each,), bias=bias)
        mixed = Mixed(trains[0].site, local, window, trains[0].pool, groups)
        return Segment(mixed=(mixed,), bias=bias)

    def _flattened(self, node: Node, weight: Tensor) -> tuple[str | None, Tensor, Window | None]:
        """A linear layer as the convolution by a kernel of the size of its input."""
        source = node.inputs[0]
        if len(self.shapes[source]) != 1:  # over the rows of a larger array
            return None, weight, None
        if self.graph[source].op == "reshape":
            source = self.graph[source].inputs[0]
        shape = self.shapes[source]
        if not 1 <= len(shape) <= 3:
            return None, weight, None
        channels, *rest = shape
        height, width = [1, 1, *rest][-2:]
        return source, weight.reshape(-1, channels, height, width), Window((height, width))

    def _trains(self, name: str) -> list[_Trains] | None:
        node, shape = self.graph[name], self.shapes[name]
        if name in self.spiking:
            return [_Trains(name, 0, shape[0])]
        if node.op == "cat" and node.attrs["dim"] in (1, -len(shape)):
            return self._joined(node)
        pool = _pool(node, self.shapes)
        if pool is not None:
            below = self._trains(node.inputs[0])
            if below is not None and all(each.pool is None for each in below):
                divisor = node.attrs.get("divisor") or pool.area
                return [replace(each, pool=pool, scale=1 / divisor) for each in below]
        return None

    def _joined(self, node: Node) -> list[_Trains] | None:
        found, first = [], 0
        for source in node.inputs:
            trains = self._trains(source)
            if trains is None:
                return None
            found += [replace(each, first=first + each.first) for each in trains]
            first += self.shapes[source][0]
        return found


def _mixed(trains: _Trains, weight: Tensor, window: Window) -> Mixed:
    part = weight[:, trains.first : trains.first + trains.count] * trains.scale
    return Mixed(trains.site, part, window, trains.pool)


def _window(node: Node, weight: Tensor) -> Window | None:
    if weight.dim() != 4 or isinstance(node.attrs["padding"], str):
        return None
    stride, padding, dilation = (tuple(node.attrs[n]) for n in ("stride", "padding", "dilation"))
    size = (weight.shape[2], weight.shape[3])
    return Window(size, _pair(stride, 1), _pair(padding, 0), _pair(dilation, 1))


def _pair(values: tuple[int, ...], above: int) -> tuple[int, int]:
    """Along a map of one dimension: `above` stands for the height."""
    return (above, values[0]) if len(values) == 1 else (values[0], values[1])


LARGEST_POOL = 16  # a spike in each of more neurons would make lists longer than maps


def _pool(node: Node, shapes: Shapes) -> Window | None:
    """Average pooling whose divisor is the same everywhere."""
    if node.op != "avg_pool" or len(node.attrs["kernel"]) > 2 or node.attrs["ceil_mode"]:
        return None
    padding = tuple(node.attrs["padding"])
    if any(padding) and not node.attrs["count_include_pad"]:
        return None
    kernel, stride = tuple(node.attrs["kernel"]), tuple(node.attrs["stride"])
    window = Window(_pair(kernel, 1), _pair(stride, 1), _pair(padding, 0))
    return window if window.area <= LARGEST_POOL else None
