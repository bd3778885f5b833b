"""phi(T) is the mean of the train, whoever counts it."""

import pytest
import torch

from isospike.engine import native
from isospike.fit import mean_output as module
from isospike.fit.mean_output import mean_output
from isospike.units.binary import IF
from isospike.units.signed import Signed


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kind", [IF, Signed])
def test_the_mean_of_the_train(kind, held, compiled, monkeypatch):
    monkeypatch.setattr(native, "ENABLED", compiled and native.kernels is not None)
    monkeypatch.setattr(module, "PIECE", 2)
    torch.manual_seed(0)
    unit = kind(torch.rand(3, 1, 1) + 0.5, torch.rand(3, 1, 1), torch.randn(3, 1, 1) / 10)
    z = torch.randn(1 if held else 6, 5, 3, 4, 4)
    train = unit.scan(z.expand(6, *z.shape[1:]).clone(), None)[0] * unit.amplitude
    assert torch.allclose(mean_output(unit, z, 6), train.mean(0), atol=1e-6)
    assert train.any()
