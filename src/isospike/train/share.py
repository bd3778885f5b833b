"""One process's part of a batch: what is drawn for an image is the same on any number of processes.

A process draws the random numbers of the whole batch and reads and changes its own images alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Share:
    """Every `of`-th image of a batch from image `rank` on; of such shares all are of one length."""

    rank: int = 0
    of: int = 1

    def whole(self, images: Tensor) -> int:
        """Images of the batch of which `images` are this share."""
        return len(images) * self.of

    def part(self, batch: Tensor, dim: int = 0) -> Tensor:
        """This share of a tensor that has the whole batch at dimension `dim`."""
        return batch.movedim(dim, 0)[self.rank :: self.of].movedim(0, dim)


ALL = Share()
