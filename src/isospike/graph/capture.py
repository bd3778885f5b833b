"""A PyTorch model becomes a Graph, or every reason why it cannot is told at once.

The model is copied, put in eval mode, exported with a free batch size and functionalised; the
original is never touched. Parameters, buffers and whatever is computed from them alone become
constants; the rest is translated operator by operator.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx.node import map_arg

from isospike.errors import ConversionError, Finding
from isospike.graph import keep as _keep  # noqa: F401  fills the table of rules
from isospike.graph import noted
from isospike.graph import piecewise as _piecewise  # noqa: F401  the same
from isospike.graph import rearrange as _rearrange  # noqa: F401  the same
from isospike.graph.analogue import NAMES, NO_NEURON
from isospike.graph.few_spike import is_named, way_out
from isospike.graph.functional import functional, names, pure
from isospike.graph.graph import Graph, Node, another
from isospike.graph.model import exported, private_copy, quiet
from isospike.graph.ops import OPS, Kind
from isospike.graph.place import place
from isospike.graph.split import SPLITS, sliced, split
from isospike.graph.translate import MIXES, RULES, Call, Refusal, Value

aten = torch.ops.aten
# Constants in all but shape.
FILLED: dict[Any, float] = {
    aten.zeros_like.default: 0.0, aten.ones_like.default: 1.0, aten.zeros.default: 0.0,
    aten.ones.default: 1.0, aten.new_zeros.default: 0.0, aten.new_ones.default: 1.0,
}  # fmt: skip
PACK = "wrap the model in isospike.Packed(model, example)"


def capture(model: nn.Module | ExportedProgram, example: Tensor, keep: Sequence[str] = ()) -> Graph:
    """The graph of `model` for inputs like `example` [B, ...]; raises ConversionError.

    keep: sites or functions that stay analogue, by path or name (`*.se.*`, `gelu`).
    """
    if not isinstance(model, ExportedProgram):
        model = exported(private_copy(model), example)
    return _Capture(model, keep).run()


class _Capture:
    """Walks one exported program; keeps the nodes, the constants and the findings."""

    def __init__(self, program: ExportedProgram, keep: Sequence[str] = ()) -> None:
        self.keep = keep
        with quiet():
            self.program = functional(program, {*RULES, *SPLITS, *FILLED, aten.select.int})
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.findings: list[Finding] = []
        self.values: dict[fx.Node, Any] = {}
        self.paths: dict[str, int] = {}
        self.batch: Any = None

    def run(self) -> Graph:
        specs = {s.arg.name: s for s in self.program.graph_signature.input_specs}
        output = None
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self.placeholder(node, specs[node.name])
            elif node.op == "call_function":
                self.call(node)
                if pure(node.target) is not None:
                    self.values.update(dict.fromkeys(names(node), self.values[node]))
            elif node.op == "output":
                output = self.result(node)
        if self.findings or output is None:
            raise ConversionError.of(self.findings)
        shape = tuple(self.nodes[0].attrs["shape"])  # type: ignore[arg-type]
        graph = Graph(tuple(self.nodes), self.tensors, output, shape)
        return graph.with_nodes(graph.nodes, graph.tensors)

    def placeholder(self, node: fx.Node, spec: Any) -> None:
        if spec.kind is InputKind.USER_INPUT:
            if self.batch is not None:
                self.refuse(node, Refusal("a second input", "A graph has one input.", PACK))
                return
            value = node.meta["val"]
            self.batch = value.shape[0]
            if isinstance(self.batch, int):
                raise ConversionError(
                    "the exported program has a fixed batch size: export it again with "
                    'dynamic_shapes=({0: torch.export.Dim("batch")},)'
                )
            self.emit(node, Call("input", (), {"shape": tuple(map(int, value.shape[1:]))}))
            return
        table: dict[str, Any] = self.program.state_dict
        table = {**self.program.constants, **table}
        tensor = table[spec.target]
        tensor = tensor.detach()
        # In float64: what is computed from weights alone, as a batch norm, costs no accuracy.
        self.values[node] = tensor.double() if tensor.is_floating_point() else tensor
        if tensor.is_complex() or tensor.is_quantized:
            self.refuse(node, Refusal("complex or int8 weights", "Not supported.", "use floats"))
        elif tensor.is_floating_point() and not tensor.isfinite().all():
            bad = (~tensor.isfinite()).nonzero()
            self.findings.append(Finding(
                spec.target, "", f"{len(bad)} values are NaN or infinite",
                f"The first is at index {bad[0].tolist()}.", "repair or retrain the weights",
            ))  # fmt: skip

    def call(self, node: fx.Node) -> None:
        args, kwargs = self.arguments(node)
        flat = [*args, *kwargs.values()]
        if node.target in (aten.sym_size.int, operator.mul, operator.add) and noted.is_size(node):
            self.values[node] = node.meta["val"]
        elif node.target is operator.getitem and isinstance(args[0], list | tuple):
            piece = args[0][args[1]]  # of a split, or of what was computed from constants
            self.values[node] = piece
            if isinstance(piece, Call):
                self.emit(node, piece)
        elif node.target is operator.getitem and (args[1] == 0 or _refused(args[0])):
            self.values[node] = args[0]  # the one output of a batch norm that carries data
        elif node.target is aten._assert_tensor_metadata.default:
            pass  # what export notes beside a cast
        elif node.target in FILLED and _any_value(flat) and (shape := self.filled(node)):
            self.values[node] = torch.full(shape, FILLED[node.target], dtype=torch.float64)
        elif (
            node.target is aten.expand.default
            and isinstance(args[0], Tensor)
            and self.of_batch(node)
        ):
            self.values[node] = args[0].expand(1, *noted.shape(node))
        elif not _any_value(flat):
            self.constant(node, args, kwargs)
        else:
            try:
                self.translate(node, args, kwargs)
            except Refusal as refusal:
                self.refuse(node, refusal)

    def constant(self, node: fx.Node, args: list, kwargs: dict) -> None:
        """What depends on no input is computed now."""
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            fix = "draw nothing in eval mode"
            self.refuse(node, Refusal("random numbers", "The answer differs each time.", fix))
        else:
            self.values[node] = node.target(*args, **kwargs)  # type: ignore[operator]

    def translate(self, node: fx.Node, args: list, kwargs: dict) -> None:
        target = pure(node.target) or node.target
        if target in SPLITS:
            self.values[node] = split(node, args)
            return
        if not any(isinstance(arg, Value) for arg in _flat([*args, *kwargs.values()])):
            raise Refusal(f"{node.target} of the batch size", MIXES, "use fixed shapes")
        self.check_batch(node, args)
        if target is aten.select.int:
            args = [args[0], args[1], args[2], args[2] + 1 if args[2] != -1 else None]
            piece = RULES[aten.slice.Tensor](*args)
            self.emit(node, piece)
            self.emit(node, Call("reshape", (self.values[node],), {"shape": noted.shape(node)}))
            return
        if target not in RULES:
            name = str(target).removeprefix("aten.").split(".")[0]
            raise Refusal(name, NO_NEURON, "replace it by ReLU or another operator of the table")
        function = RULES[target]
        if function.__name__ == "reshape":
            kwargs["result"] = noted.shape(node)
        if function.__name__ == "cast":
            kwargs["types"] = tuple(noted.value(n).dtype for n in (node.args[0], node))  # type: ignore
        try:
            signature(function).bind(*args, **kwargs)
        except TypeError:
            what = f"{target} with these arguments"
            raise Refusal(what, "Not in the table.", "leave out the unusual ones") from None
        self.emit(node, function(*args, **kwargs))

    def of_batch(self, node: fx.Node) -> bool:
        """True where the first dimension of what the node computes is the batch."""
        value = noted.value(node)
        return value is not None and value.dim() > 0 and str(value.shape[0]) == str(self.batch)

    def filled(self, node: fx.Node) -> tuple[int, ...] | None:
        """The shape of a constant, a batch of 1 for any batch; None where that is elsewhere."""
        value = noted.value(node)
        shape = (
            (1, *noted.shape(node)) if self.of_batch(node) else tuple(getattr(value, "shape", ()))
        )
        return shape if shape and all(isinstance(size, int) for size in shape) else None

    def check_batch(self, node: fx.Node, args: list) -> None:
        """Values that come from a refused one were told of there."""
        value = noted.value(node)
        if value is not None and any(noted.whole(size) is None for size in value.shape[1:]):
            why = "Every sample has the same shape."
            raise Refusal(
                f"{node.target} gives a shape that depends on values", why, "fix its shape"
            )
        if not self.of_batch(node) and not any(_refused(arg) for arg in _flat(args)):
            raise Refusal(f"{node.target} gives up the batch dimension", MIXES, "keep it first")

    def emit(self, node: fx.Node, call: Call | Value) -> None:
        """Add the nodes of a call; a rule that returned a Value passes it through unchanged."""
        if isinstance(call, Value):
            self.values[node] = call
        elif call.op == "slice":
            self.values[node] = Value(self.add(node, call), sliced(call))
        else:
            self.values[node] = Value(self.add(node, call), noted.shape(node))

    def add(self, node: fx.Node, call: Call) -> str:
        """The name of a new node, behind those of the calls that it reads."""
        path, line = place(node)
        path = f"{path}.{call.label}" if call.label else path
        kind = OPS[call.op].kind
        if kind is Kind.ANALOGUE and not is_named(path, call.op, self.keep):
            raise Refusal(NAMES.get(call.op, call.op), NO_NEURON, way_out(path))
        inputs = [v.name if isinstance(v, Value) else self.add(node, v) for v in call.inputs]
        # The dot keeps it apart from every site: a path starts with no dot, but may be a number.
        name = f".{len(self.nodes)}"
        if kind in (Kind.ACTIVATION, Kind.POOL, Kind.ANALOGUE):
            name = path = another(path, self.paths)
        keys = {}
        for role, tensor in call.tensors.items():
            keys[role] = f"{name}.{role}"
            self.tensors[keys[role]] = tensor.detach()
        self.nodes.append(Node(name, call.op, tuple(inputs), call.attrs, keys, path, line))
        return name

    def refuse(self, node: fx.Node, refusal: Refusal) -> None:
        """Note the problem, and go on as if it were none, so that all problems are found."""
        path, line = place(node)
        self.findings.append(Finding(path, line, refusal.what, refusal.why, refusal.fix))
        self.values[node] = Value(f"refused {node.name}", noted.shape(node))

    def arguments(self, node: fx.Node) -> tuple[list, dict]:
        look_up = self.values.__getitem__
        return (
            [map_arg(arg, look_up) for arg in node.args],
            {key: map_arg(arg, look_up) for key, arg in node.kwargs.items()},
        )

    def result(self, node: fx.Node) -> str | None:
        values = [self.values[arg] for arg in node.args[0]]  # type: ignore[union-attr]
        if len(values) != 1 or not isinstance(values[0], Value):
            many = f"an output of {len(values)} tensors"
            what = many if len(values) != 1 else "an output that does not depend on the input"
            fix = f"{PACK}, or so that it returns its logits alone"
            self.findings.append(Finding("output", "", what, "A graph has one output.", fix))
            return None
        return values[0].name


def _flat(items: Any) -> Iterator[Any]:
    """What stands in lists within lists."""
    for item in items:
        if isinstance(item, list | tuple):
            yield from _flat(item)
        else:
            yield item


def _any_value(items: Any) -> bool:
    return any(isinstance(item, Value | torch.SymInt) for item in _flat(items))


def _refused(value: Any) -> bool:
    return isinstance(value, Value) and value.name.startswith("refused")
