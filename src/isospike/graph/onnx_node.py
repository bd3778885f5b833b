"""One node of an ONNX graph as a rule sees it: arguments, attributes, and where results go."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isospike.graph.translate import MIXES, Call, Refusal, Value


class Batch:
    """The batch size within a computed shape: it may be moved, not calculated with."""

    def __repr__(self) -> str:
        return "batch"


BATCH = Batch()
Result = Value | np.ndarray


@dataclass(frozen=True)
class OnnxNode:
    """op, name, arguments (None where left out), attributes; `emit` adds a node to our graph (a
    value passes through), `producer` names the operator that made a value; outputs: how many are
    asked for; single: the file's batch size is fixed to 1."""

    op: str
    name: str
    arguments: tuple[Result | None, ...]
    attrs: Mapping[str, Any]
    outputs: int
    emit: Callable[[Call | Value], Value]
    producer: Callable[[Value], str]
    single: bool

    def argument(self, place: int) -> Result | None:
        return self.arguments[place] if place < len(self.arguments) else None

    def value(self, place: int = 0) -> Value:
        """An argument that depends on the input."""
        found = self.argument(place)
        if not isinstance(found, Value):
            raise Refusal(
                f"{self.op} of a constant", "Argument "
                f"{place} does not depend on the input.", "swap the arguments, or simplify the file"
            )  # fmt: skip
        return found

    def constant(self, place: int) -> np.ndarray | None:
        """An argument that does not depend on the input, or None where it is left out."""
        found = self.argument(place)
        if isinstance(found, Value):
            raise Refusal(
                f"{self.op} with a computed argument {place}",
                "It must be known before the network runs: no neuron multiplies two spike trains.",
                "make it a constant of the file",
            )
        return found

    def tensor(self, place: int) -> Tensor | None:
        """A constant of numbers in float64."""
        found = self.constant(place)
        return None if found is None else numbers(found, self.op)

    def ints(self, place: int) -> list[int] | None:
        """A constant list of whole numbers without the batch size."""
        found = self.constant(place)
        if found is None:
            return None
        flat = list(np.asarray(found).reshape(-1))
        if any(isinstance(entry, Batch) for entry in flat):
            raise Refusal(f"{self.op} by the batch size", MIXES, "use fixed numbers")
        return [int(entry) for entry in flat]

    def shared(self, name: str, place: int) -> list[int] | None:
        """What newer operator sets give as an argument and older ones as an attribute."""
        return list(self.attrs[name]) if name in self.attrs else self.ints(place)


def numbers(constant: np.ndarray, op: str) -> Tensor:
    if constant.dtype == object:
        raise Refusal(f"{op} with the batch size as a value", MIXES, "use a fixed number")
    if constant.dtype == np.float16:
        raise Refusal("float16 weights", "Fitting needs more bits.", "export in float32")
    if constant.dtype.kind not in "fiu":
        raise Refusal(f"{op} with {constant.dtype} values", "Not numbers.", "export in float32")
    tensor = torch.from_numpy(np.array(constant, dtype=np.float64))
    if not tensor.isfinite().all():
        raise Refusal(
            f"{op} with NaN or infinite constants", "No threshold fits what comes of them.",
            "repair or retrain the weights",
        )  # fmt: skip
    return tensor


def size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)
