"""What a forward is called with: the arguments that are the same constants at every call."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from torch import fx
from torch.fx.node import map_arg

from isospike.errors import UsageError

Call = tuple[tuple[Any, ...], Mapping[str, Any]]
WHOLE: tuple[Call] = (((), {}),)  # the call of the model by its user, who gives what has no default
_KEYWORDS = inspect.Parameter.VAR_KEYWORD
_STARS = {inspect.Parameter.VAR_POSITIONAL: "*", _KEYWORDS: "**"}


def constants(forward: Any, calls: Iterable[Call]) -> dict[str, Any]:
    """Name of an argument (as in the code: `x`, `*xs`, `**settings`) -> its value, where no call
    gives it or all give the same. TypeError for one that is None in some calls alone, or that is
    given by `**settings`: to a traced forward it would never be None, and never be missing."""
    signature = inspect.signature(forward)
    bound = [_bound(signature, call) for call in calls]
    found = {}
    for name, parameter in signature.parameters.items():
        values = [arguments[name] for arguments in bound if name in arguments]
        if values and all(is_constant(v) and same(v, values[0]) for v in values):
            found[_STARS.get(parameter.kind, "") + name] = values[0]
        elif parameter.kind is _KEYWORDS or any(value is None for value in values):
            raise TypeError(f"the argument {name} is not one constant in its calls")
    return found


def known(forward: Any, calls: Iterable[Call] | None) -> dict[str, Any]:
    """`constants`; nothing where the calls are not known (None). TypeError for a forward that would
    then have to be traced without knowing whether an argument is None or missing."""
    if calls is not None:
        return constants(forward, calls)
    parameters = inspect.signature(forward).parameters.values()
    unsure = [p.name for p in parameters if p.default is None or p.kind is _KEYWORDS]
    if unsure:
        raise TypeError(f"its callers cannot be traced, who may leave out {', '.join(unsure)}")
    return {}


def decided(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without the numbers, which a forward may compute with as it does with a tensor."""
    return {name: value for name, value in found.items() if not _is_number(value)}


def agree(used: Mapping[str, Any], forward: Any, calls: Iterable[Call] | None) -> bool:
    """Is a forward that was traced with `used` right for these calls?"""
    try:
        found = known(forward, calls)
    except TypeError:
        return False
    return used == {k: v for k, v in found.items() if k in used or not _is_number(v)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def expect(value: Any, constant: Any, name: str) -> None:
    """UsageError where a traced forward is given another value than it was traced with."""
    if not same(value, constant):
        raise UsageError(
            f"the argument {name} was {constant!r} when the forward was prepared, which is right "
            "for this value alone: leave it so, or make the ReLUs of that forward modules, one a "
            "call"
        )


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def is_constant(value: Any) -> bool:
    nodes: list[fx.Node] = []
    map_arg(value, nodes.append)
    return not nodes


def _bound(signature: inspect.Signature, call: Call) -> dict[str, Any]:
    args, kwargs = call
    bound = signature.bind_partial(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments
