"""The .iso file: safetensors for the tensors, JSON in its header for everything else.

No pickle, no code: loading reads names from closed tables (operators, units, schedules, coders) and
checks the whole structure before anything is built. FormatError says what is wrong and where.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from isospike.engine import ENGINES
from isospike.errors import FormatError, IsospikeError
from isospike.file_checks import check_units, try_out
from isospike.files import atomic_write, json_once, safetensors_header
from isospike.graph.graph import Graph, Node
from isospike.graph.ops import OPS, Kind
from isospike.network import SpikingNetwork
from isospike.program import Program
from isospike.schedule import Probed, Schedule, Separated, Settled, Synchronous
from isospike.units.analogue import Analogue
from isospike.units.binary import IF
from isospike.units.coders import Bernoulli, Bits, Coder, Constant, IFCoder, OnOff
from isospike.units.differential import Differential
from isospike.units.few_spike import FewSpike
from isospike.units.first_spike import FirstSpikeCode
from isospike.units.lif import LIF
from isospike.units.pool import GatedMaxPool, LateralMaxPool
from isospike.units.radix import Radix, RadixCode
from isospike.units.signed import Signed
from isospike.units.switched import Switched
from isospike.units.timed import Timed

VERSION = 1
KEYS = {
    "version", "steps", "engine", "graph", "source", "units", "schedule", "coder", "provenance",
}  # fmt: skip
FACTS = {
    "recipe": str,
    "settings": dict,
    "hardware_class": str,
    "notes": list,
}  # what the measures read
# What Python and torch raise on sizes, types and names that make no sense.
DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, IsospikeError, LookupError, MemoryError,
    RuntimeError, TypeError, ValueError,
)  # fmt: skip
CLASSES: dict[str, type] = {
    c.__name__: c
    for c in (
        IF, LIF, Signed, Timed, Switched, Differential, Radix, RadixCode, FirstSpikeCode, FewSpike,
        GatedMaxPool, LateralMaxPool, Analogue, Synchronous, Settled, Probed, Separated, Constant,
        Bernoulli, IFCoder, Bits, OnOff,
    )
}  # fmt: skip


def save(network: SpikingNetwork, path: Path) -> None:
    """Atomic; a tensor that the source and the spiking graph share is stored once."""
    program = network.program
    table: dict[str, Tensor] = {}
    known: dict[int, str] = {}

    def keep(name: str, tensor: Tensor) -> str:
        if id(tensor) not in known:
            known[id(tensor)] = name
            table[name] = tensor.detach().cpu().contiguous().clone()
        return known[id(tensor)]

    header = {
        "version": VERSION,
        "steps": network.steps,
        "engine": network.engine,
        "graph": _graph_out(program.graph, "graph", keep),
        "source": program.source and _graph_out(program.source, "source", keep),
        "units": {n: _value_out(u, f"units/{n}", keep) for n, u in program.units.items()},
        "schedule": _value_out(program.schedule, "", keep),
        "coder": _value_out(program.coder, "", keep),
        "provenance": dict(program.provenance),
    }
    atomic_write(path, to_bytes(table, {"isospike": json.dumps(header)}))


def _graph_out(graph: Graph, prefix: str, keep) -> dict[str, Any]:
    nodes = [dataclasses.asdict(node) for node in graph.nodes]
    names = {key: keep(f"{prefix}/{key}", tensor) for key, tensor in graph.tensors.items()}
    return {
        "nodes": nodes, "tensors": names, "output": graph.output, "input_shape": graph.input_shape,
    }  # fmt: skip


def _value_out(value: Any, prefix: str, keep) -> Any:
    if isinstance(value, Tensor):
        return {"tensor": keep(prefix, value)}
    if dataclasses.is_dataclass(value):
        fields = {
            f.name: _value_out(getattr(value, f.name), f"{prefix}/{f.name}", keep)
            for f in dataclasses.fields(value)
        }
        return {"class": type(value).__name__, "fields": fields}
    return dict(value) if isinstance(value, Mapping) else value


def load(path: str | Path) -> SpikingNetwork:
    """A saved network, built whole or not at all; FormatError for any file that is not one."""
    path = Path(path)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = _Table({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        safetensors_header(path)
        header = json_once(metadata["isospike"])
    except (SafetensorError, OSError, *DAMAGE) as error:
        raise FormatError(f"{path}: not an isospike network: {_short(error)}") from error
    try:
        return _network(header, tensors)
    except FormatError as error:
        raise FormatError(f"{path}: {_short(error)}") from error
    except DAMAGE as error:
        kind = type(error).__name__
        raise FormatError(f"{path}: damaged header: {kind}: {_short(error)}") from error


def _short(error: BaseException) -> str:
    """The first line, cut: names in it come from the file and may be of any length."""
    return str(error).partition("\n")[0][:300]


class _Table(dict[str, Tensor]):
    """The tensors of a file; `asked`: the names of those that something has read."""

    def __init__(self, *content) -> None:
        super().__init__(*content)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.asked.add(name)
        return super().__getitem__(name)


def _network(header: dict[str, Any], tensors: _Table) -> SpikingNetwork:
    if type(header["version"]) is not int or header["version"] != VERSION:
        raise FormatError(f"format version {header['version']!r}, this release reads {VERSION}")
    if set(header) != KEYS:
        raise FormatError(f"missing or unknown keys: {sorted(set(header) ^ KEYS)[:5]}")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise FormatError(f"tensor {name!r} holds NaN or infinite values")
    graph = _graph_in(header["graph"], tensors)
    source = None if header["source"] is None else _graph_in(header["source"], tensors)
    units = {name: _value_in(value, tensors) for name, value in header["units"].items()}
    schedule = _value_in(header["schedule"], tensors)
    coder = _value_in(header["coder"], tensors)
    if not isinstance(schedule, Schedule):
        raise FormatError("no schedule")
    if not isinstance(coder, Coder):
        raise FormatError("no input coder")
    if header["engine"] not in ("auto", *ENGINES):
        raise FormatError(f"unknown engine {header['engine']!r}")
    known = header["provenance"]
    if not isinstance(known, dict) or not all(
        isinstance(known.get(name, like()), like) for name, like in FACTS.items()
    ):
        raise FormatError(f"provenance: {', '.join(FACTS)} are of another type")
    if not all(isinstance(note, str) for note in known.get("notes", [])):
        raise FormatError("provenance: notes are texts")
    check_units(graph, units, schedule)
    if unused := set(tensors) - tensors.asked:
        raise FormatError(f"tensors that nothing reads: {sorted(unused)[:5]}")
    program = Program(graph, units, schedule, coder, source, known)
    network = SpikingNetwork(program, header["steps"], header["engine"])
    try_out(network)
    return network


def _graph_in(data: dict[str, Any], tensors: dict[str, Tensor]) -> Graph:
    table = {key: tensors[name] for key, name in data["tensors"].items()}
    seen: set[str] = set()
    nodes = []
    for item in data["nodes"]:
        node = Node(**{**item, "inputs": tuple(item["inputs"]), "attrs": _tuples(item["attrs"])})
        if not all(isinstance(text, str) for text in (node.name, node.path, node.line)):
            raise FormatError(f"node {node.name!r}: name, path and line must be text")
        if node.op not in OPS or node.name in seen:
            raise FormatError(f"node {node.name!r}: unknown operator or repeated name")
        if not set(node.inputs) <= seen or (node.kind is Kind.INPUT) != (not nodes):
            raise FormatError(f"node {node.name!r}: its inputs do not come before it")
        if missing := set(node.tensors.values()) - set(table):
            raise FormatError(f"node {node.name!r}: missing tensors {sorted(missing)}")
        seen.add(node.name)
        nodes.append(node)
    if data["output"] not in seen:
        raise FormatError(f"output {data['output']!r} is no node")
    return Graph(tuple(nodes), table, data["output"], tuple(data["input_shape"]))


def _tuples(attrs: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in attrs.items()}


def _value_in(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict) and set(value) == {"tensor"}:
        return tensors[value["tensor"]]
    if isinstance(value, dict) and set(value) == {"class", "fields"}:
        if value["class"] not in CLASSES:
            raise FormatError(f"unknown class {value['class']!r}")
        fields = {name: _value_in(v, tensors) for name, v in value["fields"].items()}
        return CLASSES[value["class"]](**fields)
    return _tuples(value) if isinstance(value, dict) else value
