"""An ONNX file becomes a Graph by a table of operators, and is compared with onnxruntime.

`read(path)` refuses, with every reason at once, what the table has no meaning for; what it returns
goes into `plan`, `convert` and `evaluate` like a module.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isospike.errors import ConversionError, Finding, FormatError, UsageError
from isospike.graph.analogue import NAMES, NO_NEURON
from isospike.graph.graph import Graph, Node, another
from isospike.graph.imported import Imported
from isospike.graph.onnx_constants import CONSTANTS, evaluate
from isospike.graph.onnx_file import LARGEST, array, onnx, read_model
from isospike.graph.onnx_node import OnnxNode, Result
from isospike.graph.onnx_ops import OPERATORS
from isospike.graph.ops import OPS, Kind
from isospike.graph.translate import MIXES, Call, Refusal, Value

FLOAT, DOUBLE = 1, 11  # of TensorProto
# What wrong arguments make torch and numpy raise.
MISFITS = (LookupError, ValueError, TypeError, AssertionError, ArithmeticError, RuntimeError)
PROBE = 2  # samples in a shape that is being worked out


def read(path: str | Path, input_shape: tuple[int, ...] | None = None) -> Imported:
    """The network of an ONNX file, operator sets 13 to the newest.

    input_shape: the shape of one sample, where the file leaves it open. ConversionError lists every
    node that cannot be converted; FormatError for a file that is not what it should be; UsageError
    where onnx or onnxruntime are not installed.
    """
    path = Path(path)
    model, weights = read_model(path)
    importer = _Importer(model.graph, weights, path)
    graph = importer.run(input_shape)
    return Imported(graph, runtime(model, importer.single), "onnxruntime")


def runtime(model: Any, single: bool) -> Callable[[Tensor], Tensor]:
    """What onnxruntime answers, without rewriting the graph; one by one for a batch fixed to 1."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError("ONNX files are checked: pip install isospike[onnx]") from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors have no common class
        text = " ".join(str(error).split())[-300:]
        raise FormatError(f"onnxruntime does not take the file: {text}") from error
    ((name, kind),) = [(one.name, one.type) for one in session.get_inputs()]
    dtype = np.float64 if kind == "tensor(double)" else np.float32

    def answer(x: Tensor) -> Tensor:
        pieces = x.split(1) if single else [x]
        found = [np.asarray(session.run(None, {name: p.numpy().astype(dtype)})[0]) for p in pieces]
        return torch.from_numpy(np.concatenate(found)).to(x.dtype)

    return answer


