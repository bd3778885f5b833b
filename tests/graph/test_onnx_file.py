"""What an ONNX file may not do: claim, hide or reach."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import isospike as iso
from graph.onnx_files import X, Y, difference, floats, node, save
from isospike.graph.onnx import read

NODES = [node("Gemm", [X, "v"])]


@pytest.fixture
def outside(tmp_path):
    """model/net.onnx whose weights lie in a file; returns a function that says where."""
    folder = tmp_path / "model"
    folder.mkdir()
    path = save(folder, NODES, (4,), {"v": floats(4, 3)})
    data = floats(4, 3).tobytes()
    (folder / "net.data").write_bytes(b"\0" * 64 + data)
    (tmp_path / "secret.data").write_bytes(b"\0" * 64 + data)

    def put(**facts):
        model = onnx.load(str(path))
        (tensor,) = model.graph.initializer
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {
            "location": "net.data",
            "offset": 64,
            "length": len(data),
            **facts,
        }.items():
            tensor.external_data.add(key=key, value=str(value))
        path.write_bytes(model.SerializeToString())
        return path

    return put


def test_weights_beside_the_file_are_read(outside):
    model = read(outside())
    np.testing.assert_array_equal(next(iter(model.graph.tensors.values())).T, floats(4, 3))
    assert difference(model) < 1e-5


@pytest.mark.parametrize(
    "location",
    ["../secret.data", "sub/../../secret.data", "/etc/passwd", "", "C:\\secret", "gone.data", "."],
)
def test_weights_elsewhere_are_not(outside, location):
    with pytest.raises(iso.FormatError, match="in the folder of the model"):
        read(outside(location=location))


def test_a_link_out_of_the_folder_is_not_followed(outside, tmp_path):
    (tmp_path / "model" / "link.data").symlink_to(tmp_path / "secret.data")
    with pytest.raises(iso.FormatError, match="in the folder of the model"):
        read(outside(location="link.data"))


@pytest.mark.parametrize(
    "facts",
    [{"offset": 65}, {"offset": -1}, {"length": 47}, {"length": 1 << 40}, {"offset": 1 << 60}],
)
def test_sizes_must_fit(outside, facts):
    with pytest.raises(iso.FormatError, match="do not fit"):
        read(outside(**facts))


def test_a_size_that_is_no_number_is_told(outside):
    with pytest.raises(iso.FormatError, match="external data of 'v'"):
        read(outside(offset="many"))


def test_a_shape_without_the_data_for_it_is_refused(tmp_path):
    path = save(tmp_path, NODES, (4,), {"v": floats(4, 3)})
    model = onnx.load(str(path))
    for dims, what in (
        ([4, 4], "v"),
        ([1 << 40, 1 << 40], "claims the shape"),
        ([-1, 3], "claims"),
    ):
        model.graph.initializer[0].dims[:] = dims
        path.write_bytes(model.SerializeToString())
        with pytest.raises(iso.FormatError, match=what):
            read(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a network", b"\xff" * 100, b"PK\x03\x04" + b"\0" * 50]
)
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(iso.FormatError):
        read(path)


def test_every_cut_of_a_file_is_refused_or_read(tmp_path):
    path = save(tmp_path, NODES, (4,), {"v": floats(4, 3)})
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises((iso.FormatError, iso.ConversionError)):
            read(path)


def test_a_missing_file_is_a_matter_of_usage(tmp_path):
    with pytest.raises(iso.UsageError, match="no such file"):
        read(tmp_path / "net.onnx")


@pytest.mark.parametrize("opset", [12, 99])
def test_other_operator_sets_are_refused(tmp_path, opset):
    with pytest.raises(iso.FormatError, match="opset_version=13"):
        read(save(tmp_path, NODES, (4,), {"v": floats(4, 3)}, opset))


def test_functions_are_refused(tmp_path):
    opset = [helper.make_opsetid("", 18)]
    own = helper.make_function(
        "own", "Mine", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], opset
    )
    nodes = [helper.make_node("Mine", [X], [Y], domain="own")]
    path = save(tmp_path, nodes, (4,), opsets=[helper.make_opsetid("own", 1)], functions=[own])
    with pytest.raises(iso.FormatError, match="inline_local_functions"):
        read(path)


def test_a_node_that_reads_nothing_known_is_refused(tmp_path):
    path = save(tmp_path, NODES, (4,), {"v": floats(4, 3)})
    model = onnx.load(str(path))
    model.graph.node[0].input[1] = "nowhere"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(iso.FormatError, match="nowhere"):
        read(path)


def test_bytes_that_were_changed_are_refused_or_read(tmp_path):
    """Never another error than ours, and what is read is still the runtime's function or refused."""
    nodes = [node("Gemm", [X, "v"], "a"), node("Relu", ["a"])]
    path = save(tmp_path, nodes, (4,), {"v": floats(4, 3)})
    whole, draw = path.read_bytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(150):
        changed = bytearray(whole)
        changed[draw.integers(len(changed))] = draw.integers(256)
        path.write_bytes(bytes(changed))
        try:
            model = read(path)
            iso.plan(model, "opi", torch.rand(2, *model.input_shape))
            outcomes.add("read")
        except iso.IsospikeError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
