"""A run's state as one safetensors file: whole or absent, and no pickle.

Tensors are kept under `model.`, `averaged.` and `momentum.`; the epoch, the settings and the
history are JSON in the file's metadata. An epoch's random numbers follow from the seed and its
number, so there is no other state.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from isospike.errors import FormatError
from isospike.files import atomic_write

FOLDER = "checkpoints"
KEPT = 2  # the newest; one more than needed, should the disk fail


@dataclass
class Checkpoint:
    """epoch: the number of epochs that are done."""

    epoch: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def write(folder: Path, found: Checkpoint) -> Path:
    """FOLDER/epoch-0007.safetensors, then older ones are removed."""
    path = folder / f"epoch-{found.epoch:04d}.safetensors"
    write_tensors(path, found.tensors, {**found.facts, "epoch": found.epoch})
    for old in _listed(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def latest(folder: Path) -> Checkpoint | None:
    """The newest that can be read, with a warning where that is not the newest of all; None where
    there is none; FormatError where none can be read."""
    found = newest(folder)
    if found is None:
        return None
    path, facts = found
    return Checkpoint(facts["epoch"], read_tensors(path)[0], facts)


def newest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """File and facts of what `latest` finds, and its warning and error, without reading a tensor: a
    file that was cut short is told by its header, which says how long it is."""
    errors: list[FormatError] = []
    for path in reversed(_listed(folder)):
        try:
            facts = read_facts(path)
            if not isinstance(facts.get("epoch"), int):
                raise FormatError(f"{path}: not a checkpoint of a training run")
        except FormatError as error:
            errors.append(error)
            continue
        if errors:
            warnings.warn(f"{errors[0]}; going on after epoch {facts['epoch']}", stacklevel=3)
        return path, facts
    if errors:
        again = f"no other is left: delete {folder} to train from the start"
        raise FormatError(f"{errors[0]}; {again}") from errors[0]
    return None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """The same tensors and facts are the same bytes. A tensor of two names is written twice."""
    found = _apart({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
    atomic_write(path, save(found, {"isospike": json.dumps(facts, sort_keys=True)}))


def unwritable(state: Mapping[str, Any]) -> list[str]:
    """What of a state `write_tensors` cannot write: name, and what it is."""
    kinds = {
        name: str(value.layout).removeprefix("torch.") if isinstance(value, Tensor) else
        f"a {type(value).__name__} of get_extra_state"
        for name, value in state.items()
        if not isinstance(value, Tensor) or value.layout != torch.strided
    }  # fmt: skip
    return [f"{name} ({kind})" for name, kind in kinds.items()]


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each in memory of its own: the library refuses tensors that share it."""
    found, seen = {}, set()
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return found


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts; no facts where the file is of another origin. FormatError."""
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, _facts(file)


def read_facts(path: Path) -> dict[str, Any]:
    """The facts alone, without reading a tensor. FormatError."""
    with _opened(path) as file:
        return _facts(file)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (SafetensorError, OSError, ValueError) as error:
        raise FormatError(f"{path}: not a readable safetensors file: {error}") from error


def _facts(file: Any) -> dict[str, Any]:
    facts = json.loads((file.metadata() or {}).get("isospike", "{}"))
    if not isinstance(facts, dict):
        raise ValueError("its isospike entry is not an object")
    return facts


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under `prefix.`, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def misfits(own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Names that only one side has, or that have another shape there."""
    other = [n for n in set(found) & set(own) if found[n].shape != own[n].shape]
    return sorted(set(found) ^ set(own)) + sorted(other)


def _listed(folder: Path) -> list[Path]:
    named = [p for p in folder.glob("epoch-*.safetensors") if re.fullmatch(r"epoch-\d+", p.stem)]
    return sorted(named, key=lambda p: int(p.stem.partition("-")[2]))


def seeded(*numbers: int) -> int:
    """One seed from several."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
