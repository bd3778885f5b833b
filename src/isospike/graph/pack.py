"""Models of several inputs or outputs, as functions of one tensor.

    packed = Packed(model, example)              # example: a tensor, a tuple, a dict of keywords
    snn = convert(packed, packed.pack(example))  # x [B, ...] -> y [B, ...]
    answer = packed.unpack(snn(packed.pack(inputs)))     # the structure that `model` returns

Several tensors [B, ...] stand side by side in one row a sample, [B, N]; one alone keeps its shape.
Taking rows apart and putting them together is affine, so nothing else has to know of it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isospike.errors import UsageError

Places = list[tuple[str, tuple[int, ...]]]  # path of a tensor, its shape without the batch


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) of every tensor in dicts, tuples, lists and dataclasses within each other."""
    if isinstance(value, Tensor):
        yield path, value
    elif value is not None:
        for key, inner in _items(value, path):
            yield from leaves(inner, f"{path}.{key}" if path else str(key))


def filled(like: Any, tensors: Iterator[Tensor]) -> Any:
    """`like` with its tensors replaced, in the order of `leaves`."""
    if like is None or isinstance(like, Tensor):
        return None if like is None else next(tensors)
    made = {key: filled(inner, tensors) for key, inner in _items(like, "")}
    if isinstance(like, Mapping):
        return made
    if dataclasses.is_dataclass(like):
        return type(like)(**made)  # type: ignore[operator]
    return type(like)(*made.values()) if hasattr(like, "_fields") else type(like)(made.values())


def _items(value: Any, path: str) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if dataclasses.is_dataclass(value):
        return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    raise UsageError(f"{path or 'the value'} is a {type(value).__name__}, not a tensor")


def in_rows(value: Any) -> tuple[Tensor, Places]:
    """One tensor [B, ...], or the rows [B, N] of several; UsageError lists what has no batch."""
    found = list(leaves(value))
    if not found:
        raise UsageError("no tensor to pack")
    batch = found[0][1].shape[:1]
    wrong = [
        f"{path or 'the tensor'} {list(t.shape)} {t.dtype}" for path, t in found
        if t.dim() < 1 or t.shape[:1] != batch or not (t.is_floating_point() or len(found) == 1)
    ]  # fmt: skip
    if wrong:
        raise UsageError(f"not [batch of {list(batch)}, ...] of a float type: {', '.join(wrong)}")
    places = [(path, tuple(t.shape[1:])) for path, t in found]
    tensors = [t for _, t in found]
    return tensors[0] if len(tensors) == 1 else torch.cat(
        [t.flatten(1) for t in tensors], 1
    ), places


def apart(rows: Tensor, places: Places) -> list[Tensor]:
    """The tensors that `in_rows` put into one."""
    if len(places) == 1:
        return [rows]
    pieces = rows.split([math.prod(shape) for _, shape in places], 1)
    return [p.reshape(-1, *shape) for p, (_, shape) in zip(pieces, places, strict=True)]


class Packed(nn.Module):
    """`model` as y [B, ...] = f(x [B, ...]).

    example  what `model` takes, a batch: one tensor, a tuple (positions) or a dict (keywords)
    output   path of the one output that is wanted (`logits`, `out`, `0`), None for all of them
    UsageError lists the outputs where `output` is none of them.
    """

    def __init__(
        self, model: nn.Module, example: Tensor | Sequence[Any] | Mapping[str, Any],
        output: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.model, self.output = model, output
        self.inputs = in_rows(example)[1]
        self.template = _hollow(example)
        modes = [(module, module.training) for module in model.modules()]
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            answer = model.eval()(*_positions(example), **_keywords(example))
        for module, training in modes:
            module.training = training
        self.answer = _hollow(answer)
        known = [path for path, _ in leaves(answer)]
        if output is not None and output not in known:
            raise UsageError(f"no output {output!r}: one of {', '.join(known)}")
        self.outputs = in_rows(answer if output is None else dict(leaves(answer))[output])[1]

    def forward(self, x: Tensor) -> Tensor:
        inputs = filled(self.template, iter(apart(x, self.inputs)))
        answer = self.model(*_positions(inputs), **_keywords(inputs))
        if self.output is not None:
            return dict(leaves(answer))[self.output]
        return in_rows(answer)[0]

    def pack(self, inputs: Any) -> Tensor:
        """What `forward` takes, from what the model takes; UsageError where the shapes differ."""
        rows, places = in_rows(inputs)
        if places != self.inputs:
            raise UsageError(f"expected inputs {self.inputs}, got {places}")
        return rows

    def pieces(self, y: Tensor) -> list[Tensor]:
        """The outputs one by one."""
        return apart(y, self.outputs)

    def unpack(self, y: Tensor) -> Any:
        """What the model returns, from what `forward` returns."""
        if self.output is not None:
            return y
        return filled(self.answer, iter(self.pieces(y)))


def _hollow(value: Any) -> Any:
    """The structure without its data."""
    return filled(value, (t.new_empty(0) for _, t in leaves(value)))


def _positions(inputs: Any) -> tuple[Any, ...]:
    if isinstance(inputs, Mapping):
        return ()
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def _keywords(inputs: Any) -> dict[str, Any]:
    return dict(inputs) if isinstance(inputs, Mapping) else {}
