"""RNL's second stage: only the clips move, the loss is the paper's, and a run goes on exactly."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from isospike.activations import ClipQuant
from isospike.data.images import ImageSet
from isospike.errors import UsageError
from isospike.train.loop import Trainer
from isospike.train.rate_inference import RateInference, omega
from isospike.train.run import Run
from isospike.train.settings import Settings
from train.task import task

SETTINGS = Settings(
    activation="rnl", levels=0, epochs=2, lr=0.5, weight_decay=0.0, batch=32, pad=1, flip=False,
    average=0.5, validation=50, rate_loss=0.1,
)  # fmt: skip
DATA = ImageSet("task", "train", *task())


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), ClipQuant(2.0, running_max=True),
        nn.Conv2d(4, 4, 3), ClipQuant(1.0, running_max=True), nn.Flatten(), nn.Linear(64, 2),
    )  # fmt: skip


def clips(model):
    return {name for name, _ in model.named_parameters() if name.endswith(".p")}


def test_omega_is_least_where_every_neuron_fires_at_full_rate():
    assert omega(torch.ones(3, 5)).tolist() == [1.0] * 3
    assert omega(torch.tensor([[0.5, 0.0]])).item() == 2.0
    rates = torch.rand(100, 7, generator=torch.Generator().manual_seed(0))
    assert (omega(rates) >= 1).all()
    assert torch.allclose(omega(rates / 4), 4 * omega(rates))


def test_a_silent_layer_has_no_say():
    rates = torch.zeros(2, 3, requires_grad=True)
    omega(rates).sum().backward()
    assert torch.equal(rates.grad, torch.zeros(2, 3))


@pytest.mark.parametrize("distance", ["cosine", "mse"])
@torch.no_grad()
def test_the_loss_is_that_of_the_equations(distance):
    model, x = net().eval(), task(8)[0].float() / 255
    loss = RateInference(model, 0.3, distance)
    before = model(x)
    model[2].p.fill_(-1.0)
    theta1, theta2 = (m.running_max * torch.sigmoid(m.p) for m in (model[2], model[4]))
    a1 = model[1](model[0](x)).clamp(min=0).minimum(theta1)
    a2 = model[3](a1).clamp(min=0).minimum(theta2)
    y = model[6](a2.flatten(1))
    rates = [(a1 / theta1).flatten(1), (a2 / theta2).flatten(1)]
    slowness = torch.stack([r.sum(1) / r.square().sum(1) for r in rates]).mean()
    apart = {
        "mse": (y - before).square().mean(),
        "cosine": 1 - F.cosine_similarity(y, before).mean(),
    }[distance]
    assert float(loss(model, x)) == pytest.approx(float(apart + 0.3 * slowness), rel=1e-5)


def test_only_the_clips_move_and_rates_grow():
    model = net()
    with torch.no_grad():
        for name in clips(model):
            model.get_parameter(name).fill_(1.0)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    trainer = Trainer(model, *task(), replace(SETTINGS, average=0.0))
    losses = [trainer.epoch(epoch) for epoch in range(2)]
    assert losses[1] < losses[0]
    moved = {name for name, t in model.state_dict().items() if not torch.equal(t, before[name])}
    assert moved == clips(model)
    assert all(model.get_parameter(name) < before[name] for name in moved)


def test_a_run_that_was_cut_off_goes_on_bit_for_bit(tmp_path):
    def go(out, **more):
        return Run(net(), DATA, SETTINGS, out, trained=True, **more).go(resume=True).read_bytes()

    class CutError(Exception):
        pass

    def cut(what, done, total):
        if what.startswith("epoch 2") and done == total // SETTINGS.epochs + 2:
            raise CutError

    whole = go(tmp_path / "whole")
    with pytest.raises(CutError):
        go(tmp_path / "cut", progress=cut)
    assert go(tmp_path / "cut") == whole


def test_going_on_keeps_the_first_stage_s_network():
    first = Trainer(net(), *task(), SETTINGS)
    first.epoch(0)
    again = Trainer(net(), *task(), SETTINGS)
    with torch.no_grad():
        again.rates.first[2].p.fill_(0.0)
    again.load_state({name: t.clone() for name, t in first.state().items()})
    for name, tensor in first.rates.first.state_dict().items():
        assert torch.equal(tensor, again.rates.first.state_dict()[name]), name
    assert not torch.equal(first.plain[2].p, first.rates.first[2].p)


def test_what_makes_no_sense_is_refused(tmp_path):
    with pytest.raises(UsageError, match="second stage"):
        Run(net(), DATA, SETTINGS, tmp_path).go()
    with pytest.raises(UsageError, match="running maximum"):
        RateInference(nn.Sequential(ClipQuant()), 0.1)
    for changes in ({"activation": "nq"}, {"residual": (1,)}):
        with pytest.raises(UsageError, match="belongs to a running maximum"):
            replace(SETTINGS, **changes)
    with pytest.raises(UsageError, match="rate_distance must be one of cosine, mse, got 'l1'"):
        replace(SETTINGS, rate_distance="l1")
