"""The validation images are drawn: every class trains and validates, whatever the order."""

import pytest
import torch

from isospike.cli import trainee
from isospike.data.images import ImageSet
from isospike.errors import DataError
from isospike.train.checkpoint import write_tensors
from isospike.train.settings import Settings
from isospike.train.split import split
from train.task import net, task

DATA = ImageSet("task", "train", *task())
# As a folder is listed: 5 classes of 12 images; the first pixel of an image is its number.
SORTED = ImageSet(
    "sorted", "train", torch.arange(60).to(torch.uint8).reshape(60, 1, 1, 1).repeat(1, 1, 8, 8),
    torch.arange(5).repeat_interleave(12),
)  # fmt: skip


def test_every_image_trains_or_validates_and_none_does_both():
    (train, labels), (held, kept) = split(SORTED, 10)
    numbers = torch.cat([train, held])[:, 0, 0, 0].long()
    assert len(held) == len(kept) == 10
    assert numbers.sort().values.tolist() == list(range(60))
    assert torch.equal(torch.cat([labels, kept]), SORTED.labels[numbers])
    assert len(split(DATA, 5000)[1][0]) == 51  # of a small split at most a fifth


def test_of_a_list_by_class_every_class_trains_and_validates():
    for _, labels in split(SORTED, 12):
        assert set(labels.tolist()) == set(range(5))


def test_the_split_is_the_same_whatever_was_drawn_before():
    first = split(DATA, 50)[1][0]
    torch.manual_seed(7)
    assert torch.equal(first, split(DATA, 50)[1][0])


def test_clips_are_started_on_images_that_train_of_every_class(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(trainee, "START_IMAGES", 30)
    monkeypatch.setattr(trainee, "start_thetas", lambda model, images: seen.append(images))
    monkeypatch.setattr(trainee, "build", lambda facts: net())
    model = {n: t for n, t in net().state_dict().items() if not n.startswith("2.")}
    write_tensors(tmp_path / "relu.safetensors", model, {})
    settings = Settings(validation=12)
    trainee.trainee("net", settings, SORTED, None, tmp_path / "relu.safetensors")
    numbers = (seen[0][:, 0, 0, 0] * 255).round().long()
    assert len(numbers) == 30
    assert set(SORTED.labels[numbers].tolist()) == set(range(5))
    held = split(SORTED, 12)[1][0][:, 0, 0, 0].long()
    assert not set(numbers.tolist()) & set(held.tolist())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ImageSet("task", "test", *task()), "never trains"),
        (ImageSet("task", "train", task()[0]), "no labels"),
        (ImageSet("task", "train", *task(4)), "too few"),
    ],
)
def test_images_that_cannot_train_are_refused(data, message):
    with pytest.raises(DataError, match=message):
        split(data, 50)
