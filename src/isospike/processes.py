"""Several processes that share one calibration or evaluation and end with the same result.

    with sharded():  # in every process of torchrun or of accelerate launch
        curve = evaluate(model, data, calibration=images)

Every process is given all the data and takes every P-th piece of it. Pieces are those of one
process, and only what adds up exactly is merged: whole numbers, largest values, and numbers per
image that are summed afterwards without rounding. So the result has the bits of one process that
runs with as many threads. Outside of `sharded` nothing is shared, whatever torch.distributed does:
a training script may evaluate in its first process alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor, distributed

from isospike import errors
from isospike.errors import DataError, IsospikeError

T = TypeVar("T")
_PLACE: ContextVar[tuple[int, int]] = ContextVar("place", default=(0, 1))
# What is raised again under its own name in the processes that did nothing wrong.
_KINDS = (
    RuntimeError, OverflowError, IsospikeError, errors.ConversionError, DataError,
    errors.FormatError, errors.UsageError,
)  # fmt: skip


def rank() -> int:
    """The number of this process, from 0; 0 outside of `sharded`."""
    return _PLACE.get()[0]


def world() -> int:
    """How many processes share the work; 1 outside of `sharded`."""
    return _PLACE.get()[1]


@contextmanager
def sharded() -> Iterator[None]:
    """What is called inside is shared by the processes, each of which must call the same.

    Uses the process group that is there; else, where the environment names several processes
    (WORLD_SIZE, RANK, MASTER_ADDR, MASTER_PORT), one of gloo that ends with the block.
    """
    joins = not _grouped() and int(os.environ.get("WORLD_SIZE", "1")) > 1
    if joins:
        distributed.init_process_group("gloo")
    place = (distributed.get_rank(), distributed.get_world_size()) if _grouped() else (0, 1)
    token = _PLACE.set(place)
    try:
        yield
    finally:
        _PLACE.reset(token)
        if joins:
            distributed.destroy_process_group()


def _grouped() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def share(items: Iterable[T]) -> Iterator[T]:
    """Every P-th of the items, from this process's own number."""
    return islice(items, rank(), None, world())


def total(numbers: Tensor) -> Tensor:
    """The sum over the processes of whole numbers; they are left as they were."""
    return _merged(numbers, "SUM")


def largest(numbers: Tensor) -> Tensor:
    """The largest value of any process, one by one."""
    return _merged(numbers, "MAX")


def gathered(numbers: Tensor) -> Tensor:
    """[n] of each process -> [n of all], in the order of the processes."""
    sizes = torch.zeros(world(), dtype=torch.int64)
    sizes[rank()] = len(numbers)
    sizes = total(sizes).tolist()
    # Each place is filled by one process, and adding zeros changes no bit of it.
    whole = numbers.new_zeros(sum(sizes))
    whole[sum(sizes[: rank()]) :][: len(numbers)] = numbers
    return total(whole)


def check_same(mark: int, what: str) -> None:
    """DataError unless all processes hold the same mark of `what`."""
    marks = gathered(torch.tensor([mark])).tolist()
    if len(set(marks)) > 1:
        raise DataError(
            f"the {world()} processes were given different {what}: each needs all of them, in one "
            "order (a loader that shuffles needs the same seed in each)"
        )


@contextmanager
def together() -> Iterator[None]:
    """What goes wrong inside in one process is raised in all, in the words of the first of them;
    nobody is left waiting. No merging belongs inside."""
    failure: Exception | None = None
    try:
        yield
    except Exception as error:
        if world() == 1:
            raise
        failure = error
    if world() > 1:
        _agree(failure)


def _agree(failure: Exception | None) -> None:
    failed = torch.zeros(world(), dtype=torch.int64)
    failed[rank()] = failure is not None
    if not bool((failed := total(failed)).any()):
        return
    first = int(failed.argmax())
    own = failure if rank() == first else None
    kind = next((i for i, k in reversed([*enumerate(_KINDS)]) if isinstance(own, k)), 0)
    kind = int(total(torch.tensor(kind if own is not None else 0)))
    text = list(str(own).encode()) if own is not None else []
    words = bytes(gathered(torch.tensor(text, dtype=torch.uint8)).tolist()).decode()
    if own is not None:
        raise own
    raise _KINDS[kind](words) from failure


def _merged(numbers: Tensor, how: str) -> Tensor:
    if world() == 1:
        return numbers
    whole = numbers.detach().to(_device(), copy=True).contiguous()
    distributed.all_reduce(whole, getattr(distributed.ReduceOp, how))
    return whole.to(numbers.device)


def _device() -> torch.device:
    """Where the tensors of the group must be."""
    if "gloo" in str(distributed.get_backend()):
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())
