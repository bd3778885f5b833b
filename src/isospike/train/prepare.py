"""A user's own model, ready to be trained for conversion: every ReLU becomes a ClipQuant.

Each module's own forward is traced by itself, its children standing for single calls. Where every
ReLU is a module that is called once, modules are exchanged and no code changes. Where a ReLU is a
function, is called twice, or writes over a value that is read again, that one module gets the
traced forward, in which each call has an activation of its own. Names of parameters never change,
so a state_dict of the source fits with strict=False (the clips are new).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from isospike.activations import OWN, ClipQuant, factory
from isospike.errors import ConversionError, Finding, UsageError
from isospike.graph.model import private_copy, unwrap
from isospike.train.calls import built_in, is_container, is_other, relu_module
from isospike.train.rewire import STAYS, Swaps, unshared


@dataclass(frozen=True)
class Swap:
    """place: path of module and call; old, new: what stood there and what stands there now."""

    place: str
    old: str
    new: str


@dataclass(frozen=True)
class Report:
    """What `prepare` changed, module by module, and what the user should know."""

    swaps: tuple[Swap, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Swap]:
        return iter(self.swaps)

    def __len__(self) -> int:
        return len(self.swaps)

    def __str__(self) -> str:
        width = max(len(swap.place) for swap in self.swaps)
        lines = [f"{swap.place:{width}}  {swap.old} -> {swap.new}" for swap in self.swaps]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


@dataclass(frozen=True)
class _Maker:
    """Makes the activation for a ReLU that is bounded by `ceiling`."""

    name: str
    levels: int | None
    settings: dict[str, Any] = field(default_factory=dict)

    def __call__(self, ceiling: float) -> nn.Module:
        if self.name == "relu":
            return nn.ReLU() if math.isinf(ceiling) else nn.Hardtanh(0.0, ceiling)
        make = factory(self.name)
        settings = dict(self.settings)
        if make.keywords.get("levels"):  # type: ignore[attr-defined]
            if self.levels != OWN:
                settings.setdefault("levels", self.levels)
            if self.levels is None:
                settings = {"slip": 0.0, "share": 1.0, **settings}
        if math.isfinite(ceiling):
            settings = {"theta": ceiling, **settings, "ceiling": ceiling}
        return make(**settings)

    def check(self) -> None:
        """UsageError for an unknown name or a setting without a meaning."""
        factory(self.name)
        if self.name == "relu" and self.settings:
            raise UsageError(f"relu has no settings, got {', '.join(self.settings)}")
        try:
            self(math.inf)
        except (TypeError, ValueError) as error:
            raise UsageError(f"prepare: activation {self.name!r}: {error}") from error


def prepare(
    model: nn.Module,
    activation: str = "qcfs",
    levels: int | None = OWN,
    pool: str = "keep",
    **settings: Any,
) -> nn.Module:
    """A new model with a ClipQuant of its own at every call of a ReLU; the source is unchanged.

    activation  a name of `isospike.activations.ACTIVATIONS`
    levels      L where the activation quantises, without it its paper's; None leaves the plain clip
    pool        "average": max-pooling becomes average-pooling of the same window
    settings    of ClipQuant, as `theta=2.0`

    ReLU, ReLU6, Hardtanh(0, c) and Threshold(0, 0), F.relu, torch.relu, x.relu() and clamp(min=0)
    count as ReLUs, in place or not; those in the code of torch's own layers stay. A subclass of a
    layer with a forward of its own is what that forward computes. A bounded one starts with its
    bound as theta. A branch on an optional argument is the one that the calls in the model take, of
    the model itself that of `model(x)`; a forward whose code had to change refuses other values
    then. What was exchanged, and which activations stay, is told by `.report` of the new model,
    which is printable.
    UsageError: unknown name or setting.
    ConversionError: no ReLU, or ReLUs in code that cannot be traced; all places at once.
    """
    maker = _Maker(activation, levels, settings)
    maker.check()
    if pool not in ("keep", "average"):
        raise UsageError(f"unknown pool {pool!r}: one of keep, average")
    new = private_copy(model)
    if hasattr(new, "report"):
        raise UsageError("the model has a `report` already: it was prepared, or rename its own")
    if relu_module(new):
        new = nn.Sequential(new)
    swaps = Swaps(_placed(maker, new), pool == "average")
    unshared(new)
    with torch.random.fork_rng(devices=()):  # a forward that is traced may draw
        swaps.visit(new, "")
    if swaps.findings:
        raise ConversionError("the model cannot be prepared:", swaps.findings)
    if not any(kind == "relu" for kind, *_ in swaps.done):
        raise _nothing(new)
    left = [(name, type(m).__name__) for name, m in new.named_modules() if is_other(m)]
    swaps.notes += [f"{name}: {kind} {STAYS}" for name, kind in left]
    swaps.notes += [f"{f.site}: {f.what} stays. {f.why}" for f in _built_in(new)]
    swaps.notes += [
        f"{name}: no call found, so it stays a {kind}" for name, kind in _left(new, swaps.made)
    ]
    modes = {name: module.training for name, module in unwrap(model).named_modules()}
    for name, module in new.named_modules():
        module.training = modes.get(name, unwrap(model).training)
    new.report = Report(  # type: ignore[assignment]
        tuple(Swap(*texts) for _, *texts in swaps.done), tuple(dict.fromkeys(swaps.notes))
    )
    return new


def _placed(maker: _Maker, model: nn.Module):
    """The maker, with what it makes on the model's device and in its type."""
    floats = [p for p in model.parameters() if p.is_floating_point()]
    like = floats[0] if floats else torch.empty(0)
    return lambda ceiling: maker(ceiling).to(device=like.device, dtype=like.dtype)


def _built_in(model: nn.Module) -> list[Finding]:
    """The activations in the code of torch's own layers."""
    why, fix = "The code of the layer is torch's own.", "write the layer out, with a ReLU module"
    return [
        Finding(name or "model", "", f"{inner} of {type(module).__name__}", why, fix)
        for name, module in model.named_modules()
        if (inner := built_in(module))
    ]


def _left(model: nn.Module, made: Collection[nn.Module]) -> list[tuple[str, str]]:
    """Path and kind of the ReLUs that are there still, outside torch's own layers."""
    own = {part for module in model.modules() if built_in(module) for part in module.modules()}
    return [
        (name, type(module).__name__)
        for name, module in model.named_modules()
        if relu_module(module) and module not in own and module not in made
    ]


def _nothing(model: nn.Module) -> ConversionError:
    found = [
        Finding(name or "model", "", type(module).__name__, "It is no ReLU.", "put a ReLU there")
        for name, module in model.named_modules()
        if is_other(module)
    ] + _built_in(model)
    if any(isinstance(module, ClipQuant) for module in model.modules()):
        return ConversionError("nothing to prepare: the model has ClipQuant and no ReLU left")
    count = sum(is_container(module) for module in model.modules())
    return ConversionError(f"no ReLU is called in the model ({count} modules searched)", found)
