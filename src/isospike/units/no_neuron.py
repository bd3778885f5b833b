"""What units without a neuron share: they pass values on, and have no threshold."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class NoNeuron:
    """Max-pooling of spikes, and functions kept analogue."""

    @property
    def amplitude(self) -> Tensor:
        """Values are passed as they are."""
        return torch.ones(())

    def membrane(self, state: Any) -> Tensor:
        """The sums so far: there is no potential."""
        return state

    def select(self, state: Any, rows: Tensor) -> Any:
        """The state of the samples `rows` (bool [B]) alone."""
        return state[rows]

    def mark(self, state: Any) -> None:
        """Nothing is needed to tell the events."""
        return None
