"""What becomes of max-pooling: five policies.

gated       stays, as a unit that passes the spike of the input with the largest count so far
            (Rueckauer et al. 2017)
lateral     stays, as a unit that passes what the largest count has grown by (Li & Zeng 2022)
pre-neuron  max(relu(z)) = relu(max(z)): the pooling moves before the neurons and takes the largest
            current of each step (Bu et al. 2025)
average     replaced by average-pooling: changes the function, and is told
exact       max(a, b) = relu(b - a) + a, a tree of additional neurons
"""

from __future__ import annotations

from dataclasses import replace

from isospike.errors import ConversionError, Finding
from isospike.graph.graph import Graph, Node
from isospike.graph.ops import NEVER_NEGATIVE, Kind

POLICIES = ("gated", "lateral", "pre-neuron", "average", "exact")


def apply_pool_policy(graph: Graph, policy: str) -> Graph:
    """The graph with every max-pool treated by `policy`; ConversionError lists the misfits."""
    if policy not in POLICIES:
        raise ConversionError(f"unknown pool policy {policy!r}: one of {', '.join(POLICIES)}")
    pools = [node for node in graph.nodes if node.op == "max_pool"]
    if policy in ("gated", "lateral") or not pools:
        return graph
    findings = [f for node in pools if (f := _problem(graph, node, policy))]
    if findings:
        raise ConversionError(f"max-pool policy {policy!r} does not fit:", findings)
    for node in pools:
        graph = {"average": _average, "exact": _exact, "pre-neuron": _pre_neuron}[policy](
            graph, graph[node.name]
        )
    return graph


def _problem(graph: Graph, node: Node, policy: str) -> Finding | None:
    source = graph[node.inputs[0]]
    dilated = any(d != 1 for d in node.attrs["dilation"])  # type: ignore[union-attr]
    why = ""
    if policy == "average" and dilated:
        why = "Average-pooling has no dilation."
    if policy == "exact" and (dilated or node.attrs["ceil_mode"] or len(node.attrs["kernel"]) != 2):  # type: ignore[arg-type]
        why = "The pairwise form is written for 2-D pooling without dilation or ceil mode."
    if policy == "exact" and any(node.attrs["padding"]) and source.op not in NEVER_NEGATIVE:  # type: ignore[arg-type]
        why = "Zero padding equals no padding only above an activation whose values are >= 0."
    if policy == "pre-neuron":
        if source.kind is not Kind.ACTIVATION:
            why = "Its input is no activation."
        elif len(graph.consumers()[source.name]) > 1:
            why = "Its activation has other readers."
    if not why:
        return None
    return Finding(node.path, node.line, "max-pool", why, "take another pool policy")


def _replaced(graph: Graph, old: Node, new: list[Node]) -> Graph:
    """`old` gives way to `new`, whose last node keeps its name."""
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.extend(new if node.name == old.name else [node])
    return graph.with_nodes(nodes, graph.tensors)


def _average(graph: Graph, node: Node) -> Graph:
    keep = {key: node.attrs[key] for key in ("kernel", "stride", "padding", "ceil_mode")}
    attrs = {**keep, "count_include_pad": True, "divisor": None}
    return _replaced(graph, node, [replace(node, op="avg_pool", attrs=attrs)])


def _pre_neuron(graph: Graph, node: Node) -> Graph:
    """Swap the pooling and its activation; the pooling is then part of the segment."""
    activation = graph[node.inputs[0]]
    pooled = replace(node, name=f"{node.name}.current", op="max_current", inputs=activation.inputs)
    fired = replace(activation, inputs=(pooled.name,))
    rewired = []
    for other in graph.nodes:
        if other.name == activation.name:
            rewired.extend([pooled, fired])
        elif other.name != node.name:
            names = tuple(fired.name if n == node.name else n for n in other.inputs)
            rewired.append(replace(other, inputs=names))
    output = fired.name if graph.output == node.name else graph.output
    return replace(graph, output=output).with_nodes(rewired, graph.tensors)


def _exact(graph: Graph, node: Node) -> Graph:
    """First along the rows, then along the columns, each a chain of pairwise maxima."""
    new: list[Node] = []
    source = node.inputs[0]
    padding = node.attrs["padding"]
    if any(padding):  # type: ignore[arg-type]
        pad = (padding[1], padding[1], padding[0], padding[0])  # type: ignore[index]
        new.append(
            _made(node, "pad", "pad", (source,), {"pad": pad, "mode": "constant", "value": 0.0})
        )
        source = new[-1].name
    for axis, dim in ((0, 2), (1, 3)):
        kernel, stride = node.attrs["kernel"][axis], node.attrs["stride"][axis]  # type: ignore[index]
        source = _running_max(node, new, source, dim, kernel, stride)
    new.append(_made(node, "", "permute", (source,), {"dims": (0, 1, 2, 3)}))
    return _replaced(graph, node, new)


def _running_max(
    node: Node, new: list[Node], source: str, dim: int, kernel: int, stride: int
) -> str:
    """Windows of `kernel` along `dim`: the k-th element of every window is one strided slice."""

    def add(label: str, op: str, inputs: tuple[str, ...], attrs: dict | None = None) -> str:
        new.append(_made(node, f"{label}.{dim}", op, inputs, attrs or {}))
        return new[-1].name

    best = ""
    for k in range(kernel):
        # A negative end leaves out the positions whose window would not fit.
        end = k + 1 - kernel
        attrs = {"dim": dim, "start": k, "end": end or None, "step": stride}
        piece = add(f"slice{k}", "slice", (source,), attrs)
        if k:
            above = add(f"sub{k}", "sub", (piece, best))
            excess = add(f"relu{k}", "relu", (above,))
            best = add(f"max{k}", "add", (excess, best))
        else:
            best = piece
    return best


def _made(node: Node, label: str, op: str, inputs: tuple[str, ...], attrs: dict) -> Node:
    name = f"{node.name}.{label}" if label else node.name
    return Node(
        name, op, inputs, attrs, {}, f"{node.path}.{label}" if label else node.path, node.line
    )
