"""The captured network as plain data: nodes in topological order and a table of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from isospike.graph.ops import OPS, Kind

Attr = Any  # int, float, bool, str, None or a tuple of these: what JSON can hold


@dataclass(frozen=True)
class Node:
    """One operation: `op` is a key of `OPS`, `tensors` maps a role (weight) to a table key."""

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    tensors: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    line: str = ""

    @property
    def kind(self) -> Kind:
        return OPS[self.op].kind

    @property
    def place(self) -> str:
        """Module path and source line, as messages name them."""
        return f"{self.path} ({self.line})" if self.line else self.path

    @property
    def is_site(self) -> bool:
        """True where a unit stands: an activation, a max-pool that a policy left in place, or a
        function that is kept analogue."""
        return self.kind in (Kind.ACTIVATION, Kind.POOL, Kind.ANALOGUE)


@dataclass(frozen=True)
class Graph:
    """Nodes, tensors, the name of the output node; node 0 is the input.

    input_shape: the shape of one sample, without the batch.
    """

    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    output: str
    input_shape: tuple[int, ...]

    @property
    def input(self) -> str:
        return self.nodes[0].name

    def __getitem__(self, name: str) -> Node:
        return self._by_name[name]

    @property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @property
    def sites(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.is_site)

    def consumers(self) -> dict[str, list[str]]:
        """Node name -> names of the nodes that read it."""
        readers: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for source in node.inputs:
                readers[source].append(node.name)
        return readers

    def depths(self) -> dict[str, int]:
        """Node name -> number of sites on the longest path up to and including it."""
        depth: dict[str, int] = {}
        for node in self.nodes:
            above = max((depth[source] for source in node.inputs), default=0)
            depth[node.name] = above + node.is_site
        return depth

    def parameters_of(self, node: Node) -> dict[str, Tensor]:
        return {role: self.tensors[key] for role, key in node.tensors.items()}

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> Graph:
        return replace(self, tensors={key: change(t) for key, t in self.tensors.items()})

    def with_tensors(self, changed: Mapping[str, Tensor]) -> Graph:
        """The same graph with other values for some tensors."""
        return replace(self, tensors={**self.tensors, **changed})

    def with_nodes(self, nodes: Iterable[Node], tensors: Mapping[str, Tensor]) -> Graph:
        """A new graph from changed nodes, without nodes nobody needs and tensors nobody names."""
        nodes = tuple(nodes)
        needed = {self.output, nodes[0].name}
        for node in reversed(nodes):
            if node.name in needed:
                needed.update(node.inputs)
        kept = tuple(node for node in nodes if node.name in needed)
        used = {key for node in kept for key in node.tensors.values()}
        return replace(self, nodes=kept, tensors={k: t for k, t in tensors.items() if k in used})


SiteFunction = Callable[[Node, Tensor], Tensor]


def apply(graph: Graph, node: Node, inputs: list[Tensor], gain: float = 1.0) -> Tensor:
    """One node. `gain` multiplies every constant (bias, shift, padding value): an affine segment
    applied to the sum of n frames needs gain n."""
    return OPS[node.op].run(inputs, graph.parameters_of(node), node.attrs, gain)


def last_uses(graph: Graph) -> dict[str, list[str]]:
    """Node name -> values that nobody needs after it; the output is never listed."""
    last: dict[str, str] = {}
    for node in graph.nodes:
        for source in node.inputs:
            last[source] = node.name
    dead: dict[str, list[str]] = {}
    for source, node in last.items():
        if source != graph.output:
            dead.setdefault(node, []).append(source)
    return dead


@torch.no_grad()
def execute(
    graph: Graph,
    x: Tensor,
    site: SiteFunction | None = None,
    gain: float = 1.0,
    watch: Callable[[Node, Tensor], None] | None = None,
) -> Tensor:
    """The graph on x [B, ...]; `site(node, z)` stands for every site, `watch` sees each value."""
    values = {graph.input: x}
    dead = last_uses(graph)
    for node in graph.nodes:
        if node.name != graph.input:
            inputs = [values[source] for source in node.inputs]
            use = site if site is not None and node.is_site else None
            values[node.name] = use(node, inputs[0]) if use else apply(graph, node, inputs, gain)
        if watch is not None:
            watch(node, values[node.name])
        for name in dead.get(node.name, ()):
            del values[name]
    return values[graph.output]


def shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Node name -> shape of one sample's value."""
    found: dict[str, tuple[int, ...]] = {}
    like = next(iter(graph.tensors.values()), torch.zeros(()))
    zeros = torch.zeros(1, *graph.input_shape, dtype=like.dtype, device=like.device)
    execute(graph, zeros, watch=lambda node, value: found.update({node.name: value.shape[1:]}))
    return {name: tuple(shape) for name, shape in found.items()}


def another(path: str, calls: dict[str, int]) -> str:
    """The name of one more call of the site `path`: its own, then path@1, path@2, ...; `calls`
    counts them."""
    seen = calls.get(path, 0)
    calls[path] = seen + 1
    return f"{path}@{seen}" if seen else path
