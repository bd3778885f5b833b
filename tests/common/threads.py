"""Work on a number of threads."""

from collections.abc import Callable
from typing import Any

import torch


def with_threads(threads: int, work: Callable[[], Any]) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return work()
    finally:
        torch.set_num_threads(before)
