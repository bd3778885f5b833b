"""What the weights alone say about a site: the largest drive they allow, the largest weight.

Bounds go from node to node as an interval [low, high] of each value, W+ the positive and W- the
negative weights:

    high' = W+ high + W- low + b,      low' = W+ low + W- high + b
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from isospike.errors import UsageError
from isospike.fit.segment import segment
from isospike.graph.graph import Graph, Node, apply
from isospike.graph.leaky import LEAKY
from isospike.graph.ops import NEVER_NEGATIVE, Kind

Interval = tuple[Tensor, Tensor]
FACTORS = ("weight", "scale")


def largest_drive(graph: Graph, node: Node) -> Tensor:
    """Upper bound of the drive of one step, a scalar, where pixels are in [0, 1] and every site
    below sends what lies between 0 and its own bound; a leaky ReLU either sign of it, and its bound
    holds for what it sends. For one layer the bound is the maximum.

    UsageError with every site below whose values have no known bound.
    """
    below = list(segment(graph, node.inputs[0], {graph.input}))
    if unknown := [each for each in below if not _is_known(each)]:
        told = ", ".join(f"{each.place}: {each.op}" for each in unknown)
        raise UsageError(
            f"thresholds from weights alone need bounds of what every site sends, and these have "
            f"none: {told}. Set threshold to percentile or mmse"
        )
    like = next((t for t in graph.tensors.values() if t.is_floating_point()), torch.zeros(()))
    pixels = torch.ones(1, *graph.input_shape).to(like)
    known = {graph.input: (pixels * 0, pixels)}
    for each in below:
        inputs = [known[name] for name in each.inputs]
        known[each.name] = (_sent if each.is_site else _through)(graph, each, inputs)
    return _bound(node, known[node.inputs[0]])


def _is_known(node: Node) -> bool:
    return not node.is_site or node.kind is Kind.POOL or node.op in (*NEVER_NEGATIVE, LEAKY)


def _bound(site: Node, drive: Interval) -> Tensor:
    low, high = drive
    most = high.amax().clamp(min=0)
    return most.maximum(-float(site.attrs["slope"]) * low.amin()) if site.op == LEAKY else most  # type: ignore[arg-type]


def _sent(graph: Graph, site: Node, inputs: list[Interval]) -> Interval:
    """At one step. A max-pool passes the spikes of one of its window."""
    ((low, high),) = inputs
    if site.kind is Kind.POOL:
        return -apply(graph, site, [-low]), apply(graph, site, [high])
    most = torch.full_like(high, float(_bound(site, (low, high))))
    return -most if site.op == LEAKY else most * 0, most


def _through(graph: Graph, node: Node, inputs: list[Interval]) -> Interval:
    lows, highs = [list(each) for each in zip(*inputs, strict=True)]
    if node.op == "sub":
        return lows[0] - highs[1], highs[0] - lows[1]
    role = next((role for role in FACTORS if role in node.tensors), None)
    if role is None:  # no factor is negative
        return apply(graph, node, lows), apply(graph, node, highs)
    key = node.tensors[role]
    up = graph.with_tensors({key: graph.tensors[key].clamp(min=0)})
    down = graph.with_tensors({key: graph.tensors[key].clamp(max=0)})
    alone = replace(node, tensors={role: key})  # the constant counts once
    return (
        apply(up, node, lows) + apply(down, alone, highs),
        apply(up, node, highs) + apply(down, alone, lows),
    )


def largest_weight(graph: Graph, node: Node) -> Tensor:
    """Of the layers between the sites below and this one, a scalar; 0 where there are none."""
    known = {graph.input, *(site.name for site in graph.sites)}
    found = [torch.zeros(())]
    for each in segment(graph, node.inputs[0], known):
        if each.kind is Kind.WEIGHT:
            found.append(graph.tensors[each.tensors["weight"]].amax().float().cpu())
    return torch.stack(found).amax()
