"""The forward pass is the spiking network's, the backward pass the activation's."""

import pytest
import torch
from torch import nn

import isospike as iso
from isospike.activations import ClipQuant
from isospike.engine import native
from isospike.train.residual import ResidualForward, integrate_and_fire, refuse_pools
from isospike.units.binary import IF
from zoo.tiny import Plain, images, settled


class Net(nn.Module):
    """A shortcut, batch norm, and one activation that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.act, self.twice = ClipQuant(2.0, levels=4), ClipQuant(1.0, levels=4)
        self.fc = nn.Linear(4 * 8 * 8, 5)

    def forward(self, x):
        x = self.twice(self.conv1(x))
        y = self.act(self.bn(self.conv2(x)))
        return self.fc(self.twice(x + y).flatten(1))


def net() -> Net:
    return settled(Net())


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_the_logits_are_those_of_the_converted_network(steps):
    model, x = net(), images(6)
    found = ResidualForward((steps,))(model, x)
    expected = iso.convert(model, x, steps, "nq")(x)
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found, model(x), atol=1e-3)  # the residual is there


def test_behind_max_pooling_they_are_at_one_step_alone():
    model, x = settled(iso.prepare(Plain(pool=nn.MaxPool2d(2)), "nq", theta=0.5)), images(6)
    program = iso.convert(model, x, 1, "nq").program
    for steps, equal in ((1, True), (4, False)):
        found = ResidualForward((steps,))(model, x)
        assert torch.allclose(found, iso.convert(model, x, steps, "nq")(x), atol=1e-5) == equal
    refuse_pools(program, (0, 1))
    with pytest.raises(iso.UsageError, match=r"max-pooling .pool.*pool=average"):
        refuse_pools(program, (1, 2))


def test_no_steps_stand_for_the_clean_network():
    model, x = net(), images(6)
    found = ResidualForward((0,))(model, x)
    assert torch.equal(found, model.eval()(x))
    found.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_membrane_of_mixed_precision_is_float32():
    z = torch.rand(64, 3, 500).to(torch.bfloat16)
    theta = torch.tensor(1.5)
    spikes, rate = integrate_and_fire(z, theta)
    assert spikes.dtype == rate.dtype == z.dtype
    wide, mean = integrate_and_fire(z.float(), theta)
    assert torch.equal(spikes.float(), wide)
    assert torch.equal(rate, mean.to(rate.dtype))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_the_kernel_fires_as_plain_torch_does(monkeypatch, order):
    z = torch.randn(5 * 6, 3, 7, 9).contiguous(memory_format=order).unflatten(0, (5, 6))
    theta = torch.tensor(0.7)
    for x in (z, z.bfloat16(), z.transpose(0, 1)):  # the last has no kernel
        found = []
        for enabled in (True, False):
            monkeypatch.setattr(native, "ENABLED", enabled and native.kernels is not None)
            found.append(integrate_and_fire(x, theta, 0.25))
        (trains, rate), (expected, mean) = found
        assert torch.equal(trains, expected)
        assert torch.equal(rate, mean)
        torch.testing.assert_close(rate.float(), trains.float().mean(0), rtol=1e-2, atol=1e-2)


def test_it_fires_as_the_neurons_of_the_engine_do():
    """Also where a membrane meets its threshold exactly."""
    theta = torch.tensor(1.3)
    z = torch.arange(-8, 24).repeat(8, 1) * theta / 8
    trains, rate = integrate_and_fire(z, theta)
    spikes, _ = IF(theta, v0=torch.tensor(0.5)).scan(z, None)
    assert torch.equal(trains, spikes * theta)
    torch.testing.assert_close(rate, spikes.mean(0) * theta)


def test_the_gradient_is_that_of_the_clean_activation():
    """Of the last layers: those before them see other values, as they should."""
    model, x = net(), images(6)
    ResidualForward((2,))(model, x).sum().backward()
    moved = model.fc.bias.grad.clone()
    model.zero_grad()
    model(x).sum().backward()
    assert torch.equal(moved, model.fc.bias.grad)
    a = torch.linspace(-1, 3, 9, requires_grad=True)
    one = nn.Sequential(ClipQuant(2.0, levels=4))
    ResidualForward((3,))(one, a[:, None]).sum().backward()
    inside = (a > 0) & (a < 2)
    assert torch.equal(a.grad, inside.to(a.dtype))


def test_every_weight_learns_and_every_forward_is_its_own_again():
    model, x = net(), images(6)
    ResidualForward((1, 2, 4))(model, x).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert not any("forward" in vars(module) for module in model.modules())


def test_the_steps_are_drawn_from_the_seed():
    model, x = net(), images(2)
    runs = []
    for seed in (0, 0, 1):
        forward = ResidualForward((1, 2, 4, 8), seed)
        runs.append(torch.stack([forward(model, x) for _ in range(8)]))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_an_error_leaves_the_model_and_the_next_batch_as_they_were():
    model, forward = net(), ResidualForward((2,))
    model.act.forward = own = model.act.forward  # of whoever set it before
    expected = forward(model, images(6))
    broken, model.fc = model.fc, nn.Linear(3, 5)
    with pytest.raises(RuntimeError):
        forward(model, images(2))
    model.fc = broken
    assert torch.equal(forward(model, images(6)), expected)
    assert [m for m in model.modules() if "forward" in vars(m)] == [model.act]
    assert model.act.forward is own
