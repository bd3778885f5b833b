"""The noise of NQ is the gap between the quantised network and its spiking network."""

import pytest
import torch
from torch import nn

import isospike as iso
from isospike.activations import ClipQuant
from isospike.errors import DataError, UsageError
from isospike.train.nq import residual_noise, set_mu, set_sigma
from zoo.tiny import images, settled


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3)
        self.act1, self.act2 = ClipQuant(2.0, levels=4), ClipQuant(1.5, levels=4)
        self.fc = nn.Linear(4 * 4 * 4, 5)

    def forward(self, x):
        return self.fc(self.act2(self.conv2(self.act1(self.conv1(x)))).flatten(1))


@pytest.mark.parametrize("steps", [2, 4])
@torch.no_grad()
def test_sigma_is_the_root_of_the_mean_variance_of_the_gap(steps):
    model, x = settled(Net()), images(20)
    found = residual_noise(model, x, steps, batch=10)
    snn = iso.convert(model, x, steps, "nq")
    variances = {"act1": [], "act2": []}
    for part in x.split(10):
        clean = {"act1": model.act1(model.conv1(part))}
        clean["act2"] = model.act2(model.conv2(clean["act1"]))
        rates = {}

        class Keep:
            def spikes(self, site, start, drive, spikes, state, rates=rates):
                rates[site] = rates.get(site, 0) + spikes.sum(0)

        snn.run(part, [steps], [Keep()])
        for node in snn.program.graph.sites:
            theta = snn.program.units[node.name].theta
            gap = clean[node.path] - rates[node.name] / steps * theta
            variances[node.path].append(gap.var())
    for path, values in variances.items():
        assert found[path][0] == pytest.approx(float(torch.stack(values).mean()) ** 0.5, rel=1e-5)


def test_the_first_layer_has_no_gap_where_the_steps_are_the_levels():
    """Constant drive: IF with v(0) = 1/2 over L steps is QCFS."""
    found = residual_noise(settled(Net()), images(20), 4)
    assert found["act1"][0] < 1e-6
    assert found["act2"][0] > 1e-3


def test_the_noise_reaches_the_modules_and_only_training_feels_it():
    model, x = settled(Net()), images(4)
    clean = model(x)
    set_sigma(model, {"act1": 0.5, "act2": 0.25}, factor=2.0)
    assert model.act1.sigma == 1.0
    assert model.act2.sigma == 0.5
    assert torch.equal(model(x), clean)
    assert not torch.equal(model.train()(x), clean)


@torch.no_grad()
@pytest.mark.parametrize("grain", ["layer", "channel"])
def test_the_mean_is_what_moves_the_activation_onto_the_spikes(grain):
    """Shifted by mu, the mean of the training activation is that of the spiking network."""
    model, x = settled(Net()), images(20)
    before = model.act2(model.conv2(model.act1(model.conv1(x))))
    found = residual_noise(model, x, 2, batch=20, grain=grain)
    mu = found["act2"][1]
    assert mu.shape == (() if grain == "layer" else (4,))
    assert float(mu.abs().max()) > 1e-3
    set_mu(model, {"act2": mu})
    axes = None if grain == "layer" else (0, 2, 3)
    after = model.act2.train()(model.conv2(model.act1(model.conv1(x))))
    assert torch.allclose(after.mean(axes), before.mean(axes) - mu, atol=1e-6)
    snn, rates = iso.convert(model.eval(), x, 2, "nq"), {}

    class Keep:
        def spikes(self, site, start, drive, spikes, state):
            rates[site] = rates.get(site, 0) + spikes.sum(0)

    snn.run(x, [2], [Keep()])
    node = snn.program.graph.sites[1]
    sent = rates[node.name] / 2 * snn.program.units[node.name].theta
    assert torch.allclose(sent.mean(axes), after.mean(axes), atol=1e-5)


@torch.no_grad()
def test_a_clip_that_is_called_twice_has_the_mean_variance_and_mean_of_its_calls():
    model = Net()
    model.act2 = model.act1
    found = residual_noise(settled(model), images(20), 2)
    (one, first), (two, second) = found.values()
    assert one != pytest.approx(float(two), rel=0.1)
    for order in (dict, lambda pairs: dict(reversed(list(pairs)))):
        set_sigma(model, order((path, sigma) for path, (sigma, _) in found.items()), 2.0)
        set_mu(model, order((path, mu) for path, (_, mu) in found.items()))
        assert model.act1.sigma == pytest.approx(2 * float((one**2 + two**2) / 2) ** 0.5)
        assert model.act1.mu == pytest.approx(float(first + second) / 2)


def test_calls_of_different_channels_cannot_share_a_noise_of_each():
    parts = {"act1": torch.ones(3), "act1@1": torch.ones(4), "act2": torch.ones(4)}
    for write in (set_sigma, set_mu):
        with pytest.raises(UsageError, match=r"^act1, act1@1: .*noise_grain=layer"):
            write(Net(), parts)


def test_a_shift_alone_is_felt_in_training_alone():
    model, x = settled(Net()), images(4)
    clean = model(x)
    set_mu(model, {"act2": torch.tensor([0.5, -0.25, 0.0, 0.0])})
    assert torch.equal(model(x), clean)
    model.train()
    a = model.conv2(model.act1(model.conv1(x)))
    shift = model.act2.eval()(a) - model.act2.train()(a)
    assert torch.allclose(shift.mean((0, 2, 3)), model.act2.mu, atol=1e-6)


@pytest.mark.parametrize("grain", ["layer", "channel"])
def test_a_last_batch_of_one_image_leaves_no_hole(grain):
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(128, 6), ClipQuant(1.0, 4), nn.Linear(6, 4),
                                  ClipQuant(1.0, 4), nn.Linear(4, 3)))  # fmt: skip
    sigma = residual_noise(model, images(101), 3, grain=grain)["4"][0]
    whole = residual_noise(model, images(101), 3, batch=101, grain=grain)["4"][0]
    assert bool(sigma.isfinite().all())
    assert torch.equal(sigma, whole)
    if grain == "channel":
        with pytest.raises(DataError, match="at 2, 4"):
            residual_noise(model, images(1), 3, grain=grain)
