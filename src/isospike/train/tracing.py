"""One forward as a graph that holds in both modes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from isospike.train.arguments import expect
from isospike.train.graphs import DROPOUTS, free_name, put, replace_call

Graphs = tuple[fx.Graph, fx.Graph]  # in train mode, in eval mode


class Tracer(fx.Tracer):
    """Children are single nodes, except those of `inline`, which are traced through; the arguments
    in `fixed` have their values, any other stands for a value that is never None."""

    proxy_buffer_attributes = True  # what is computed from a buffer follows it

    def __init__(
        self, inline: Collection[nn.Module] = (), fixed: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.inline, self.fixed = inline, fixed or {}

    def create_args_for_root(self, *args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        forward, given = super().create_args_for_root(*args, **kwargs)
        return forward, [self._value(arg) for arg in given]

    def _value(self, arg: Any) -> Any:
        name = str(arg.node.target) if isinstance(arg, fx.Proxy) else ""
        if name not in self.fixed:
            return arg
        self.create_proxy("call_function", expect, (arg, self.fixed[name], name.lstrip("*")), {})
        return self.fixed[name]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return m not in self.inline


def trace(
    module: nn.Module,
    inline: Collection[nn.Module],
    training: bool,
    fixed: Mapping[str, Any] | None = None,
) -> fx.Graph:
    """The graph of one mode; the module is left in that mode, and else as it was. A tensor that its
    forward makes is `meta["constant"]` of the node that reads it. fixed: argument -> constant."""
    parts = (module, *inline)
    for part in parts:
        part.training = training
    before = [dict(vars(part)) for part in parts]
    try:
        graph = Tracer(inline, fixed).trace(module)
        for node in graph.nodes:
            made = vars(module).get(str(node.target)) if node.op == "get_attr" else None
            if isinstance(made, Tensor) and node.target not in before[0]:
                node.meta["constant"] = made
    finally:
        for part, kept in zip(parts, before, strict=True):
            vars(part).clear()
            vars(part).update(kept)
    return graph


def trace_both(
    module: nn.Module, inline: Collection[nn.Module], fixed: Mapping[str, Any]
) -> Graphs:
    return trace(module, inline, True, fixed), trace(module, inline, False, fixed)


def join_modes(module: nn.Module, training: fx.Graph, evaluation: fx.Graph) -> str:
    """Make the graph of eval mode right for both: functional dropout becomes a module. Returns
    what cannot be joined, or nothing."""
    pairs = list(zip(training.nodes, evaluation.nodes, strict=False))
    if len(training.nodes) != len(evaluation.nodes):
        return "the list of calls depends on self.training"
    if not all(_same_constant(*pair) for pair in pairs):
        return "a tensor that its forward makes depends on self.training or on chance"
    # All first: a replaced call has another name in the calls behind it.
    apart = [(one, other) for one, other in pairs if _text(one) != _text(other)]
    for one, other in apart:
        if one.target not in DROPOUTS or _text(one, "training") != _text(other, "training"):
            return f"{one.name} depends on self.training"
    for one, other in apart:
        target = free_name(module, "dropout")
        put(module, target, DROPOUTS[one.target](one.kwargs.get("p", 0.5)))  # type: ignore[arg-type]
        replace_call(other, target, inplace=False)
    return ""


def _same_constant(one: fx.Node, other: fx.Node) -> bool:
    a, b = one.meta.get("constant"), other.meta.get("constant")
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and torch.equal(a, b)


def _text(node: fx.Node, without: str = "") -> str:
    kwargs = {key: value for key, value in node.kwargs.items() if key != without}
    return repr((node.op, node.target, node.args, kwargs))
