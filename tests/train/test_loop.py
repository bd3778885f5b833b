"""The loop trains, repeats itself bit for bit, and goes on from its state as if never stopped."""

from dataclasses import replace

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import nn

from isospike.activations import ClipQuant
from isospike.data.stored import Stored
from isospike.errors import UsageError
from isospike.train.checkpoint import seeded
from isospike.train.loop import Trainer, accelerate, check_batch
from isospike.train.nq import residual_noise
from isospike.train.settings import Settings
from isospike.train.validate import accuracy
from train.task import net, task

SETTINGS = Settings(
    epochs=6, lr=0.05, batch=32, pad=1, flip=False, average=0.5, activation="qcfs", warmup=0.2
)


def trained(settings: Settings, epochs: int, model: nn.Module | None = None) -> Trainer:
    trainer = Trainer(model or net(), *task(), settings)
    for epoch in range(epochs):
        trainer.epoch(epoch)
    return trainer


def test_numbers_of_a_whole_train_as_their_part_does():
    images, labels = task()
    numbers = torch.randperm(len(images), generator=torch.Generator().manual_seed(3))[:100]
    one = Trainer(net(), images[numbers], labels[numbers], SETTINGS)
    other = Trainer(net(), images, labels, SETTINGS, numbers=numbers)
    assert one.epoch(0) == other.epoch(0)
    for name, tensor in one.state().items():
        assert torch.equal(tensor, other.state()[name]), name


def test_it_learns_and_keeps_the_average():
    trainer = trained(SETTINGS, 6)
    assert accuracy(trainer.kept, *task()) > 0.95
    assert not torch.equal(trainer.kept[0].weight, trainer.plain[0].weight)


def test_the_average_takes_whole_numbers_as_they_are():
    model = net()
    model.register_buffer("index", torch.arange(64))
    trainer = trained(replace(SETTINGS, average=0.998), 6, model)
    assert torch.equal(trainer.kept.index, torch.arange(64))


@pytest.mark.parametrize("changes", [{}, {"residual": (1, 2)}], ids=str)
def test_mixed_precision_learns_too_and_keeps_wide_weights(changes):
    # Accelerate keeps the first precision of a process until its state is dropped.
    AcceleratorState._reset_state()
    try:
        model, seen = net(), set()
        model[0].register_forward_hook(lambda m, args, y: seen.add(y.dtype))
        trainer = Trainer(model, *task(), replace(SETTINGS, **changes), accelerate("bf16"))
        for epoch in range(6):
            trainer.epoch(epoch)
    finally:
        AcceleratorState._reset_state()
    assert torch.bfloat16 in seen
    assert accuracy(trainer.kept, *task()) > 0.95
    assert {t.dtype for t in trainer.plain.parameters()} == {torch.float32}
    wide, x = net().eval(), task()[0][:8] / 255
    for model in (trainer.plain.eval(), trainer.kept):  # they validate and are captured as they are
        wide.load_state_dict(model.state_dict())
        torch.testing.assert_close(model(x), wide(x), rtol=0, atol=0)
        assert residual_noise(model, x, 2).keys() == residual_noise(wide, x, 2).keys()


def test_a_process_trains_in_one_precision():
    AcceleratorState._reset_state()
    try:
        for _ in range(2):
            accelerate("bf16")
        with pytest.raises(UsageError, match="this process has trained in bf16"):
            accelerate("no")
    finally:
        AcceleratorState._reset_state()
    accelerate("no")


@pytest.mark.parametrize(
    "changes",
    [{}, {"average": 0.0}, {"nesterov": False, "cutout": 2, "flip": True}, {"residual": (1, 2)},
     {"momentum": 0.0, "nesterov": False}],
    ids=str,
)  # fmt: skip
def test_a_state_goes_on_bit_for_bit(changes):
    settings = replace(SETTINGS, **changes)
    whole = trained(settings, 3)
    cut = trained(settings, 2)
    again = Trainer(net(), *task(), settings)
    again.load_state({name: t.clone() for name, t in cut.state().items()})
    again.epoch(2)
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, again.state()[name]), name
    assert whole.state().keys() == again.state().keys()


def test_noise_of_any_extent_comes_back():
    model = net()
    model[2].sigma = torch.full((4,), 0.1)
    trainer = Trainer(model, *task(), SETTINGS)
    again = Trainer(net(), *task(), SETTINGS)
    again.load_state(trainer.state())
    assert torch.equal(again.plain[2].sigma, model[2].sigma)


