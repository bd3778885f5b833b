"""From ONNX operators to the operators of this package: one table entry an operator.

An entry takes an OnnxNode and returns its result; it raises `Refusal` for a call that this package
has no meaning for. Meanings are those of operator sets 13 and newer (onnx.ai, Operators).
"""

from __future__ import annotations

from collections.abc import Callable

from isospike.graph import piecewise, rearrange, translate
from isospike.graph.onnx_node import OnnxNode
from isospike.graph.onnx_shapes import SHAPES
from isospike.graph.onnx_windows import WINDOWS
from isospike.graph.translate import Call, Refusal, Value

Rule = Callable[[OnnxNode], Value | list[Value]]
NO_PRODUCT = "No neuron multiplies two spike trains."


def gemm(node: OnnxNode) -> Value:
    """Y = alpha A' B' + beta C"""
    a, bias, attrs = node.value(), node.tensor(2), node.attrs
    weight = node.tensor(1)
    if weight is None or attrs.get("transA", 0):
        raise Refusal("Gemm that transposes its input", translate.MIXES, "transpose B alone")
    weight = weight if attrs.get("transB", 0) else weight.t()
    weight = weight * attrs.get("alpha", 1.0)
    if bias is not None:
        if bias.dim() == 2 and len(bias) != 1:
            raise Refusal("Gemm with a bias per sample", translate.MIXES, "make it one row")
        bias = (bias * attrs.get("beta", 1.0)).reshape(-1).expand(len(weight)).clone()
    return node.emit(translate.weighted("linear", a, weight.contiguous(), bias))


def matmul(node: OnnxNode) -> Value:
    if all(isinstance(argument, Value) for argument in node.arguments):
        raise Refusal("product of two values", NO_PRODUCT, "replace it by a sum or a concat")
    weight = node.tensor(1)
    if weight is None or weight.dim() != 2:
        raise Refusal("MatMul with a constant that is no matrix", "Not in the table.", "use Gemm")
    return node.emit(translate.weighted("linear", node.value(), weight.t().contiguous(), None))


def batch_norm(node: OnnxNode) -> Value:
    if node.attrs.get("training_mode", 0):
        raise Refusal("batch norm in training mode", translate.MIXES, "export in eval mode")
    scale, shift, mean, var = (node.tensor(place) for place in range(1, 5))
    eps = node.attrs.get("epsilon", 1e-5)
    return node.emit(translate.batch_norm(node.value(), scale, shift, mean, var, eps))


def clip(node: OnnxNode) -> Value:
    bounds = [node.tensor(place) for place in (1, 2)]
    low, high = (None if b is None else float(b) for b in bounds)
    return node.emit(piecewise.clamp(node.value(), low, high))


def binary(rule: Callable[..., Call | Value]) -> Rule:
    """Two arguments, of which one may be a constant; values of one rank, so that none is stretched
    over the batch."""

    def meant(node: OnnxNode) -> Value:
        values = [a for a in node.arguments if isinstance(a, Value)]
        if len({value.rank for value in values}) > 1:
            raise Refusal(f"{node.op} of values of two ranks", translate.MIXES, "reshape one first")
        x, y = (
            a if isinstance(a, Value) else node.tensor(place)
            for place, a in enumerate(node.arguments)
        )
        return node.emit(rule(x, y))

    return meant


def total(node: OnnxNode) -> Value:
    """Sum of any number of values."""
    found = node.value()
    for place in range(1, len(node.arguments)):
        found = node.emit(translate.add(found, node.value(place)))
    return found


def concat(node: OnnxNode) -> Value:
    values = [node.argument(place) for place in range(len(node.arguments))]
    return node.emit(rearrange.cat(values, node.attrs["axis"]))


def dropout(node: OnnxNode) -> Value:
    ratio, training = node.tensor(1), node.constant(2)
    on = training is not None and bool(training)
    share = 0.5 if ratio is None else float(ratio)
    return node.emit(translate.dropout(node.value(), share, on))


FLOAT, DOUBLE = 1, 11  # of TensorProto


def cast(node: OnnxNode) -> Value:
    if node.attrs["to"] not in (FLOAT, DOUBLE):
        raise Refusal(
            f"cast to type {node.attrs['to']}", "Networks are compared in float32 and float64.",
            "leave the cast out",
        )  # fmt: skip
    return node.value()


OPERATORS: dict[str, Rule] = {
    **WINDOWS,
    **SHAPES,
    "Gemm": gemm,
    "MatMul": matmul,
    "BatchNormalization": batch_norm,
    "Relu": lambda node: node.emit(piecewise.relu(node.value())),
    "Clip": clip,
    "Add": binary(translate.add),
    "Sub": binary(translate.sub),
    "Mul": binary(translate.mul),
    "Div": binary(translate.div),
    "Max": binary(piecewise.maximum),
    "Neg": lambda node: node.emit(translate.neg(node.value())),
    "Sum": total,
    "Concat": concat,
    "Dropout": dropout,
    "Identity": lambda node: node.value(),
    "Cast": cast,
}
