"""Exchanges the ReLUs and max-pools of a model's private copy, one module's forward at a time."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import fx, nn

from isospike.errors import Finding
from isospike.train import arguments, calls, children, graphs, tracing
from isospike.train.suspects import suspects
from isospike.train.tracing import Graphs

STAYS = "is no ReLU and stays"
Calls = Iterable[arguments.Call] | None


def unshared(model: nn.Module) -> None:
    """One ReLU object at several places becomes one object a place; it has no state to share."""
    seen: set[nn.Module] = set()
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None and calls.relu_module(child):
                if child in seen:
                    setattr(parent, name, copy.copy(child))
                seen.add(child)


class Swaps:
    """make(ceiling) -> activation. done: (kind, place, old, new), findings, notes as they come."""

    def __init__(self, make: Callable[[float], nn.Module], average: bool) -> None:
        self.make, self.average = make, average
        self.done: list[tuple[str, str, str, str]] = []
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.made: set[nn.Module] = set()
        # With the arguments it was traced with; None: not traced.
        self.seen: dict[nn.Module, Mapping[str, Any] | None] = {}

    def activation(self, ceiling: float) -> nn.Module:
        new = self.make(ceiling)
        self.made.add(new)
        return new

    def visit(self, module: nn.Module, path: str, given: Calls = arguments.WHOLE) -> None:
        """Exchange what the forward of `module` calls, then go on to the modules that it calls.
        given: how it is called; None where that is not known."""
        if module in self.seen:
            self.again(module, path, given)
            return
        self.seen[module] = None
        try:
            if "forward" in vars(module):
                raise TypeError("its forward was replaced on the object")
            both, inline = self.traced(module, path, given)
        except Exception as error:
            self.opaque(module, path, error)
            return
        for name in calls.others(both[1]):
            self.notes.append(f"{path or 'model'}: {name} {STAYS}")
        for name in calls.maxima(both[1]):
            self.notes.append(f"{path or 'model'}: {name} with zeros stays: write F.relu")
        modules = dict(module.named_modules())
        if any(self.needs_code(graph, modules) for graph in both):
            self.rewrite(module, path, both, modules)
        else:
            for node in [node for graph in both for node in graph.nodes]:
                self.exchange(module, path, str(node.target), modules.get(str(node.target)), node)
        for child, (target, its) in children.called(both, modules).items():
            if child not in inline:
                self.visit(child, _join(path, target), its)

    def again(self, module: nn.Module, path: str, given: Calls) -> None:
        """A module that was visited before, at another place."""
        self.notes.append(f"{path}: called from several places, which share its activations")
        used = self.seen[module]
        if used is not None and not arguments.agree(used, module.forward, given):
            why = "Other places call it with other constants, or leave other arguments out."
            self.refuse(path, "", type(module).__name__, why, "make it a module for each place")

    def traced(self, module: nn.Module, path: str, given: Calls) -> tuple[Graphs, set[nn.Module]]:
        """Both graphs. A child that is called twice, or that writes over a value that is read
        again, is traced through, so that its calls become calls of `module`."""
        inline: set[nn.Module] = set()
        both, fixed = _fixed(module, arguments.known(module.forward, given))
        self.seen[module] = fixed
        while more := set().union(*(children.entangled(g, module) for g in both)) - inline:
            try:
                both = tracing.trace_both(module, inline | more, fixed)
            except Exception:
                names = {child: name for name, child in module.named_modules()}
                places = ", ".join(_join(path, names[child]) for child in more)
                self.notes.append(f"{places}: called twice, but not traceable; calls share clips")
                return both, inline
            inline |= more
        return both, inline

    def needs_code(self, graph: fx.Graph, modules: dict[str, nn.Module]) -> bool:
        found = [(node, relu) for node in graph.nodes if (relu := calls.relu_call(node, modules))]
        often = Counter(str(node.target) for node, _ in found)
        return any(
            node.op != "call_module"
            or often[str(node.target)] > 1
            or (relu.inplace and graphs.read_later(node))
            for node, relu in found
        ) or (self.average and any(graphs.is_max_pool(node) for node in graph.nodes))

    def exchange(self, module, path, target, child, node=None) -> None:
        """A ReLU or max-pool module, at its place."""
        if child is None or (node is not None and node.op != "call_module"):
            return
        place, relu = _join(path, target), calls.relu_module(child)
        if relu:
            new: nn.Module = self.activation(relu.ceiling)
            self.done.append(("relu", place, relu.old, repr(new)))
        elif self.average and (made := calls.averaged(child)):
            if isinstance(made, str):
                self.refuse(place, "", "max-pool", made, 'pool="keep"')
                return
            new = made
            self.done.append(("pool", place, type(child).__name__, repr(new)))
        else:
            return
        if module.get_submodule(target) is child:  # both modes list it
            graphs.put(module, target, new)
        else:
            self.done.pop()

    def rewrite(self, module, path, both: Graphs, modules) -> None:
        """Give `module` the traced forward, with its ReLUs and max-pools exchanged."""
        if wrong := tracing.join_modes(module, *both):
            why = "A traced forward is the same in both modes."
            fix = "make its ReLUs modules, one a call, or take the `if self.training` out"
            self.refuse(path, "", wrong, why, fix)
            return
        graph, often = both[1], Counter()
        for node in list(graph.nodes):
            relu = calls.relu_call(node, modules)
            if relu:
                by_module = node.op == "call_module"
                target = str(node.target) if by_module else "relu"
                taken = not by_module or often[target] > 0
                often[target] += 1
                target = graphs.free_name(module, target) if taken else target
                new = self.activation(relu.ceiling)
                graphs.put(module, target, new)
                graphs.replace_call(node, target, relu.inplace)
                self.done.append(("relu", _join(path, target), relu.old, repr(new)))
            elif self.average and graphs.is_max_pool(node):
                if why := graphs.average_call(node):
                    self.refuse(_join(path, "max_pool"), "", "max-pool", why, 'pool="keep"')
                self.done.append(("pool", _join(path, "max_pool"), "max_pool", "avg_pool"))
            else:
                self.exchange(module, path, str(node.target), modules.get(str(node.target)), node)
        graphs.adopt(module, graph)

    def opaque(self, module: nn.Module, path: str, error: Exception) -> None:
        """Untraceable: modules are exchanged where they stand; functions are refused."""
        own_forward = type(module).forward is not nn.Module.forward
        if own_forward and not calls.is_container(module):
            return  # torch's own layer
        if own_forward:
            why = f"Its forward cannot be traced ({str(error).splitlines()[0]})."
            for line in suspects(module, self.average):
                fix = "make it an nn module in __init__, one for each call"
                self.refuse(path, line, "a function in place of a module", why, fix)
        before = len(self.done)
        for name, child in list(module.named_children()):
            self.exchange(module, path, name, child)
            if calls.is_container(child) or type(child).forward is nn.Module.forward:
                self.visit(child, _join(path, name), None)
        if own_forward and len(self.done) > before:
            self.notes.append(
                f"{path or 'model'}: not traceable; a module called twice in it has one activation"
            )

    def refuse(self, place: str, line: str, what: str, why: str, fix: str) -> None:
        finding = Finding(place or "model", line, what, why, fix)
        if finding not in self.findings:  # both modes may meet it
            self.findings.append(finding)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _fixed(module: nn.Module, known: Mapping[str, Any]) -> tuple[Graphs, Mapping[str, Any]]:
    """Both graphs, and the arguments that are constants in them: a number is one where a branch of
    the forward depends on it."""
    try:
        fixed = arguments.decided(known)
        return tracing.trace_both(module, (), fixed), fixed
    except Exception:
        return tracing.trace_both(module, (), known), known
