"""An ONNX file, read without trust: sizes, external data and structure are checked first.

The file is protobuf and holds no code. Weights in other files are read only from the folder of the
model (no absolute path, no `..`, no link out of it), and only where offset, length and type fit.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from isospike.errors import FormatError, UsageError

try:
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import TensorProto, numpy_helper
except ImportError as error:  # an extra of the package
    raise UsageError(
        f"ONNX files need packages that are not here ({error.name}): pip install isospike[onnx]"
    ) from error

LARGEST = 1 << 30  # values of one tensor
LARGEST_FILE = (1 << 31) - 1  # bytes: what protobuf can hold
FIRST_OPSET = 13
FLOATS = {TensorProto.FLOAT: np.dtype("<f4"), TensorProto.DOUBLE: np.dtype("<f8")}


def read_model(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """(ModelProto with its weights inside, initializer name -> array); FormatError."""
    if not path.is_file():
        raise UsageError(f"no such file: {path}")
    if path.stat().st_size > LARGEST_FILE:
        raise FormatError(f"{path}: {path.stat().st_size} bytes, a model file has at most 2 GiB")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise FormatError(f"{path}: not an ONNX file: {error}") from error
    check_opset(model, path)
    room = LARGEST_FILE
    for tensor in model.graph.initializer:
        check_size(tensor, path)
        if tensor.data_location == TensorProto.EXTERNAL:
            room = fetch(tensor, path, room)
    check_structure(model, path)
    return model, {tensor.name: array(tensor, path) for tensor in model.graph.initializer}


def check_opset(model: Any, path: Path) -> None:
    """Opsets from 13 to the newest that the installed onnx knows; nothing but a plain graph."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    newest = onnx.defs.onnx_opset_version()
    version = versions.get("", versions.get("ai.onnx"))
    if version is None or not FIRST_OPSET <= version <= newest:
        raise FormatError(
            f"{path}: operator set {version}, read are {FIRST_OPSET} to {newest}: export it again "
            f"with opset_version={FIRST_OPSET} or newer, or convert it with onnx.version_converter"
        )
    for name in ("functions", "training_info"):
        if getattr(model, name):
            raise FormatError(
                f"{path}: holds {name}: inline them with onnx.inliner.inline_local_functions"
            )
    if model.graph.sparse_initializer:
        raise FormatError(f"{path}: holds sparse weights: export dense ones")


def check_structure(model: Any, path: Path) -> None:
    """What onnx itself has to say; an output without a shape, which it refuses, is let pass."""
    bare = [one.type.tensor_type for one in model.graph.output]
    bare = [kind for kind in bare if not kind.HasField("shape")]
    for kind in bare:
        kind.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise FormatError(f"{path}: {str(error).strip().splitlines()[0]}") from error
    for kind in bare:
        kind.ClearField("shape")


def check_size(tensor: Any, path: Path) -> None:
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > LARGEST:
        shape = list(tensor.dims)[:8]
        raise FormatError(f"{path}: tensor {tensor.name[:80]!r} claims the shape {shape}")


def array(tensor: Any, path: Path) -> np.ndarray:
    """The values of a tensor that stands in the model itself."""
    check_size(tensor, path)
    if tensor.data_location == TensorProto.EXTERNAL:
        raise FormatError(f"{path}: tensor {tensor.name[:80]!r} of a node lies in another file")
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise FormatError(f"{path}: tensor {tensor.name[:80]!r}: {error}") from error


def fetch(tensor: Any, path: Path, room: int) -> int:
    """Move external data into the tensor; returns the bytes that may still come."""
    where = f"{path}: external data of {tensor.name[:80]!r}"
    facts = {entry.key: entry.value for entry in tensor.external_data}
    if tensor.data_type not in FLOATS and tensor.data_type != TensorProto.INT64:
        raise FormatError(f"{where}: type {tensor.data_type} is neither float32, float64 nor int64")
    width = FLOATS.get(tensor.data_type, np.dtype("<i8")).itemsize
    size = math.prod(tensor.dims) * width
    try:
        offset, length = int(facts.get("offset", 0)), int(facts.get("length", size))
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from error
    file = inside(path.parent, facts.get("location", ""), where)
    if offset < 0 or length != size or offset + length > file.stat().st_size:
        raise FormatError(
            f"{where}: {length} bytes at {offset} do not fit {file.name} or its shape"
        )
    if size > room:
        raise FormatError(f"{where}: the model and its weights are larger than 2 GiB")
    with file.open("rb") as data:
        data.seek(offset)
        tensor.raw_data = data.read(length)
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]
    return room - size


def inside(folder: Path, location: str, where: str) -> Path:
    """The file of that name in or below `folder`."""
    named = PurePosixPath(location)
    odd = not location or "\\" in location or ":" in location or "\0" in location
    if odd or named.is_absolute() or ".." in named.parts:
        raise FormatError(f"{where}: {location[:80]!r} does not lie in the folder of the model")
    file = (folder / named).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise FormatError(f"{where}: {location[:80]!r} is no file in the folder of the model")
    return file
