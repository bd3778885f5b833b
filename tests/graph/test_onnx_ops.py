"""Every operator of the table answers what onnxruntime answers, in old and new operator sets."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from graph.onnx_files import NEWEST, X, Y, floats, node, same, save
from isospike.errors import ConversionError, FormatError
from isospike.graph.onnx import read
from isospike.graph.onnx_ops import OPERATORS

I64 = np.int64
RELEASED = 23  # every onnxruntime from 1.23 on takes it
SAME = {"auto_pad": "SAME_UPPER"}
W = floats(4, 3, 3, 3)
C = {"w": W, "b": floats(4)}
# name -> (shape of a sample, nodes, constants)
CASES = {
    "conv": ((3, 6, 7), [node("Conv", [X, "w", "b"], pads=[1, 1, 1, 1], strides=[2, 1])], C),
    "conv uneven": ((3, 6, 7), [node("Conv", [X, "w"], pads=[0, 1, 2, 0])], C),
    "conv same": ((3, 7, 7), [node("Conv", [X, "w", "b"], strides=[2, 2], **SAME)], C),
    "conv same lower": (
        (3, 6, 6), [node("Conv", [X, "w"], strides=[2, 2], auto_pad="SAME_LOWER")], C,
    ),
    "conv valid dilated": (
        (3, 7, 7), [node("Conv", [X, "w"], auto_pad="VALID", dilations=[2, 2])], C,
    ),
    "conv grouped": ((4, 5, 5), [node("Conv", [X, "w"], group=4)], {"w": floats(8, 1, 3, 3)}),
    "conv 1d": ((2, 9), [node("Conv", [X, "w"], pads=[1, 1])], {"w": floats(3, 2, 3)}),
    "conv transpose": (
        (3, 4, 4),
        [node("ConvTranspose", [X, "w", "b"], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
        {"w": floats(3, 4, 3, 3), "b": floats(4)},
    ),
    "gemm": ((5,), [node("Gemm", [X, "w", "b"], transB=1, alpha=0.5, beta=2.0)],
             {"w": floats(4, 5), "b": floats(4)}),
    "gemm one row": ((5,), [node("Gemm", [X, "w", "b"])], {"w": floats(5, 4), "b": floats(1, 4)}),
    "gemm one bias": ((5,), [node("Gemm", [X, "w", "b"])], {"w": floats(5, 4), "b": floats(1)}),
    "matmul": ((3, 5), [node("MatMul", [X, "w"])], {"w": floats(5, 4)}),
    "batch norm": (
        (4, 3, 3), [node("BatchNormalization", [X, "s", "b", "m", "v"], epsilon=1e-3)],
        {"s": floats(4), "b": floats(4), "m": floats(4), "v": floats(4) ** 2 + 0.1},
    ),
    "relu": ((4,), [node("Relu", [X])], {}),
    "clip": ((4,), [node("Clip", [X, "lo", "hi"])], {"lo": np.float32(0), "hi": np.float32(0.7)}),
    "clip below": ((4,), [node("Clip", [X, "lo"])], {"lo": np.float32(0)}),
    "max": ((4,), [node("Max", [X, "c"])], {"c": np.float32(0)}),
    "add": ((4, 2), [node("Add", ["c", X])], {"c": floats(4, 1)}),
    "sub": ((4, 2), [node("Sub", [X, "c"])], {"c": floats(1, 1, 2)}),
    "sub from": ((4, 2), [node("Sub", ["c", X])], {"c": floats(2)}),
    "mul": ((4, 2), [node("Mul", [X, "c"])], {"c": floats(4, 2)}),
    "div": ((4, 2), [node("Div", [X, "c"])], {"c": np.float32(3)}),
    "neg": ((4,), [node("Neg", [X])], {}),
    "identity, cast": ((4,), [node("Identity", [X], "a"), node("Cast", ["a"], to=1)], {}),
    "dropout": ((4,), [node("Dropout", [X, "r"])], {"r": np.float32(0.5)}),
    "shortcut": (
        (3, 5, 5),
        [node("Conv", [X, "w"], "a", pads=[1, 1, 1, 1]), node("Relu", ["a"], "r"),
         node("Add", ["r", "a"], "s"), node("Sub", ["s", X], "d"), node("Sum", ["d", "a", "r"])],
        {"w": floats(3, 3, 3, 3)},
    ),
    "concat": ((3, 4), [node("Relu", [X], "r"), node("Concat", [X, "r", X], axis=1)], {}),
    "concat from behind": ((3, 4), [node("Concat", [X, X], axis=-1)], {}),
    "average pool": (
        (2, 7, 7), [node("AveragePool", [X], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], {},
    ),
    "average pool counted uneven": (
        (2, 6, 6), [node("AveragePool", [X], kernel_shape=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1)], {},
    ),
    "average pool ceil": (
        (2, 7, 7), [node("AveragePool", [X], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)], {},
    ),
    "max pool": (
        (2, 7, 7), [node("MaxPool", [X], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], {},
    ),
    "max pool uneven": (
        (2, 6, 6),
        [node("Relu", [X], "r"), node("MaxPool", ["r"], kernel_shape=[3, 3], strides=[2, 2], **SAME)], {},
    ),
    "global average": ((2, 5, 4), [node("GlobalAveragePool", [X])], {}),
    "global max": ((2, 5, 4), [node("GlobalMaxPool", [X])], {}),
    "flatten": ((2, 5, 4), [node("Flatten", [X])], {}),
    "flatten from behind": ((6,), [node("Flatten", [X], axis=-1)], {}),
    "reshape": ((2, 6), [node("Reshape", [X, "s"])], {"s": np.array([0, -1, 3], I64)}),
    "reshape free": ((2, 6), [node("Reshape", [X, "s"])], {"s": np.array([-1, 12], I64)}),
    "reshape by shape": (
        (2, 3, 4),
        [node("Shape", [X], "s"), node("Gather", ["s", "zero"], "b", axis=0),
         node("Unsqueeze", ["b", "axis"], "u"), node("Concat", ["u", "rest"], "t", axis=0),
         node("Reshape", [X, "t"])],
        {"zero": np.array(0, I64), "axis": np.array([0], I64), "rest": np.array([-1], I64)},
    ),
    "reshape by sliced shape": (
        (2, 3, 4),
        [node("Shape", [X], "s"), node("Slice", ["s", "from", "to"], "b"), node("Cast", ["b"], "c", to=7),
         node("Slice", ["s", "to", "end"], "rest"), node("Concat", ["c", "one", "rest"], "t", axis=0),
         node("Reshape", [X, "t"])],
        {"from": np.array([0], I64), "to": np.array([1], I64), "end": np.array([9], I64),
         "one": np.array([1], I64)},
    ),
    "squeeze, unsqueeze": (
        (1, 4), [node("Squeeze", [X, "a"], "s"), node("Unsqueeze", ["s", "b"])],
        {"a": np.array([1], I64), "b": np.array([1, -1], I64)},
    ),
    "transpose": ((2, 5, 4), [node("Transpose", [X], perm=[0, 3, 1, 2])], {}),
    "pad": ((2, 5, 4), [node("Pad", [X, "p", "v"])],
            {"p": np.array([0, 1, 0, 2, 0, 0, 3, 1], I64), "v": np.float32(0.5)}),
    "pad reflect": ((2, 5, 4), [node("Pad", [X, "p"], mode="reflect")],
                    {"p": np.array([0, 0, 1, 2, 0, 0, 3, 1], I64)}),
    "pad edge": ((2, 5, 4), [node("Pad", [X, "p"], mode="edge")],
                 {"p": np.array([0, 0, 1, 2, 0, 0, 3, 1], I64)}),
    "slice": ((6, 7), [node("Slice", [X, "s", "e", "a", "t"])],
              {"s": np.array([1, -5], I64), "e": np.array([2**62, -1], I64),
               "a": np.array([1, 2], I64), "t": np.array([2, 1], I64)}),
    "split": ((6, 4), [node("Split", [X, "n"], ["a", "b"], axis=1), node("Relu", ["b"], "r"),
                       node("Concat", ["r", "a"], axis=1)], {"n": np.array([2, 4], I64)}),
    "gather one": ((6, 4), [node("Gather", [X, "i"], axis=1)], {"i": np.array(-2, I64)}),
    "gather some": ((6, 4), [node("Gather", [X, "i"], axis=2)], {"i": np.array([1, 2], I64)}),
    "resize": ((2, 3, 4), [node("Resize", [X, "", "s"], mode="nearest", nearest_mode="floor",
                                coordinate_transformation_mode="asymmetric")],
               {"s": np.array([1, 1, 2, 3], np.float32)}),
    "resize to a size": ((2, 3, 4), [node("Resize", [X, "", "", "s"], mode="nearest")],
                         {"s": np.array([3, 2, 9, 8], I64)}),
    "constants": (
        (4,),
        [node("Sqrt", ["v"], "a"), node("Neg", ["a"], "n"), node("Div", ["n", "two"], "d"),
         node("Mul", ["d", "two"], "m"), node("Transpose", ["m"], "t"), node("Add", [X, "t"])],
        {"v": floats(4) ** 2, "two": np.float32(2)},
    ),
}  # fmt: skip
# What was an attribute became an argument, or came later.
LATER = {
    "mean": (18, (2, 5, 4), [node("ReduceMean", [X, "a"], keepdims=0)], {"a": np.array([2, -1], I64)}),
    "sum": (13, (2, 5, 4), [node("ReduceSum", [X, "a"])], {"a": np.array([2], I64)}),
    "pad by axis": (18, (2, 5), [node("Pad", [X, "p", "", "a"])],
                    {"p": np.array([1, 2], I64), "a": np.array([-1], I64)}),
    "split evenly": (18, (7, 4), [node("Split", [X], ["a", "b"], axis=1, num_outputs=2),
                                  node("Concat", ["b", "a"], axis=1)], {}),
}  # fmt: skip


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_the_runtime_s(name, opset, tmp_path):
    shape, nodes, constants = CASES[name]
    same(save(tmp_path, nodes, shape, constants, opset))


@pytest.mark.parametrize("name", LATER)
def test_newer_forms(name, tmp_path):
    opset, shape, nodes, constants = LATER[name]
    same(save(tmp_path, nodes, shape, constants, opset))


def test_older_forms(tmp_path):
    nodes = [node("ReduceMean", [X], axes=[2, 3], keepdims=0)]
    same(save(tmp_path, nodes, (3, 4, 5), opset=13))
    nodes = [node("Split", [X], ["a", "b"], axis=1), node("Concat", ["b", "a"], axis=1)]
    same(save(tmp_path, nodes, (6, 4), opset=13))


def taken(path):
    """Whether the installed runtime takes a file at all."""
    try:
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True


@pytest.mark.parametrize("opset", range(13, NEWEST + 1))
def test_a_network_in_every_operator_set(opset, tmp_path):
    nodes = [
        node("Conv", [X, "w", "b"], "a", pads=[1, 1, 1, 1]), node("Relu", ["a"], "r"),
        node("MaxPool", ["r"], "m", kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", ["m"], "g"), node("Flatten", ["g"], "f"),
        node("Gemm", ["f", "v"], transB=1),
    ]  # fmt: skip
    path = save(tmp_path, nodes, (3, 8, 8), {**C, "v": floats(5, 4)}, opset)
    if opset > RELEASED and not taken(path):
        with pytest.raises(FormatError, match="till opset"):
            read(path)
        return
    model = same(path)
    assert [n.path for n in model.graph.sites] == ["relu/r", "maxpool/m"]


def test_every_operator_is_tried():
    tried = {n.op_type for _, nodes, _ in CASES.values() for n in nodes}
    tried |= {n.op_type for _, _, nodes, _ in LATER.values() for n in nodes}
    assert set(OPERATORS) <= tried
    page = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text()
    assert all(re.search(rf"\b{name}\b", page) for name in OPERATORS)


REFUSED = {
    "product": ((4,), [node("Mul", [X, X])], {}, "product of two values"),
    "matmul of values": ((4, 4), [node("MatMul", [X, X])], {}, "product of two values"),
    "division": ((4,), [node("Div", ["c", X])], {"c": np.float32(1)}, "computed value"),
    "two ranks": ((1, 1), [node("Squeeze", [X, "a"], "s"), node("Add", ["s", X])],
                  {"a": np.array([1], I64)}, "two ranks"),
    "batch in a constant": ((4,), [node("Add", [X, "c"])], {"c": floats(3, 4)}, "batch dimension"),
    "transposed batch": ((4, 5), [node("Transpose", [X])], {}, "moves the batch"),
    "reshaped batch": ((4, 5), [node("Reshape", [X, "s"])], {"s": np.array([-1, 5], I64)}, "between samples"),
    "fixed batch": ((4, 5), [node("Reshape", [X, "s"])], {"s": np.array([1, 20], I64)}, "Reshape to"),
    "flattened batch": ((4, 5), [node("Flatten", [X], axis=2)], {}, "Flatten of another axis"),
    "mean of the batch": ((4,), [node("ReduceMean", [X, "a"])], {"a": np.array([0], I64)}, "batch"),
    "mean of all": ((4,), [node("ReduceMean", [X])], {}, "all dimensions"),
    "concat of batches": ((4,), [node("Concat", [X, X], axis=0)], {}, "batch dimension"),
    "split of the batch": ((4,), [node("Split", [X], ["a", Y], num_outputs=2)], {}, "batch dimension"),
    "padded batch": ((4,), [node("Pad", [X, "p"])], {"p": np.array([1, 0, 0, 0], I64)}, "batch dimension"),
    "negative max pool": ((2, 6, 6), [node("MaxPool", [X], kernel_shape=[3, 3], strides=[2, 2], **SAME)], {},
                          "may be negative"),
    "indices": ((2, 6, 6), [node("MaxPool", [X], [Y, "i"], kernel_shape=[2, 2])], {}, "indices"),
    "linear resize": ((2, 4, 4), [node("Resize", [X, "", "s"], mode="linear")],
                      {"s": np.array([1, 1, 2, 2], np.float32)}, "Resize, linear"),
    "resize by half": ((2, 4, 4), [node("Resize", [X, "", "s"], mode="nearest")],
                       {"s": np.array([1, 1, 1.5, 1.5], np.float32)}, "Resize, nearest"),
    "training batch norm": (
        (2, 3), [node("BatchNormalization", [X, "s", "s", "s", "s"], [Y, "m", "v"], training_mode=1)],
        {"s": np.ones(2, np.float32)}, "training mode",
    ),
    "gathered": ((6, 4), [node("Gather", [X, "i"], axis=1)], {"i": np.array([2, 0], I64)}, "scattered"),
    "backwards": ((6,), [node("Slice", [X, "s", "e", "a", "t"])],
                  {"s": np.array([5], I64), "e": np.array([0], I64), "a": np.array([1], I64),
                   "t": np.array([-1], I64)}, "backwards"),
    "nan": ((4,), [node("Add", [X, "c"])], {"c": np.full(4, np.nan, np.float32)}, "NaN or infinite"),
    "half": ((4,), [node("Cast", [X], "h", to=10), node("Cast", ["h"], to=1)], {}, "cast to type 10"),
    "batch as a value": (
        (4,), [node("Shape", [X], "s"), node("Cast", ["s"], "f", to=1), node("Add", [X, "f"])], {},
        "cast of a constant",
    ),
    "sigmoid": ((4,), [node("Sigmoid", [X])], {}, "Sigmoid"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused_with_its_place(name, tmp_path):
    shape, nodes, constants, what = REFUSED[name]
    with pytest.raises(ConversionError, match=what) as error:
        read(save(tmp_path, nodes, shape, constants))
    (finding,) = error.value.findings
    assert finding.site in {n.name for n in nodes}
    assert finding.line.startswith("node ")
    assert finding.why
    assert finding.fix
