"""Surgery on one traced forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

POOLS = {
    F.max_pool1d: F.avg_pool1d, F.max_pool2d: F.avg_pool2d, F.max_pool3d: F.avg_pool3d,
    torch.max_pool1d: F.avg_pool1d, torch.max_pool2d: F.avg_pool2d, torch.max_pool3d: F.avg_pool3d,
    F.adaptive_max_pool1d: F.adaptive_avg_pool1d, F.adaptive_max_pool2d: F.adaptive_avg_pool2d,
    F.adaptive_max_pool3d: F.adaptive_avg_pool3d,
}  # fmt: skip
DROPOUTS: dict[Any, Callable[[float], nn.Module]] = {
    F.dropout: nn.Dropout, F.dropout1d: nn.Dropout1d, F.dropout2d: nn.Dropout2d,
    F.dropout3d: nn.Dropout3d, F.alpha_dropout: nn.AlphaDropout,
    F.feature_alpha_dropout: nn.FeatureAlphaDropout,
}  # fmt: skip


def source_of(node: fx.Node) -> Any:
    """The value that a call works on."""
    return node.args[0] if node.args else node.kwargs.get("input")


def _later(node: fx.Node) -> list[fx.Node]:
    """Other readers of the node's input that stand behind it."""
    source, order = source_of(node), {n: i for i, n in enumerate(node.graph.nodes)}
    users = source.users if isinstance(source, fx.Node) else ()
    return [user for user in users if order[user] > order[node]]


def read_later(node: fx.Node) -> bool:
    """Is the node's input read again behind it?"""
    return bool(_later(node))


def replace_call(node: fx.Node, target: str, inplace: bool) -> None:
    """A call of the module `target` instead; what an in-place call wrote over is its result."""
    source, later = source_of(node), _later(node) if inplace else []
    with node.graph.inserting_after(node):
        new = node.graph.call_module(target, (source,))
    node.replace_all_uses_with(new)
    for user in later:
        user.replace_input_with(source, new)
    node.graph.erase_node(node)


def is_max_pool(node: fx.Node) -> bool:
    return node.op == "call_function" and node.target in POOLS


def _window(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):  # fmt: skip
    return (input, kernel_size, stride or kernel_size, padding, ceil_mode), dilation


def _adaptive(input, output_size, return_indices=False):
    return (input, output_size), 1


def _padded_with(source: Any) -> Any:
    """The constant that F.pad puts around the value; 0 where there is none."""
    if not isinstance(source, fx.Node) or source.target is not F.pad:
        return 0

    def filled(input: Any, pad: Any, mode: Any = "constant", value: Any = None) -> Any:
        return (value or 0) if mode == "constant" else 0

    return filled(*source.args, **source.kwargs)


def average_call(node: fx.Node) -> str:
    """Average-pooling of the same window instead; returns why not, or nothing."""
    new = POOLS[node.target]  # type: ignore[index]
    read = _adaptive if new.__name__.startswith("adaptive") else _window
    args, dilation = read(*node.args, **node.kwargs)  # type: ignore[arg-type]
    if dilation not in (1, (1,), (1, 1), (1, 1, 1)):
        return "Average-pooling has no dilation."
    if (filled := _padded_with(source_of(node))) != 0:
        return f"Its input is padded with {filled}, which an average takes in."
    node.target, node.args, node.kwargs = new, args, {}
    return ""


def free_name(module: nn.Module, target: str) -> str:
    """`target`, or `target_1`, ... where the first has no owner yet."""
    parent, _, leaf = target.rpartition(".")
    owner, name, count = module.get_submodule(parent), leaf, 0
    while hasattr(owner, name):
        count += 1
        name = f"{leaf}_{count}"
    return f"{parent}.{name}" if parent else name


def put(module: nn.Module, target: str, new: nn.Module) -> None:
    parent, _, leaf = target.rpartition(".")
    setattr(module.get_submodule(parent), leaf, new)


def adopt(module: nn.Module, graph: fx.Graph) -> None:
    """The module computes the graph from now on; its class becomes a subclass of the old one, so
    that its methods, its parameters and copying stay what they were. A constant of the graph
    becomes a buffer, which moves with the module, and no state."""
    for node in graph.nodes:
        if "constant" in node.meta:
            module.register_buffer(str(node.target), node.meta["constant"], persistent=False)
    graph.lint()
    forward = type(fx.GraphModule(module, graph)).forward
    kind = type(module)
    names = {"forward": forward, "__module__": kind.__module__, "__doc__": kind.__doc__}
    module.__class__ = type(kind.__name__, (kind,), names)
