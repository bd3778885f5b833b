"""What the weights alone say about a site: the largest drive they allow, the largest weight."""

from __future__ import annotations

import torch
from torch import Tensor

from isospike.errors import UsageError
from isospike.fit.segment import evaluate, segment
from isospike.graph.graph import Graph, Node
from isospike.graph.ops import Kind


def largest_drive(graph: Graph, node: Node) -> Tensor:
    """Upper bound of the drive of one step, a scalar, where pixels are at most 1 and every site
    below sends at most its own bound: positive weights and biases only.

    UsageError for a graph that subtracts values, whose bound needs their lower one.
    """
    if any(each.op == "sub" for each in graph.nodes):
        raise UsageError("thresholds from weights alone need a network without subtractions")
    positive = graph.map_tensors(lambda t: t.clamp(min=0) if t.is_floating_point() else t)
    like = next(t for t in graph.tensors.values() if t.is_floating_point())
    known = {graph.input: torch.ones(1, *graph.input_shape).to(like)}
    for site in graph.sites:
        known = evaluate(positive, site.inputs[0], known)
        drive = known[site.inputs[0]]
        if site.name == node.name:
            break
        known[site.name] = torch.full_like(drive, float(drive.amax()))
    return known[node.inputs[0]].amax()


def largest_weight(graph: Graph, node: Node) -> Tensor:
    """Of the layers between the sites below and this one, a scalar; 0 where there are none."""
    known = {graph.input, *(site.name for site in graph.sites)}
    found = [torch.zeros(())]
    for each in segment(graph, node.inputs[0], known):
        if each.kind is Kind.WEIGHT:
            found.append(graph.tensors[each.tensors["weight"]].amax().float().cpu())
    return torch.stack(found).amax()
