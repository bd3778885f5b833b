"""A batch that the memory of a GPU cannot hold: how many images it could."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from isospike.engine.run import Run
from isospike.errors import UsageError


def fitting(call: Callable[[Tensor], Run], x: Tensor) -> Run:
    """call(x [B, ...]); UsageError where memory ends, with the number of images that fit: half of
    the batch, a quarter and so on, until `call` comes through. Nothing stays allocated."""
    try:
        return call(x)
    except torch.OutOfMemoryError:
        pass  # a traceback would hold what was allocated: it ends here
    count = len(x)
    while count > 1:
        count //= 2
        if _fits(call, x[:count]):
            break
    else:
        count = 0
    fit = f"{count} fit" if count else "not one fits"
    raise UsageError(f"a batch of {len(x)} images needs more memory than {x.device} has: {fit}")


def _fits(call: Callable[[Tensor], Run], x: Tensor) -> bool:
    try:
        call(x)
    except torch.OutOfMemoryError:
        return False
    finally:
        if x.is_cuda:
            torch.cuda.empty_cache()
    return True
