"""ReLUs in the code of a forward that cannot be traced, found by their names."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

from torch import nn

from isospike.train import graphs
from isospike.train.calls import RELUS

NAMES = {name for name in RELUS if isinstance(name, str)} | {"relu6", "hardtanh", "hardtanh_"}
POOL_NAMES = {f"{kind}max_pool{d}d" for kind in ("", "adaptive_") for d in (1, 2, 3)}


def suspects(module: nn.Module, pools: bool) -> list[str]:
    """`net.py:12: relu` for names of ReLUs (and max-pools) in the code of the forward, and of the
    methods of the module that it names; functions that are attributes count by what they are."""
    names = NAMES | POOL_NAMES if pools else NAMES
    functions = [f for f in (*RELUS, *(graphs.POOLS if pools else ())) if callable(f)]
    found, waiting, seen = [], ["forward"], set()
    while waiting:
        code = getattr(getattr(type(module), waiting.pop(), None), "__code__", None)
        if not isinstance(code, CodeType) or code in seen:
            continue
        seen.add(code)
        for line, name, own in _named(code):
            value = vars(module).get(name, getattr(type(module), name, None))
            known = any(value is f for f in functions) if own else name in names
            if own and not known and name not in vars(nn.Module):
                waiting.append(name)
            if known:
                found.append(f"{Path(code.co_filename).name}:{line}: {name}")
    return found


def _named(code: CodeType) -> Iterator[tuple[int, str, bool]]:
    """Line, name, and whether it is an attribute of `self`."""
    before: Any = None
    for step in dis.get_instructions(code):
        if step.opname.startswith("LOAD_") and isinstance(step.argval, str):
            line = (step.positions.lineno if step.positions else None) or 0
            yield line, step.argval, before == "self"
        before = step.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _named(constant)
