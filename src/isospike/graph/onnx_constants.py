"""What exporters compute from shapes and weights alone: evaluated once, when a file is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isospike.graph.onnx_node import BATCH, OnnxNode, Result, numbers, size
from isospike.graph.translate import Refusal, Value

LARGEST = 1 << 24  # values of a computed constant
INT64, FLOAT, DOUBLE = 7, 1, 11  # of TensorProto

Rule = Callable[[OnnxNode], np.ndarray]


def shape(node: OnnxNode) -> np.ndarray:
    """The shape of a value: its batch size stays unknown."""
    x = node.argument(0)
    whole = [BATCH, *x.shape] if isinstance(x, Value) else list(np.shape(x))  # type: ignore[arg-type]
    part = whole[node.attrs.get("start", 0) : node.attrs.get("end")]
    known = not any(entry is BATCH for entry in part)
    return np.array(part, dtype=np.int64 if known else object)


def filled(node: OnnxNode) -> np.ndarray:
    sizes = node.ints(0) or []
    if min(sizes, default=0) < 0 or size(tuple(sizes)) > LARGEST:
        raise Refusal(
            f"a constant of the shape {sizes[:8]}", "It is too large.", "simplify the file"
        )
    value = node.attrs.get("value", np.zeros(1, np.float32))
    return np.full(sizes, np.asarray(value).reshape(-1)[0])


def constant(node: OnnxNode) -> np.ndarray:
    ((name, value),) = [(k, v) for k, v in node.attrs.items() if k.startswith("value")]
    if name.startswith("value_string"):
        raise Refusal("a constant of text", "Networks compute with numbers.", "simplify the file")
    kinds = {"value_float": np.float32, "value_floats": np.float32}
    return np.asarray(value) if name == "value" else np.asarray(value, kinds.get(name, np.int64))


def cast(node: OnnxNode) -> np.ndarray:
    x, to = given(node), node.attrs["to"]
    if x.dtype == object and to == INT64:
        return x
    kinds = {FLOAT: np.float32, DOUBLE: np.float64, INT64: np.int64}
    if x.dtype == object or to not in kinds:
        raise Refusal(f"cast of a constant to type {to}", "Not in the table.", "simplify the file")
    return x.astype(kinds[to])


def given(node: OnnxNode, place: int = 0) -> np.ndarray:
    x = node.constant(place)
    if x is None:
        raise Refusal(f"{node.op} without argument {place}", "It needs one.", "repair the file")
    return x


def slices(node: OnnxNode) -> np.ndarray:
    x = given(node)
    starts, ends = node.ints(1) or [], node.ints(2) or []
    axes = node.ints(3) or list(range(len(starts)))
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(
        starts, ends, axes, node.ints(4) or [1] * len(starts), strict=True
    ):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def unsqueeze(node: OnnxNode) -> np.ndarray:
    return np.expand_dims(given(node), tuple(node.shared("axes", 1) or []))


def squeeze(node: OnnxNode) -> np.ndarray:
    axes = node.shared("axes", 1)
    return np.squeeze(given(node), None if axes is None else tuple(axes))


def arithmetic(function: Callable[..., Any]) -> Rule:
    def rule(node: OnnxNode) -> np.ndarray:
        parts = [given(node, place) for place in range(len(node.arguments))]
        for part in parts:
            numbers(part, node.op)  # refuses the batch size
        kind = np.result_type(*parts)
        return np.asarray(function(*parts)).astype(kind)

    return rule


def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whole numbers are cut towards zero."""
    whole = a.dtype.kind in "iu" and b.dtype.kind in "iu"
    if not np.all(b):
        raise Refusal("a constant divided by zero", "It has no value.", "repair the file")
    return np.trunc(a / b) if whole else a / b


CONSTANTS: dict[str, Rule] = {
    "Shape": shape,
    "Constant": constant,
    "ConstantOfShape": filled,
    "Identity": given,
    "Cast": cast,
    "Gather": lambda n: np.take(given(n), given(n, 1).astype(np.int64), n.attrs.get("axis", 0)),
    "Concat": lambda n: np.concatenate(
        [given(n, place) for place in range(len(n.arguments))], n.attrs["axis"]
    ),
    "Slice": slices,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": lambda n: np.transpose(given(n), n.attrs.get("perm")),
    "Reshape": lambda n: given(n).reshape(n.ints(1) or []),
    "Sqrt": arithmetic(np.sqrt),
    "Neg": arithmetic(np.negative),
    "Add": arithmetic(np.add),
    "Sub": arithmetic(np.subtract),
    "Mul": arithmetic(np.multiply),
    "Div": arithmetic(divide),
}


def evaluate(node: OnnxNode) -> Result:
    """The value of a node none of whose arguments depends on the input."""
    if node.op not in CONSTANTS:
        raise Refusal(
            f"{node.op} of constants", "Not in the table.",
            "simplify the file (onnxsim), so that constants are computed",
        )  # fmt: skip
    try:
        return CONSTANTS[node.op](node)
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise Refusal(
            f"{node.op} of constants that do not fit it", f"{type(error).__name__}: {error}.",
            "repair the file",
        ) from error  # fmt: skip
