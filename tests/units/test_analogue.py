"""What is kept analogue reads right at every step, in one piece or in chunks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.graph.analogue import FUNCTIONS
from isospike.units.analogue import Analogue

SETTINGS = {
    "gelu": {"approximate": "none"},
    "elu": {"alpha": 1.5, "scale": 1.0, "input_scale": 0.5},
    "softplus": {"beta": 2.0, "threshold": 20.0},
    "softmax": {"dim": 1},
    "layer_norm": {"shape": (12,), "eps": 1e-5},
    "group_norm": {"groups": 3, "eps": 1e-5},
    "product": {"shapes": ((3, 2), (3, 2))},
    "quotient": {"shapes": ((3, 2), (3, 2))},
    "matmul": {"shapes": ((3, 2), (2, 3))},
}
each = pytest.mark.parametrize("op", FUNCTIONS)


def unit(op: str) -> Analogue:
    return Analogue(op, SETTINGS.get(op, {}))


def drive(seed: int, length: int) -> torch.Tensor:
    """[T, B, 12], uneven, away from the zeros that a quotient divides by."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(length, 2, 12, generator=generator, dtype=torch.float64)
    return x + 3 * torch.arange(1.0, 13).double().cos().sign()


@each
@given(seed=st.integers(0, 1000), length=st.integers(1, 12))
def test_the_mean_of_the_values_is_the_function_of_the_mean_at_every_step(op, seed, length):
    x = drive(seed, length)
    y, _ = unit(op).scan(x.clone(), None)
    for t in range(1, length + 1):
        expected = unit(op).dual(x[:t].mean(0), t)
        assert torch.allclose(y[:t].mean(0), expected, rtol=1e-9, atol=1e-9)


@each
@given(seed=st.integers(0, 1000), cut=st.integers(1, 7))
def test_two_chunks_are_one(op, seed, cut):
    x = drive(seed, 8)
    whole, end = unit(op).scan(x, None)
    first, state = unit(op).scan(x[:cut], None)
    second, last = unit(op).scan(x[cut:], state)
    assert torch.allclose(torch.cat([first, second]), whole, rtol=1e-9, atol=1e-9)
    assert last.steps == end.steps == 8
    assert torch.allclose(last.sent, end.sent)


@each
def test_a_drive_that_stands_still_gives_the_function_at_each_step(op):
    x = drive(1, 1)
    y, _ = unit(op).scan(x.expand(5, -1, -1), None)
    assert torch.allclose(y, unit(op).dual(x[0], 5).expand_as(y))


def test_the_function_of_each_step_alone_would_be_wrong():
    x = torch.tensor([0.0, 4.0]).reshape(2, 1, 1)
    y, _ = Analogue("silu").scan(x, None)
    of_steps = torch.nn.functional.silu(x).mean(0)
    assert torch.allclose(y.mean(0), torch.nn.functional.silu(torch.tensor([[2.0]])))
    assert not torch.allclose(y.mean(0), of_steps, atol=0.1)


def test_sums_are_kept_in_float32_or_wider_and_nothing_counts_as_a_spike():
    y, state = Analogue("tanh").scan(torch.ones(300, 1, 1, dtype=torch.float16), None)
    assert state.drive.dtype == torch.float32
    assert float(state.drive) == 300
    assert not Analogue("tanh").events(y).any()
