"""The compiled activation of training against plain torch: values, gradients, memory orders."""

import pytest
import torch

from common.threads import with_threads
from isospike import clip_quant as plain
from isospike.engine import native
from isospike.engine.native import clip

pytestmark = pytest.mark.skipif(not native.ENABLED, reason="built without a compiler")

ORDERS = [torch.contiguous_format, torch.channels_last]
SETTINGS = [(0, 0.0, 0.0), (4, 0.5, 0.0), (3, 0.0, 0.0), (16, 0.5, 0.5), (0, 0.5, 0.5)]


def values(order=torch.contiguous_format, dtype=torch.float32) -> torch.Tensor:
    torch.manual_seed(0)
    z = torch.randn(9, 5, 7, 13)  # blocks and lanes are not filled
    z[0, 0, 0, :3] = torch.tensor([0.0, 1.3, 1.3000001])
    return z.to(dtype).contiguous(memory_format=order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("levels", "shift", "slip"), SETTINGS)
def test_values_are_those_of_plain_torch(order, levels, shift, slip):
    z, theta = values(order), torch.tensor(1.3)
    assert clip.serves(theta, z)
    found = torch.ops.isospike.clip_quant(z, theta, levels, shift, slip)
    expected = plain.clip_quant(z, theta, levels, shift, slip)
    assert found.stride() == z.stride()
    if levels and slip:
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-7)
    else:
        assert torch.equal(found, expected)


@pytest.mark.parametrize("order", ORDERS)
def test_gradients_are_those_of_plain_torch(order):
    z, theta = values(order), torch.tensor(1.3)
    out = plain.clip_quant(z, theta, 4, 0.5)
    assert clip.serves(theta, z, out)
    for grad in (torch.randn_like(z), torch.ones(1).expand(z.shape)):
        found = torch.ops.isospike.clip_quant_backward(grad, z, theta, out)
        expected = plain.gradient(grad, z, theta, out)
        assert torch.equal(found[0], expected[0])
        torch.testing.assert_close(found[1], expected[1], rtol=1e-5, atol=1e-5)


def test_bfloat16_is_rounded_once():
    z, theta = values(dtype=torch.bfloat16), torch.tensor(1.25, dtype=torch.bfloat16)
    found = torch.ops.isospike.clip_quant(z, theta, 4, 0.5)
    assert torch.equal(found, plain.clip_quant(z.float(), theta.float(), 4, 0.5).bfloat16())
    grad = torch.randn_like(z)
    gz, slope = torch.ops.isospike.clip_quant_backward(grad, z, theta, found)
    wide = plain.gradient(grad.float(), z.float(), theta.float(), found.float())
    assert torch.equal(gz.float(), wide[0])
    torch.testing.assert_close(slope, wide[1].bfloat16(), rtol=1e-2, atol=1e-2)


def test_the_gradient_of_theta_is_the_same_whatever_the_threads():
    z, theta = torch.randn(50_001), torch.tensor(1.0)
    grad, a = torch.randn_like(z), z.clamp(0, 1)
    found = [with_threads(n, lambda: clip.backward(grad, z, theta, a)[1]) for n in (1, 2, 3)]
    assert found[0] == found[1] == found[2]


def test_what_has_no_kernel_is_plain_torch():
    z = values()
    for x, theta in (
        (z.double(), torch.tensor(1.3).double()),
        (z, torch.rand(5, 1, 1) + 0.5),
        (z[:, ::2], torch.tensor(1.3)),
        (z, torch.tensor([1.3])),
    ):
        assert not clip.serves(theta, x)
        found = torch.ops.isospike.clip_quant(x, theta, 4, 0.5)
        assert torch.equal(found, plain.clip_quant(x, theta, 4, 0.5))


def test_what_is_not_a_number_stays_none():
    z = torch.tensor([float("nan"), float("inf"), -float("inf")])
    found = torch.ops.isospike.clip_quant(z, torch.tensor(2.0), 4, 0.5)
    assert found[0].isnan()
    assert found[1:].tolist() == [2.0, 0.0]


def test_a_gradient_of_the_gradient():
    z = torch.linspace(0.1, 0.9, 4, requires_grad=True)
    theta = torch.tensor(1.0, requires_grad=True)
    a = torch.ops.isospike.clip_quant(z, theta, 0, 0.0)
    (first,) = torch.autograd.grad(a.square().sum(), z, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), z)
    torch.testing.assert_close(second, torch.full((4,), 2.0))


def test_a_clip_of_nothing_and_sums_without_bound_are_as_in_plain_torch():
    z, grad = torch.tensor([1.0, 2.0]), torch.full((2,), 3e38)
    for theta, out in (
        (torch.tensor(0.0), torch.zeros(2)),
        (torch.tensor(1.5), torch.full((2,), 2.0)),
    ):
        found = torch.ops.isospike.clip_quant_backward(grad, z, theta, out)
        expected = plain.gradient(grad, z, theta, out)
        assert torch.equal(found[0], expected[0])
        torch.testing.assert_close(found[1], expected[1], equal_nan=True)


def test_no_values_are_no_work():
    z = torch.empty(0, 3, 5, 7)
    assert torch.ops.isospike.clip_quant(z, torch.tensor(1.0), 4, 0.5).shape == z.shape
    _, slope = torch.ops.isospike.clip_quant_backward(z, z, torch.tensor(1.0), z)
    assert float(slope) == 0


@pytest.mark.parametrize("grad_order", ORDERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_operators_are_what_torch_asks_of_operators(grad_order, dtype):
    """Also without a kernel (float64): shapes, memory orders, gradients, nothing written to."""
    z, theta = torch.randn(2, 3, 4, 5, dtype=dtype), torch.tensor(1.0, dtype=dtype)
    grad = torch.randn_like(z).contiguous(memory_format=grad_order)
    out = plain.clip_quant(z, theta, 4, 0.5)
    ops, fake = torch.ops.isospike, ("test_schema", "test_faketensor")
    own = (z.clone().requires_grad_(), theta.clone().requires_grad_(), 4, 0.5)
    torch.library.opcheck(ops.clip_quant.default, own)
    torch.library.opcheck(ops.clip_quant_backward.default, (grad, z, theta, out), test_utils=fake)
    torch.library.opcheck(ops.normal_like.default, (grad,), test_utils=fake)
