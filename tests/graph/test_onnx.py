"""An ONNX file from reading to a spiking network: whole networks, findings, and what exporters write."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import isospike as iso
from graph.onnx_files import X, Y, difference, floats, node, save
from isospike.graph.graph import execute
from isospike.graph.onnx import read
from zoo.tiny import Residual, images, plain

NET = [
    node("Conv", [X, "w"], "a", pads=[1, 1, 1, 1]), node("Relu", ["a"], "r"),
    node("AveragePool", ["r"], "p", kernel_shape=[2, 2], strides=[2, 2]),
    node("Flatten", ["p"], "f"), node("Gemm", ["f", "v"]),
]  # fmt: skip
WEIGHTS = {"w": floats(4, 2, 3, 3), "v": floats(64, 3)}


@pytest.fixture
def net(tmp_path):
    return save(tmp_path, NET, (2, 8, 8), WEIGHTS)


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("make", [plain, Residual])
def test_what_torch_exports_is_the_same_network(make, dynamo, tmp_path):
    torch.manual_seed(0)
    model, path = make().eval(), tmp_path / "net.onnx"
    free = (
        {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
        if dynamo else {"dynamic_axes": {"x": {0: "batch"}}}
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        torch.onnx.export(
            model, (images(2),), str(path), input_names=["x"], dynamo=dynamo, opset_version=18,
            verbose=False, **free,
        )  # fmt: skip
    imported = read(path)
    assert difference(imported) < 1e-5
    x = images(8)
    torch.testing.assert_close(
        execute(imported.graph, x.double()).float(), model(x), atol=1e-5, rtol=1e-5
    )
    own = iso.plan(model, "opi", x)
    other = iso.plan(imported, "opi", x)
    assert len(other.graph.sites) == len(own.graph.sites)
    y = iso.convert(other, images(32, seed=1), 8)(x)
    torch.testing.assert_close(y, iso.convert(own, images(32, seed=1), 8)(x), atol=1e-3, rtol=1e-3)


def test_it_converts_evaluates_and_saves_like_a_module(net, tmp_path):
    model, x = read(net), images(16)
    planned = iso.plan(model, "iso", x)
    assert planned.gate.against == "onnxruntime"
    assert planned.gate.float64 < 1e-5
    assert "graph against onnxruntime on" in str(planned)
    snn = iso.convert(planned, images(32, seed=1), 64)
    assert (snn(x).argmax(1) == model.reference(x).argmax(1)).double().mean() > 0.8
    snn.save(tmp_path / "net.iso")
    assert torch.equal(iso.load(tmp_path / "net.iso")(x), snn(x))
    rows = iso.evaluate(model, [(x, torch.arange(16) % 3)], [2, 4], "opi", images(32)).rows
    assert [row.skipped for row in rows] == [None, None]


def test_a_normalisation_in_front(net):
    model, x = read(net), images(8)
    mean, std = (0.25, 0.5), (2.0, 0.5)
    seen = (x - torch.tensor(mean).reshape(-1, 1, 1)) / torch.tensor(std).reshape(-1, 1, 1)
    before = model.normalised(mean, std)
    torch.testing.assert_close(before.reference(x), model.reference(seen))
    assert difference(before) < 1e-5
    assert iso.plan(before, "opi", x).gate.float64 < 1e-5


def test_every_problem_is_told_at_once(tmp_path):
    nodes = [
        node("Conv", [X, "w"], "a"), node("Sigmoid", ["a"], "s"), node("Relu", ["s"], "r"),
        node("Softmax", ["r"], "m"), node("Add", ["m", "odd"], "z"), node("Mul", [X, X], "q"),
        helper.make_node("Fused", ["z"], [Y], name="/fused", domain="com.vendor"),
    ]  # fmt: skip
    path = save(
        tmp_path, nodes, (2, 8, 8), {**WEIGHTS, "odd": floats(1)},
        opsets=[helper.make_opsetid("com.vendor", 1)],
    )  # fmt: skip
    with pytest.raises(iso.ConversionError, match="4 problems") as error:
        read(path)
    told = [(f.site, f.what) for f in error.value.findings]
    assert told == [
        ("/sigmoid/s", "Sigmoid"), ("/softmax/m", "Softmax"),
        ("/mul/q", "product of two values that both depend on the input"), ("/fused", "com.vendor::Fused"),
    ]  # fmt: skip


def test_a_rewrite_that_is_wrong_does_not_pass_the_gate(net, monkeypatch):
    from isospike.graph import onnx_ops

    monkeypatch.setitem(onnx_ops.OPERATORS, "Relu", lambda entry: entry.value())
    with pytest.raises(iso.ConversionError, match="not the file's function"):
        iso.plan(read(net), "opi", images(4)).check()


def test_a_batch_fixed_to_one_is_read_and_any_other_refused(tmp_path):
    nodes = [node("Relu", [X], "r"), node("Reshape", ["r", "s"], "f"), node("Gemm", ["f", "v"])]
    held = {"s": np.array([1, -1], np.int64), "v": floats(12, 3)}
    model = read(save(tmp_path, nodes, (3, 4), held, batch=1))
    assert difference(model, 5) < 1e-5
    with pytest.raises(iso.ConversionError, match="batches of 4: export it with a free batch"):
        read(save(tmp_path, nodes, (3, 4), held, batch=4))


def test_an_open_shape_is_asked_for(tmp_path):
    path = save(tmp_path, NET, (2, "h", "w"), WEIGHTS)
    with pytest.raises(iso.ConversionError, match="input_shape="):
        read(path)
    assert difference(read(path, (2, 8, 8))) < 1e-5
    with pytest.raises(iso.ConversionError, match="sizes that do not fit together"):
        read(path, (2, 9, 12))


def test_images_of_another_shape_are_refused(net):
    with pytest.raises(iso.ConversionError, match=r"\[2, 8, 8\], got \[1, 8, 8\]"):
        iso.plan(read(net), "opi", images(4)[:, :1]).check()


def test_a_network_in_float64_is_read_too(tmp_path):
    nodes = [node("Relu", [X], "r"), node("Gemm", ["r", "v"])]
    held = {"v": floats(4, 3).astype(np.float64)}
    model = read(save(tmp_path, nodes, (4,), held, kind=TensorProto.DOUBLE))
    assert difference(model) < 1e-6


@pytest.mark.parametrize(
    ("kind", "what"), [(TensorProto.INT64, "has type 7"), (TensorProto.FLOAT16, "has type 10")]
)
def test_other_inputs_are_refused(kind, what, tmp_path):
    with pytest.raises(iso.ConversionError, match=what):
        read(save(tmp_path, [node("Relu", [X])], (4,), kind=kind))


def test_one_input_and_one_output(tmp_path):
    x = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", 4]) for n in (X, "z")]
    with pytest.raises(iso.ConversionError, match="has 2 inputs"):
        read(save(tmp_path, [node("Add", [X, "z"])], (4,), inputs=x))
    y = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", 4]) for n in (Y, "r")]
    with pytest.raises(iso.ConversionError, match="an output of 2 tensors"):
        read(save(tmp_path, [node("Relu", [X], "r"), node("Neg", ["r"])], (4,), outputs=y))
    with pytest.raises(iso.ConversionError, match="does not depend on the input"):
        read(save(tmp_path, [node("Neg", ["c"])], (4,), {"c": floats(4)}))


def test_weights_that_are_listed_as_inputs_are_weights(tmp_path):
    x = [
        helper.make_tensor_value_info(X, TensorProto.FLOAT, ["b", 4]),
        helper.make_tensor_value_info("v", TensorProto.FLOAT, [4, 3]),
    ]
    assert (
        difference(
            read(save(tmp_path, [node("Gemm", [X, "v"])], (4,), {"v": floats(4, 3)}, inputs=x))
        )
        < 1e-5
    )


def test_sites_of_one_name_are_told_apart(tmp_path):
    nodes = [node("Relu", [X], "a"), node("Neg", ["a"], "b"), node("Relu", ["b"])]
    nodes[0].name, nodes[2].name = "/act", "act"
    model = read(save(tmp_path, nodes, (4,)))
    assert [n.name for n in model.graph.sites] == ["act", "act@1"]


def test_a_huge_constant_is_refused_before_it_is_made(tmp_path):
    value = onnx.numpy_helper.from_array(np.ones(1, np.float32))
    nodes = [node("ConstantOfShape", ["s"], "c", value=value), node("Add", [X, "c"])]
    with pytest.raises(iso.ConversionError, match="too large"):
        read(save(tmp_path, nodes, (4,), {"s": np.array([1 << 40], np.int64)}))
    nodes = [node("Pad", [X, "p"])]
    with pytest.raises(iso.ConversionError, match="a value of the shape"):
        read(save(tmp_path, nodes, (4,), {"p": np.array([0, 0, 0, 1 << 40], np.int64)}))
