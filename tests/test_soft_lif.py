"""The soft LIF rate against its equations: values, gradients, limits, capture, training."""

import math

import pytest
import torch

import isospike as iso
from isospike.activations import SoftLIF
from isospike.soft_lif import TAU_RC, TAU_REF, soft_lif
from isospike.train.validate import spiking
from zoo.tiny import Plain, images

Z = torch.linspace(-3, 40, 501, dtype=torch.float64)
THETA = torch.tensor(8.0, dtype=torch.float64)


def equation(z: float, theta: float, gamma: float) -> float:
    j = z * TAU_RC / (theta * TAU_REF) - 1
    rho = gamma * math.log1p(math.exp(j / gamma))
    return theta * TAU_REF / (TAU_REF + TAU_RC * math.log1p(1 / rho))


@pytest.mark.parametrize("gamma", [0.05, 0.2, 1.0])
def test_values(gamma):
    expected = torch.tensor([equation(float(z), 8.0, gamma) for z in Z], dtype=torch.float64)
    torch.testing.assert_close(soft_lif(Z, THETA, gamma), expected, rtol=1e-6, atol=1e-9)


def test_it_is_finite_everywhere_and_rises_to_theta():
    z = torch.cat([-torch.logspace(8, -8, 200), torch.logspace(-8, 8, 200)])
    a = soft_lif(z, torch.tensor(8.0), 0.02)
    assert a.isfinite().all()
    assert (a.diff() >= 0).all()
    assert 0 <= a[0] <= 1e-4
    assert a[-1] == pytest.approx(8.0, rel=1e-3)


def test_a_small_gamma_gives_the_rate_of_the_leaky_neuron():
    j = Z * TAU_RC / (8.0 * TAU_REF)
    above = j > 1.05
    rate = 8.0 * TAU_REF / (TAU_REF + TAU_RC * torch.log1p(1 / (j[above] - 1)))
    torch.testing.assert_close(soft_lif(Z, THETA, 1e-4)[above], rate, rtol=1e-6, atol=0)
    assert (soft_lif(Z, THETA, 1e-4)[j < 0.95] < 0.01).all()


def test_gradients():
    z = torch.linspace(-4, 30, 60, dtype=torch.float64).reshape(3, 20, 1).requires_grad_()
    theta = torch.tensor([2.0, 8.0, 20.0], dtype=torch.float64).reshape(3, 1, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda *t: torch.ops.isospike.soft_lif(*t, 0.05), (z, theta))
    deep = torch.tensor([-1e6, -50.0], requires_grad=True)
    torch.ops.isospike.soft_lif(deep, torch.tensor(8.0), 0.02).sum().backward()
    assert deep.grad.isfinite().all()


def test_the_module_adds_noise_in_training_alone():
    act, z = SoftLIF(theta=4.0, sigma=0.1), torch.full((20_000,), 3.0)
    still = act.eval()(z)
    assert torch.equal(still, soft_lif(z, torch.tensor(4.0)))
    noise = (act.train()(z) - still).detach()
    assert float(noise.std()) == pytest.approx(0.4, rel=0.05)
    with pytest.raises(ValueError, match="gamma must be positive"):
        SoftLIF(gamma=0.0)


def test_a_prepared_network_is_captured_and_converted():
    model = iso.prepare(Plain().eval(), "soft-lif", theta=3.0)
    network = iso.convert(model, images(20), steps=400, recipe="hunsberger")
    assert {n.op for n in network.program.graph.sites} == {"soft_lif"}
    exact = model(images(4)).detach()
    error = (network(images(4)) - exact).norm() / exact.norm()
    assert error < 0.25
    assert spiking(model, images(4)) is None


def test_leaky_neurons_follow_no_other_activation():
    with pytest.raises(iso.UsageError, match="train with activation soft-lif"):
        iso.convert(Plain().eval(), images(4), steps=4, recipe="hunsberger")
