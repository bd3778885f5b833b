"""The scan with a surrogate gradient against autograd through a plain loop of the same surrogate."""

import pytest
import torch

from isospike.engine import native
from isospike.tune.surrogate import KINDS, NATIVE, Dynamics, Surrogate, fire, native_forward
from isospike.units.binary import IF

SHAPE = (3, 4, 2, 5, 3)  # T, B, C, H, W


class Spike(torch.autograd.Function):
    """H(u - 1) of the last of the membranes u [t, ...] so far, with the slope of a surrogate."""

    @staticmethod
    def forward(ctx, u, past, surrogate):
        ctx.save_for_backward(surrogate.slope(torch.stack([*past, u]))[-1])
        return (u >= 1).to(u.dtype)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0], None, None


def loop(z, theta, v0, bias, leak, dynamics):
    v, out, past = v0.expand(z.shape[1:]), [], []
    for t in range(dynamics.steps):
        b = bias[t] if bias.dim() == 4 else bias
        u = leak * v + (z[min(t, len(z) - 1)] + b) / theta
        s = Spike.apply(u, tuple(past), dynamics.surrogate)
        past.append(u.detach())
        v = u * (1 - s) if dynamics.hard else u - s
        out.append(s * theta)
    return torch.stack(out)


def leaves(still=False, per_step=False, dtype=torch.float64, seed=0):
    random = torch.Generator().manual_seed(seed)
    t, b, c, h, w = SHAPE

    def draw(*shape):
        return torch.rand(shape, generator=random, dtype=torch.float64).to(dtype)

    found = [
        draw(1 if still else t, b, c, h, w) * 1.5 - 0.3, draw(c, 1, 1) + 0.5, draw(c, 1, 1),
        draw(*((t,) if per_step else ()), c, 1, 1) / 4, draw() / 2 + 0.5,
    ]  # fmt: skip
    return [x.requires_grad_() for x in found]


def gradients(out, inputs, weight):
    return torch.autograd.grad((out * weight).sum(), inputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize("per_step", [False, True])
def test_the_gradient_is_that_of_the_loop(kind, hard, still, per_step):
    inputs = leaves(still, per_step)
    dynamics = Dynamics(SHAPE[0], hard, Surrogate(kind, 1.3))
    weight = torch.randn(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = loop(*inputs, dynamics)
    out, rate = fire(*inputs, dynamics)
    assert torch.equal(out, expected)
    assert 0 < (out > 0).double().mean() < 1
    torch.testing.assert_close(rate, expected.mean(0))
    for got, wanted in zip(
        gradients(out, inputs, weight), gradients(expected, inputs, weight), strict=True
    ):
        torch.testing.assert_close(got, wanted)


def test_the_mean_has_a_gradient_of_its_own():
    inputs, dynamics = leaves(), Dynamics(SHAPE[0])
    weight = torch.randn(SHAPE[1:], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rate = fire(*inputs, dynamics)[1]
    wanted = gradients(loop(*inputs, dynamics).mean(0), inputs, weight)
    for got, expected in zip(gradients(rate, inputs, weight), wanted, strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.skipif(not native.ENABLED, reason="built without a compiler")
@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_native_is_plain(kind, hard, channels_last, monkeypatch):
    inputs = leaves(per_step=True, dtype=torch.float32)
    if channels_last:
        z = inputs[0].detach().flatten(0, 1).contiguous(memory_format=torch.channels_last)
        inputs[0] = z.reshape(SHAPE).requires_grad_()
        assert not inputs[0].is_contiguous()
    dynamics = Dynamics(SHAPE[0], hard, Surrogate(kind))
    weight = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    fast = fire(*inputs, dynamics)[0]
    quick = gradients(fast, inputs, weight)
    monkeypatch.setattr(native, "ENABLED", False)
    plain = fire(*inputs, dynamics)[0]
    assert torch.equal(fast, plain)
    for got, wanted in zip(quick, gradients(plain, inputs, weight), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not native.ENABLED, reason="built without a compiler")
@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_narrow_drives_are_wide_ones_rounded(still, channels_last):
    """bfloat16 in and out, everything between in float32."""
    inputs = leaves(still, dtype=torch.float32)
    z = inputs[0].detach().bfloat16()
    if channels_last:
        z = z.flatten(0, 1).contiguous(memory_format=torch.channels_last).reshape(z.shape)
    dynamics = Dynamics(SHAPE[0])
    narrow = [z.requires_grad_(), *inputs[1:]]
    wide = [z.detach().float().requires_grad_(), *inputs[1:]]
    out, rate = fire(*narrow, dynamics)
    expected, wide_rate = fire(*wide, dynamics)
    assert out.dtype == (torch.float32 if still else torch.bfloat16)
    assert torch.equal(out, expected.to(out.dtype))
    assert rate.dtype == torch.float32
    torch.testing.assert_close(rate, wide_rate, rtol=1e-2, atol=0)
    weight = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)).bfloat16().float()
    (gz, *others), (wide_gz, *wanted) = (
        gradients(y.float(), leaf, weight) for y, leaf in ((out, narrow), (expected, wide))
    )
    assert gz.dtype == torch.bfloat16
    assert torch.equal(gz, wide_gz.bfloat16())
    torch.testing.assert_close(others, wanted)


@pytest.mark.skipif(not native.ENABLED, reason="built without a compiler")
@pytest.mark.parametrize(
    "value", [1.0, 1.00390625, 1.01171875, -3e38, 1e-40, float("inf"), float("nan")]
)
def test_rounding_is_that_of_torch(value):
    z = torch.full((1, 1, 4), value).bfloat16()
    numbers = (torch.full((4,), abs(value)), torch.ones(4), torch.zeros(1, 4))
    out, _ = native_forward(z, *numbers, 1.0, Dynamics(1))
    fires = z.float() / numbers[0] + 1 >= 1
    torch.testing.assert_close(
        out, torch.where(fires, numbers[0], 0.0).bfloat16(), rtol=0, atol=0, equal_nan=True
    )


@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_the_spikes_are_those_of_the_neuron(reset):
    z, theta, v0, bias, _ = (x.detach() for x in leaves(dtype=torch.float32))
    spikes = IF(theta, v0, bias, reset=reset).scan(z, None)[0] * theta
    out = fire(z, theta, v0, bias, torch.ones(()), Dynamics(SHAPE[0], reset == "hard"))[0]
    assert torch.equal(out, spikes)


@pytest.mark.parametrize("kind", NATIVE)
def test_the_slope_of_a_surrogate_is_a_density(kind):
    u = torch.linspace(-2000, 2002, 4_004_001, dtype=torch.float64)
    area = float(Surrogate(kind, 0.7).slope(u).sum() * (u[1] - u[0]))
    assert area == pytest.approx(1, abs=2e-3)


def test_the_slope_forgets_old_spikes_slowly():
    u = torch.tensor([[0.5], [1.5], [0.5], [0.0], [2.0], [1.0]])
    last, expected = -1000, []  # the authors' loop, with t from 0
    for t, each in enumerate(u):
        expected.append(0.3 * torch.exp(torch.tensor(-1.0 * (t - 1 - last))) ** 0.01)
        last = t - 1 if each >= 1 else last
    torch.testing.assert_close(Surrogate("spike-time").slope(u)[:, 0], torch.stack(expected))
