"""FewSpikeFit of few spikes: the paper's steps, one phase of them, a radix code as one of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.units.few_spike import FewSpike
from isospike.units.radix import Radix, RadixCode

numbers = st.integers(-64, 64).map(lambda n: n / 16)
rows = st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=8)
CODES = [RadixCode(2.0), RadixCode(1.0), RadixCode(1.5, 2)]


def unit(program, code=CODES[0]) -> FewSpike:
    return FewSpike(*torch.tensor(program, dtype=torch.float64).T, code)


def published(x: float, program) -> tuple[float, int]:
    """Stoeckl & Maass 2021: v(0) = x, one neuron."""
    v, out, count = x, 0.0, 0
    for threshold, reset, weight in program:
        if v > threshold:
            v, out, count = v - reset, out + weight, count + 1
    return out, count


@given(rows, st.lists(numbers, min_size=1, max_size=20))
def test_the_steps_are_the_papers(program, xs):
    x = torch.tensor(xs, dtype=torch.float64)
    expected = [published(each, program) for each in xs]
    assert unit(program).dual(x, 8).tolist() == [value for value, _ in expected]
    assert unit(program).send(x.unsqueeze(0), 1.0, 8)[1].tolist() == [
        count for _, count in expected
    ]


@pytest.mark.parametrize("code", CODES, ids=str)
@given(rows, st.lists(numbers, min_size=1, max_size=20), st.integers(1, 10))
def test_a_phase_hands_on_the_value_times_the_gain(code, program, xs, steps):
    """Step by step, weighed by the receiver's own base, or in one go."""
    own = unit(program, code)
    z = torch.tensor(xs, dtype=torch.float64).unsqueeze(1) * code.gain(steps)
    value, counts = own.send(z, code.gain(steps), steps)
    v, received, total = own.primed(own.charge(z, 1.0, steps), steps), 0.0, 0.0
    for t in range(code.digits(steps)):
        spikes, sent, v = own.fire(v, t, steps)
        received, total = received * code.base(steps) + sent, total + spikes.sum(0)
    torch.testing.assert_close(received, value, rtol=1e-12, atol=1e-9)
    assert torch.equal(total, counts)


@given(st.lists(st.integers(-100, 400), min_size=1, max_size=20))
def test_binary_digits_are_the_radix_code_of_a_relu(whole):
    steps, code = 8, CODES[0]
    halves = 2.0 ** -torch.arange(1, steps + 1, dtype=torch.float64)
    program = FewSpike(halves - 2.0**-12, halves, halves, code)  # at the threshold it fires
    x = torch.tensor(whole, dtype=torch.float64) / 256
    theta = torch.tensor(255 / 256, dtype=torch.float64)
    relu = Radix(theta, torch.tensor(2.0**-10, dtype=torch.float64), code)
    assert torch.allclose(program.dual(x, steps), relu.dual(x, steps), atol=1e-12)
