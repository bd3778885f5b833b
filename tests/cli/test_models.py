"""What MODEL may be on the command line, beside the forms of the other files."""

from __future__ import annotations

import warnings

import pytest
import torch
from safetensors.torch import save_file

import isospike as iso
from cli.tool import DATA
from zoo import fakes
from zoo.tiny import images, plain

CONVERT = (*DATA, "--recipe", "opi", "--steps", 8, "--out", "net.iso")


@pytest.fixture
def onnx_tool(tool):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    assert onnx
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        torch.onnx.export(
            plain(), (images(2),), str(tool.folder / "net.onnx"), input_names=["x"], dynamo=False,
            dynamic_axes={"x": {0: "batch"}},
        )  # fmt: skip
    return tool


def test_an_onnx_file_is_converted(onnx_tool):
    made = onnx_tool("convert", "net.onnx", *CONVERT)
    assert made.code == 0, made.err
    assert "graph against onnxruntime" in made.out
    x, train = images(24), images(32, seed=1)
    y = iso.load(onnx_tool.folder / "net.iso")(x)
    torch.testing.assert_close(y, iso.convert(plain(), train, 8, "opi")(x), atol=1e-3, rtol=1e-3)


def test_an_onnx_file_knows_the_shape_of_its_images(onnx_tool):
    seen = onnx_tool("inspect", "net.onnx")
    assert seen.code == 0, seen.err
    assert "act1" in seen.out


def test_a_normalisation_in_front_of_an_onnx_file(onnx_tool):
    words = ("--normalize", "0.5,0.25:2,1")
    assert onnx_tool("convert", "net.onnx", *CONVERT, *words).code == 0
    x = images(4)
    mean, std = (
        torch.tensor([0.5, 0.25]).reshape(-1, 1, 1),
        torch.tensor([2.0, 1.0]).reshape(-1, 1, 1),
    )
    source = iso.load(onnx_tool.folder / "net.iso").program.source
    from isospike.graph.graph import execute

    torch.testing.assert_close(execute(source, x), plain()((x - mean) / std), atol=1e-4, rtol=1e-4)


def test_an_onnx_file_takes_no_weights(onnx_tool):
    seen = onnx_tool("inspect", "net.onnx", "--weights", "net.safetensors")
    assert seen.code == 2
    assert "weights inside" in seen.err


def test_an_onnx_file_that_is_none(tool):
    pytest.importorskip("onnxruntime")
    (tool.folder / "net.onnx").write_bytes(b"nothing")
    seen = tool("inspect", "net.onnx")
    assert seen.code == 1
    assert "net.onnx" in seen.err


def test_a_network_of_timm_with_a_weight_file(tool, monkeypatch):
    fakes.timm(monkeypatch, online=False)
    assert tool("convert", "timm:tiny", "--weights", "net.safetensors", *CONVERT).code == 0
    x, train = images(24), images(32, seed=1)
    own = iso.convert(plain(), train, 8, "opi")
    assert torch.equal(iso.load(tool.folder / "net.iso")(x), own(x))


def test_a_network_of_transformers_with_its_own_weight_file(tool, monkeypatch):
    fakes.transformers(monkeypatch)
    save_file(
        {f"net.{k}": v for k, v in plain().state_dict().items()}, tool.folder / "own.safetensors"
    )
    seen = tool("convert", "hf:someone/tiny", "--weights", "own.safetensors", *CONVERT)
    assert seen.code == 0, seen.err


def test_weights_that_are_not_there_are_a_matter_of_usage(tool, monkeypatch):
    fakes.timm(monkeypatch, online=False)
    seen = tool("inspect", "timm:tiny", "--input-shape", "2,8,8")
    assert seen.code == 2
    assert "timm:tiny?pretrained=false" in seen.err
    assert tool("inspect", "timm:tiny?pretrained=false", "--input-shape", "2,8,8").code == 0
