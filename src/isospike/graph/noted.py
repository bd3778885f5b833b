"""What torch.export noted of a node of its program: the shape and type of what it computes."""

from __future__ import annotations

import torch
from torch import Tensor, fx


def value(node: fx.Node) -> Tensor | None:
    """A tensor without content, like what the node computes; of several outputs the first."""
    found = node.meta.get("val")
    found = found[0] if isinstance(found, list | tuple) and found else found
    return found if isinstance(found, Tensor) else None


def is_size(node: fx.Node) -> bool:
    """Does the node compute a number, such as the batch size?"""
    return isinstance(node.meta.get("val"), torch.SymInt | int)


def shape(node: fx.Node) -> tuple[int, ...]:
    """Of a sample: without the batch; 0 for a size that depends on values."""
    found = value(node)
    return () if found is None else tuple(whole(size) or 0 for size in found.shape[1:])


def whole(size: int | torch.SymInt) -> int | None:
    """A size as a number, None where it depends on values."""
    known = isinstance(size, int) or size.node.has_hint()
    return int(size) if known else None
