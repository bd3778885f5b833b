"""The modules that a traced forward calls, and how it calls them."""

from __future__ import annotations

from collections import Counter

from torch import fx, nn

from isospike.train import arguments, calls, graphs, tracing


def called(
    both: tracing.Graphs, modules: dict[str, nn.Module]
) -> dict[nn.Module, tuple[str, list[arguments.Call]]]:
    """Called container -> its first path and every call of it, in either mode."""
    found: dict[nn.Module, tuple[str, list[arguments.Call]]] = {}
    for node in [node for graph in both for node in graph.nodes if node.op == "call_module"]:
        child = modules.get(str(node.target))  # none for what was put in just now
        if child is not None and calls.is_container(child):
            found.setdefault(child, (str(node.target), []))[1].append((node.args, node.kwargs))
    return found


def entangled(graph: fx.Graph, module: nn.Module) -> set[nn.Module]:
    """Called containers that must be traced through."""
    modules = dict(module.named_modules())
    called = [n for n in graph.nodes if n.op == "call_module"]
    called = [node for node in called if calls.is_container(modules[node.target])]
    often = Counter(node.target for node in called)
    return {
        modules[node.target]
        for node in called
        if often[node.target] > 1
        or (graphs.read_later(node) and _writes_input(modules[node.target], node))
    }


def _writes_input(module: nn.Module, call: fx.Node) -> bool:
    """Does an in-place ReLU of `module` write over what `module` was given?"""
    try:
        fixed = arguments.known(module.forward, [(call.args, call.kwargs)])
        graph = tracing.trace(module, (), False, fixed)
    except Exception:
        return False
    modules = dict(module.named_modules())
    for node in graph.nodes:
        given = bool(node.args) and isinstance(node.args[0], fx.Node)
        if given and node.args[0].op == "placeholder":
            relu = calls.relu_call(node, modules)
            child = modules.get(str(node.target)) if node.op == "call_module" else None
            if relu and relu.inplace:
                return True
            if child is not None and calls.is_container(child) and _writes_input(child, node):
                return True
    return False
