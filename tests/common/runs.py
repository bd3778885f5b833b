"""Comparing what engines return."""

from __future__ import annotations

import torch

from isospike.engine.run import Run


def same(one: Run, other: Run) -> None:
    """Bit-equal readings and counts."""
    assert one.outputs.keys() == other.outputs.keys()
    assert one.counts.keys() == other.counts.keys()
    for steps, out in one.outputs.items():
        assert torch.equal(out, other.outputs[steps]), steps
        for site, at in one.counts.items():
            assert at[steps].dtype == torch.int64
            assert torch.equal(at[steps], other.counts[site][steps]), (site, steps)