class _Importer:
    """Walks one ONNX graph; keeps the nodes, the constants and the findings."""

    def __init__(self, graph: Any, weights: dict[str, np.ndarray], path: Path) -> None:
        self.graph, self.path = graph, path
        self.known: dict[str, Result] = dict(weights)
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.ops: dict[str, str] = {}
        self.findings: list[Finding] = []
        self.refused: set[str] = set()
        self.paths: dict[str, int] = {}
        self.single = False

    def run(self, input_shape: tuple[int, ...] | None) -> Graph:
        shape = self.input(input_shape)
        for number, node in enumerate(self.graph.node):
            self.visit(number, node)
        output = self.output()
        if self.findings or output is None:
            raise ConversionError.of(self.findings, str(self.path))
        graph = Graph(tuple(self.nodes), self.tensors, output, shape)
        return graph.with_nodes(graph.nodes, graph.tensors)

    def input(self, input_shape: tuple[int, ...] | None) -> tuple[int, ...]:
        """The one input that is no weight: floats, its batch size free or 1."""
        inputs = [one for one in self.graph.input if one.name not in self.known]
        if len(inputs) != 1:
            raise ConversionError(f"{self.path} has {len(inputs)} inputs: one is supported")
        kind = inputs[0].type.tensor_type
        if kind.elem_type not in (FLOAT, DOUBLE):
            raise ConversionError(
                f"{self.path}: the input has type {kind.elem_type}: export the network in float32"
            )
        sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
        batch, shape = (sizes[0], tuple(sizes[1:])) if len(sizes) > 1 else (0, ())
        if batch not in (0, 1):
            raise ConversionError(
                f"{self.path} is written for batches of {batch}: export it with a free batch size "
                "(dynamic_axes or dynamic_shapes)"
            )
        self.single = batch == 1
        if input_shape is not None and len(input_shape) == len(shape):
            shape = tuple(own or asked for own, asked in zip(shape, input_shape, strict=True))
        if not shape or min(shape) < 1 or int(np.prod(shape, dtype=object)) > LARGEST:
            raise ConversionError(
                f"{self.path}: the input is {sizes}: one sample must have a shape; give "
                "input_shape=(channels, height, width), or export it with that shape"
            )
        self.nodes.append(Node(".0", "input", (), {"shape": shape}))
        self.ops[".0"] = "input"
        self.known[inputs[0].name] = Value(".0", shape)
        return shape

    def visit(self, number: int, node: Any) -> None:
        """One node: its results become known, or a finding is noted and the walk goes on."""
        name = node.name or next(iter(node.output), "") or f"node {number}"
        blocked = [one for one in node.input if one in self.refused]
        foreign = node.domain not in ("", "ai.onnx")
        known = not foreign and (node.op_type in OPERATORS or node.op_type in CONSTANTS)
        try:
            if not known:
                what = f"{node.domain}::{node.op_type}" if foreign else node.op_type
                raise Refusal(
                    what, NO_NEURON, "replace it by ReLU or another operator of the table"
                )
            if blocked:
                self.refused.update(node.output)
                return
            results = self.results(name, node)
            self.known.update(zip(node.output, results, strict=False))
        except Refusal as refusal:
            self.refused.update(node.output)
            line = f"node {number}: {node.op_type}"
            self.findings.append(Finding(name, line, refusal.what, refusal.why, refusal.fix))

    def results(self, name: str, node: Any) -> list[Result]:
        attrs = {a.name: self.attribute(a) for a in node.attribute}
        arguments = tuple(self.known[one] if one else None for one in node.input)
        outputs = sum(bool(one) for one in node.output)

        def emit(call: Call | Value) -> Value:
            return call if isinstance(call, Value) else self.emit(name, call)

        entry = OnnxNode(
            node.op_type, name, arguments, attrs, outputs, emit,
            lambda value: self.ops[value.name], self.single,
        )  # fmt: skip
        moving = any(isinstance(argument, Value) for argument in arguments)
        if not moving or node.op_type == "Shape":
            return [evaluate(entry)]
        if node.op_type not in OPERATORS:
            raise Refusal(node.op_type, NO_NEURON, "replace it by an operator of the table")
        try:
            found = OPERATORS[node.op_type](entry)
        except MISFITS as error:
            why = f"{type(error).__name__}: {error}."
            raise Refusal(
                f"{node.op_type} with arguments that do not fit it", why, "repair the file"
            ) from error
        return list(found) if isinstance(found, list) else [found]

    def attribute(self, attribute: Any) -> Any:
        value = onnx.helper.get_attribute_value(attribute)
        return array(value, self.path) if hasattr(value, "raw_data") else value

    def emit(self, name: str, call: Call) -> Value:
        """Add a node, after those that its inputs are to be; the shape of its value comes from a
        try without data."""
        if OPS[call.op].kind is Kind.ANALOGUE:
            raise Refusal(
                NAMES.get(call.op, call.op), NO_NEURON,
                "replace it by ReLU or another operator of the table",
            )  # fmt: skip
        values = [self.emit(name, v) if isinstance(v, Call) else v for v in call.inputs]
        shape = self.shape(call, values)
        label = f".{len(self.nodes)}"
        path = name.lstrip("/.") or call.op
        if OPS[call.op].kind in (Kind.ACTIVATION, Kind.POOL):
            label = path = another(path, self.paths)
        keys = {role: f"{label}.{role}" for role in call.tensors}
        self.tensors.update({keys[role]: tensor for role, tensor in call.tensors.items()})
        inputs = tuple(value.name for value in values)
        self.nodes.append(Node(label, call.op, inputs, call.attrs, keys, path))
        self.ops[label] = call.op
        return Value(label, shape)

    def shape(self, call: Call, values: list[Value]) -> tuple[int, ...]:
        inputs = [
            torch.empty((PROBE, *v.shape), device="meta", dtype=torch.float64) for v in values
        ]
        tensors = {role: tensor.to("meta") for role, tensor in call.tensors.items()}
        try:
            found = OPS[call.op].run(inputs, tensors, call.attrs, 1.0)
        except MISFITS as error:
            why = str(error).strip().partition("\n")[0]
            raise Refusal("sizes that do not fit together", why, "repair the file") from error
        if found.dim() < 2 or found.shape[0] != PROBE:
            raise Refusal("a value without the batch first", MIXES, "keep the batch first")
        if found.numel() > LARGEST or 0 in found.shape:
            raise Refusal(
                f"a value of the shape {list(found.shape)[1:]}", "Its size.", "repair the file"
            )
        return tuple(found.shape[1:])

    def output(self) -> str | None:
        names = [one.name for one in self.graph.output]
        if len(names) != 1:
            self.findings.append(Finding(
                "output", "", f"an output of {len(names)} tensors", "One tensor is scored.",
                "export a model that returns its logits alone",
            ))  # fmt: skip
            return None
        found = self.known.get(names[0])
        if isinstance(found, Value):
            return found.name
        if names[0] not in self.refused:
            what = "an output that does not depend on the input"
            self.findings.append(
                Finding("output", "", what, "One tensor is scored.", "repair the file")
            )
        return None