@pytest.mark.parametrize("name", ["seed", "batch", "lr", "label_smoothing", "weight_decay"])
def test_every_setting_counts(name):
    other = replace(SETTINGS, **{name: getattr(SETTINGS, name) * 2 or 1})
    a, b = (trained(each, 1).plain[0].weight for each in (SETTINGS, other))
    assert not torch.equal(a, b)


def test_a_bound_on_the_gradient_bounds_the_first_step():
    moved = []
    for clip in (0.0, 1e-3):
        model = net()
        before = model[4].weight.detach().clone()
        settings = replace(SETTINGS, clip=clip, batch=64, weight_decay=0.0, epochs=1, warmup=0.0)
        trainer = Trainer(model, *task(64), settings)
        trainer.epoch(0)
        moved.append((model[4].weight.detach() - before).abs().max())
    assert moved[1] < 1e-3 < moved[0]


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(UsageError, match="a batch of 512: only 256"):
        Trainer(net(), *task(), replace(SETTINGS, batch=512))


def test_every_epoch_has_an_order_of_its_own(monkeypatch):
    seen = []
    monkeypatch.setattr(Trainer, "step", lambda self, x, y: seen.append(x) or 0.0)
    trainer = Trainer(net(), *task(64), replace(SETTINGS, batch=64, pad=0))
    for epoch in (0, 1, 0):
        trainer.epoch(epoch)
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


def test_a_process_reads_its_share_of_a_batch_and_no_other_image(monkeypatch):
    read, seen, (images, labels) = [], [], task(64)
    stored = Stored(lambda number: read.append(number) or images[number], range(64), (1, 8, 8))
    monkeypatch.setattr(Trainer, "step", lambda self, x, y: seen.append((x, y)) or 0.0)
    changes = replace(SETTINGS, batch=64, flip=True, autoaugment=True, cutout=3)
    trainer = Trainer(net(), stored, labels, changes)
    for trainer.rank, trainer.world in ((0, 1), (0, 2), (1, 2)):
        trainer.epoch(0)
    whole, *shares = seen
    assert (read[64:96], read[96:]) == (read[:64:2], read[1:64:2])
    for rank, share in enumerate(shares):
        for all_of, some in zip(whole, share, strict=True):
            assert torch.equal(all_of[rank::2], some)


def test_seeds_differ_by_every_number():
    found = {seeded(a, b, c) for a in range(12) for b in range(12) for c in range(3)}
    assert len(found) == 12 * 12 * 3


def test_the_residual_of_an_epoch_follows_from_the_seed():
    """Draws of T do not depend on the epochs before."""
    settings = replace(SETTINGS, residual=(1, 2, 4))
    trainer = Trainer(net(), *task(), settings)
    state = {name: t.clone() for name, t in trainer.state().items()}
    trainer.epoch(0)
    trainer.load_state(state)
    trainer.epoch(1)
    fresh = Trainer(net(), *task(), settings)
    fresh.epoch(1)
    assert isinstance(fresh.plain[2], ClipQuant)
    assert torch.equal(trainer.plain[0].weight, fresh.plain[0].weight)


def test_the_scale_of_the_loss_goes_on():
    one, other = (Trainer(net(), *task(), SETTINGS) for _ in range(2))
    for trainer in (one, other):
        trainer.accelerator.scaler = torch.amp.GradScaler("cpu")
    state = {"scale": 512.0, "_growth_tracker": 7}
    one.accelerator.scaler.load_state_dict({**one.accelerator.scaler.state_dict(), **state})
    other.load_state(one.state())
    assert other.accelerator.scaler.state_dict() == one.accelerator.scaler.state_dict()
    assert other.accelerator.scaler.state_dict()["_growth_tracker"] == 7


@pytest.mark.parametrize(
    ("batch", "images", "processes", "message"),
    [
        (512, 256, 2, "a batch of 512: only 256 images train: --set batch=256 or less"),
        (33, 99, 2, "a batch of 33: 2 processes cannot share it evenly: --set batch=32 or less"),
        (9, 5, 2, "evenly; only 5 images train: --set batch=4 or less"),
        (8, 1, 2, "only 1 images train: fewer processes"),
    ],
)
def test_a_batch_that_cannot_be_filled_or_shared_is_told_why(batch, images, processes, message):
    with pytest.raises(UsageError, match=message):
        check_batch(batch, images, processes)
