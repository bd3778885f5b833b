"""Small networks whose arithmetic is exact: weights, thresholds and pixels are dyadic numbers.

Sums of a few thousand such numbers are exact in float32 in any order, so two engines that do the
same work in another order must agree bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from hypothesis import strategies as st
from torch import Tensor

from isospike.graph.graph import Graph, Node
from isospike.program import Program
from isospike.schedule import Schedule, Separated, Synchronous
from isospike.units.binary import IF
from isospike.units.pool import GatedMaxPool
from isospike.units.radix import Radix

CHANNELS, SIZE, CLASSES = 2, 4, 3


def dyadic(generator: torch.Generator, *shape: int, unit: float = 8.0, most: int = 8) -> Tensor:
    """Whole multiples of 1 / unit, at most `most` of them either way."""
    return torch.randint(-most, most + 1, shape, generator=generator).float() / unit


def images(count: int = 3, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """[B, 2, 4, 4] of sixteenths in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, CHANNELS, SIZE, SIZE)
    return torch.randint(0, 17, shape, generator=generator).to(dtype) / 16


class Builder:
    """Adds nodes one by one; every method takes and returns names of nodes."""

    def __init__(self, seed: int = 0) -> None:
        self.random = torch.Generator().manual_seed(seed)
        self.nodes = [Node(".0", "input", attrs={"shape": (CHANNELS, SIZE, SIZE)}, path="input")]
        self.tensors: dict[str, Tensor] = {}
        self.shapes = {".0": (CHANNELS, SIZE, SIZE)}

    def node(self, op: str, *inputs: str, tensors=None, becomes=None, site="", **attrs) -> str:
        name = site or f".{len(self.nodes)}"
        keys = {role: f"{name}.{role}" for role in tensors or {}}
        self.tensors |= {keys[role]: tensor for role, tensor in (tensors or {}).items()}
        self.nodes.append(Node(name, op, inputs, attrs, keys, path=name))
        self.shapes[name] = becomes or self.shapes[inputs[0]]
        return name

    def conv(self, x: str, out: int | None = None, padding: int = 1) -> str:
        inside, *size = self.shapes[x]
        out = out or inside
        weights = {
            "weight": dyadic(self.random, out, inside, 3, 3),
            "bias": dyadic(self.random, out),
        }
        return self.node(
            "conv", x, tensors=weights, stride=(1, 1), padding=(padding, padding),
            dilation=(1, 1), groups=1, becomes=(out, *(s + 2 * padding - 2 for s in size)),
        )  # fmt: skip

    def act(self, x: str) -> str:
        return self.node("relu", x, site=f"act{len(self.nodes)}")

    def layer(self, x: str, out: int | None = None) -> str:
        return self.act(self.conv(x, out))

    def shift(self, x: str) -> str:
        tensors = {
            "scale": dyadic(self.random, 2, 1, 1, unit=4),
            "shift": dyadic(self.random, 2, 1, 1),
        }
        return self.node("scale_shift", x, tensors=tensors)

    def pad(self, x: str, value: float) -> str:
        c, h, w = self.shapes[x]
        return self.node(
            "pad",
            x,
            pad=(1, 1, 1, 1),
            mode="constant",
            value=value,
            becomes=(c, h + 2, w + 2),
        )

    def avg(self, x: str) -> str:
        c, h, w = self.shapes[x]
        return self.node(
            "avg_pool", x, kernel=(2, 2), stride=(2, 2), padding=(0, 0), ceil_mode=False,
            count_include_pad=True, divisor=None, becomes=(c, h // 2, w // 2),
        )  # fmt: skip

    def max(self, x: str, stride: int = 2, padding: int = 0) -> str:
        c, h, w = self.shapes[x]
        size = [(s + 2 * padding - 2) // stride + 1 for s in (h, w)]
        return self.node(
            "max_pool", x, kernel=(2, 2), stride=(stride,) * 2, padding=(padding,) * 2,
            dilation=(1, 1), ceil_mode=False, becomes=(c, *size), site=f"max{len(self.nodes)}",
        )  # fmt: skip

    def head(self, x: str) -> str:
        features = math.prod(self.shapes[x])
        flat = self.node("reshape", x, shape=(features,), becomes=(features,))
        weights = {
            "weight": dyadic(self.random, CLASSES, features),
            "bias": dyadic(self.random, CLASSES),
        }
        return self.node("linear", flat, tensors=weights, becomes=(CLASSES,))

    def graph(self, output: str) -> Graph:
        return Graph(tuple(self.nodes), self.tensors, output, (CHANNELS, SIZE, SIZE))


def block(b: Builder, kind: str, x: str) -> str:
    """One piece of a network on x [2, H, W]; returns the name of a value [2, ...] of any size."""
    small = b.shapes[x][1] < 2
    if kind == "layer":
        return b.layer(x)
    if kind == "residual":  # a shortcut past one site
        return b.act(b.node("add", b.conv(b.layer(x)), x))
    if kind == "long":  # a shortcut past three sites
        return b.act(b.node("add", b.conv(b.layer(b.layer(b.layer(x)))), x))
    if kind == "difference":
        return b.act(b.node("sub", x, b.layer(x)))
    if kind == "concat":  # three branches of depth 2, 1 and 0, the last one twice
        deep, shallow = b.layer(b.layer(x)), b.layer(x)
        joined = b.node("cat", deep, shallow, x, x, dim=1, becomes=(8, *b.shapes[x][1:]))
        return b.layer(joined, 2)
    if kind == "average":
        return x if small else b.avg(x)
    if kind == "shift":
        return b.act(b.shift(x))
    if kind == "pad":  # a constant border, as normalised images have it
        return b.act(b.conv(b.pad(x, 0.25), padding=0))
    raise ValueError(kind)


KINDS = ["layer", "residual", "long", "difference", "concat", "average", "shift", "pad"]


def network(kinds: list[str], seed: int = 0, head: bool = True) -> Graph:
    """Blocks in a row; without a head the last value is the output, which may be a site."""
    b = Builder(seed)
    x = ".0"
    for kind in kinds:
        x = block(b, kind, x)
    return b.graph(b.head(x) if head else x)


def clipped(graph: Graph, theta: float = 2.0, levels: int = 4) -> Graph:
    """The same network with QCFS activations, for recipes that take their thresholds from them."""
    return _activated(graph, "clip_quant", {"levels": levels, "shift": 0.5}, theta)


def softened(graph: Graph, theta: float = 8.0) -> Graph:
    """The same network with soft LIF activations."""
    return _activated(graph, "soft_lif", {"gamma": 0.02}, theta)


def _activated(graph: Graph, op: str, attrs: dict, theta: float) -> Graph:
    """The same network with another activation, with a theta, for each ReLU."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        if node.op == "relu":
            key = f"{node.name}.theta"
            tensors[key] = torch.tensor(theta)
            node = replace(node, op=op, attrs=attrs, tensors={"theta": key})
        nodes.append(node)
    return graph.with_nodes(nodes, tensors)


def gated(graph: Graph) -> Graph:
    """The same network with SiLU for its first ReLU."""
    first = next(node for node in graph.nodes if node.op == "relu")
    return graph.with_nodes(
        [replace(n, op="few_spike.silu") if n is first else n for n in graph.nodes], graph.tensors
    )


def thresholds(graph: Graph, seed: int = 0) -> dict[str, Tensor]:
    """Powers of two: scalar at every other site, per channel at the rest."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for index, node in enumerate(graph.sites):
        shape = (CHANNELS, 1, 1) if index % 2 else ()
        found[node.name] = 2.0 ** torch.randint(-1, 2, shape, generator=generator)
    return found


def program(
    graph: Graph, schedule: Schedule | None = None, reset: str = "soft", bias=None, **parts
):
    """The graph with a neuron at every activation and a gated pool at every max-pool."""
    schedule = schedule or Synchronous()
    units: dict = {}
    for node in graph.sites:
        theta, half = thresholds(graph)[node.name], torch.tensor(0.5)
        if node.op == "max_pool":
            units[node.name] = GatedMaxPool(dict(node.attrs))
        elif isinstance(schedule, Separated):
            units[node.name] = Radix(theta, half, schedule.code, bias)
        else:
            units[node.name] = IF(theta, half, bias, reset=reset)
    return Program(graph, units, schedule, **parts)


# Hypothesis draws the shape of a network; the seed of its weights comes with it.
blocks = st.lists(st.sampled_from(KINDS), max_size=3)
seeds = st.integers(0, 1000)
graphs = st.builds(network, blocks, seeds, st.booleans())
