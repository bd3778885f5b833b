"""ONNX files made for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from isospike.graph.fold import fold
from isospike.graph.graph import execute
from isospike.graph.imported import Imported
from isospike.graph.onnx import read

NEWEST = onnx.defs.onnx_opset_version()
X, Y = "x", "y"


def node(op: str, inputs: list[str], output: str | list[str] = Y, **attrs: Any) -> Any:
    outputs = [output] if isinstance(output, str) else output
    return helper.make_node(op, inputs, outputs, name=f"/{op.lower()}/{outputs[0]}", **attrs)


def save(
    folder: Path,
    nodes: list[Any],
    shape: tuple[int, ...],
    weights: dict[str, Any] | None = None,
    opset: int = 18,
    batch: Any = "batch",
    kind: int = TensorProto.FLOAT,
    **more: Any,
) -> Path:
    """A file with one input x [batch, *shape] and one output y."""
    x = helper.make_tensor_value_info(X, kind, [batch, *shape])
    y = helper.make_tensor_value_info(Y, kind, None)
    held = [numpy_helper.from_array(np.asarray(w), name) for name, w in (weights or {}).items()]
    graph = helper.make_graph(nodes, "net", more.pop("inputs", [x]), more.pop("outputs", [y]), held)
    opsets = [helper.make_opsetid("", opset), *more.pop("opsets", [])]
    model = helper.make_model(graph, opset_imports=opsets, **more)
    model.ir_version = min(model.ir_version, 10)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def difference(model: Imported, count: int = 3) -> float:
    """Largest relative difference from the runtime on random inputs, folded and not."""
    x = torch.randn(count, *model.input_shape, generator=torch.Generator().manual_seed(1))
    expected = model.reference(x).double()
    scale = float(expected.abs().max()) or 1.0
    found = [execute(graph, x.double()) for graph in (model.graph, fold(model.graph))]
    assert all(y.shape == expected.shape for y in found)
    return max(float((y - expected).abs().max()) / scale for y in found)


def same(path: Path) -> Imported:
    model = read(path)
    assert difference(model) < 1e-5
    return model
