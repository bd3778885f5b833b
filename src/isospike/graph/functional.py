"""In-place operators read as values: what a write changes, every later reader sees.

An exported program may hold `relu_(x)`. Torch's own functionalisation traces the whole program once
more, which takes longer than the export itself. Walking the nodes in order, the same is had by
giving the new value to every name of the memory that was written, as long as no view of it was
made before; where one may have been, torch does it.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import torch
from torch import fx
from torch._C import DispatchKey  # type: ignore[reportAttributeAccessIssue]
from torch.export import ExportedProgram

aten = torch.ops.aten
# Operators whose result is memory of its own, whatever their arguments.
OWN_MEMORY = frozenset((
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "linear", "addmm", "mm", "matmul", "batch_norm", "add", "sub", "mul", "div", "neg", "relu",
    "relu6", "hardtanh", "clamp", "clamp_min", "maximum", "cat", "gelu", "silu", "elu",
    "sigmoid", "tanh", "softmax", "layer_norm", "group_norm", "instance_norm", "hardswish",
    "hardsigmoid", "leaky_relu", "mish", "prelu", "softplus", "avg_pool1d", "avg_pool2d",
    "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d", "mean", "sum",
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "clone",
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_bilinear2d",
    "clip_quant", "soft_lif",
))  # fmt: skip
DROPOUTS = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")


def functional(program: ExportedProgram, known: Container[Any]) -> ExportedProgram:
    """The program itself where `names` can follow its writes, else functionalised by torch, which
    also takes apart the composite operators that are not `known`."""
    order = {node: at for at, node in enumerate(program.graph.nodes)}
    calls = [node for node in order if node.op == "call_function"]
    strange = any(node.op == "get_attr" for node in order)
    if strange or not all(_followed(node, order) and _whole(node, known) for node in calls):
        return program.run_decompositions({})
    return program


def pure(target: Any) -> Any:
    """`aten.relu.default` for `aten.relu_.default`; None for what writes nothing or has no twin."""
    if not isinstance(target, torch._ops.OpOverload) or not target._schema.is_mutable:
        return None
    if not target._schema.name.startswith("aten::") or not _operator(target).endswith("_"):
        return None
    packet = getattr(aten, _operator(target).rstrip("_"), None)
    return getattr(packet, target._overloadname, None)


def names(node: fx.Node) -> list[fx.Node]:
    """Every other name of the memory that an in-place node writes."""
    root: Any = node.args[0]
    while isinstance(root, fx.Node) and _same(root):
        root = root.args[0]
    found, todo = [], [root] if isinstance(root, fx.Node) else []
    while todo:
        found.append(todo.pop())
        users = [user for user in found[-1].users if _same(user) and user is not node]
        todo += [user for user in users if user.args[0] is found[-1]]
    return found


def _same(node: fx.Node) -> bool:
    """True where a node is its first argument: written in place, or dropout in eval mode."""
    idle = _operator(node.target) in DROPOUTS and len(node.args) > 2 and not node.args[2]
    return idle or pure(node.target) is not None


def _followed(node: fx.Node, order: dict[fx.Node, int]) -> bool:
    """False for a write to memory that may be seen under a name that `names` does not know."""
    if isinstance(node.target, torch._ops.HigherOrderOperator):
        return False
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.is_mutable:
        return True
    if pure(node.target) is None:
        return False
    written = names(node)
    before = [user for name in written for user in name.users if order[user] < order[node]]
    return all(_own(each) for each in (*written, *before))


def _whole(node: fx.Node, known: Container[Any]) -> bool:
    """False for a composite operator that may be known by its parts alone."""
    target = pure(node.target) or node.target
    if target in known or not isinstance(target, torch._ops.OpOverload):
        return True
    return not target.has_kernel_for_dispatch_key(DispatchKey.CompositeImplicitAutograd)


def _own(node: fx.Node) -> bool:
    return _operator(node.target) in OWN_MEMORY or _same(node)


def _operator(target: Any) -> str:
    return target._schema.name.rpartition("::")[2] if hasattr(target, "_schema") else ""
