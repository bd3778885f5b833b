"""The validation images are drawn: every class trains and validates, whatever the order."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.cli import trainee
from isospike.data.images import ImageSet
from isospike.errors import DataError, FormatError
from isospike.train import run
from isospike.train.checkpoint import write_tensors
from isospike.train.settings import Settings
from isospike.train.split import seen_before, split
from train.task import net, task

DATA = ImageSet("task", "train", *task())
# As a folder is listed: 5 classes of 12 images; the first pixel of an image is its number.
SORTED = ImageSet(
    "sorted", "train", torch.arange(60).to(torch.uint8).reshape(60, 1, 1, 1).repeat(1, 1, 8, 8),
    torch.arange(5).repeat_interleave(12),
)  # fmt: skip


def test_every_image_trains_or_validates_and_none_does_both():
    train, kept = split(SORTED, 10)
    assert len(kept) == 10
    assert torch.cat([train, kept]).sort().values.tolist() == list(range(60))
    assert len(split(DATA, 5000)[1]) == 51  # of a small split at most a fifth


def test_of_a_list_by_class_every_class_trains_and_validates():
    for numbers in split(SORTED, 12):
        assert set(SORTED.labels[numbers].tolist()) == set(range(5))


def test_the_split_is_the_same_whatever_was_drawn_before():
    first = split(DATA, 50)[1]
    torch.manual_seed(7)
    assert torch.equal(first, split(DATA, 50)[1])


def test_fewer_that_validate_are_among_more():
    few, many = (set(split(DATA, held)[1].tolist()) for held in (20, 50))
    assert few < many


def test_a_run_trains_on_its_part_without_a_copy_of_it(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(run, "Trainer", lambda *args: made.append(args) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.Run(net(), DATA, Settings(validation=50), tmp_path).go()
    _, images, labels, _, _, numbers = made[0]
    assert images is DATA.images
    assert labels is DATA.labels
    assert torch.equal(numbers, split(DATA, 50)[0])


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
    assert not set(numbers.tolist()) & set(split(SORTED, 12)[1].tolist())


KNOWN = {
    "settings": {"validation": 12}, "split": "drawn", "data": {"name": "sorted", "images": 60},
}  # fmt: skip


def begun(folder, facts, validation=10):
    """From the weights of a network of these facts."""
    init = folder / "first.safetensors"
    write_tensors(init, net().state_dict(), facts)
    return trainee.trainee("net", Settings(validation=validation), SORTED, None, init)[1]


def test_a_chain_of_starts_is_told_at_every_step(tmp_path, monkeypatch):
    monkeypatch.setattr(trainee, "build", lambda facts: net())
    with pytest.warns(UserWarning, match="4 images were kept"):
        facts = begun(tmp_path, {**KNOWN, "settings": {"validation": 4}})
    with pytest.warns(UserWarning, match=r"first.safetensors: 4 images were kept"):
        assert begun(tmp_path, {**KNOWN, "seen": facts["seen"]})["seen"] == facts["seen"]
    assert begun(tmp_path, KNOWN)["seen"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": None}, "other images were kept"),
        ({"settings": {"validation": 4}}, "4 images were kept for validation then, 10 are now"),
        ({"data": {"name": "sorted", "images": 70}}, "sorted had 70 images then, and has 60 now"),
    ],
)
def test_a_start_that_may_have_seen_what_validates_is_told(tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr(trainee, "build", lambda facts: net())
    with pytest.warns(UserWarning, match=rf"first.safetensors: .*{message}"):
        begun(tmp_path, {**KNOWN, **changes})


@pytest.mark.parametrize(
    "facts",
    [
        {},
        KNOWN,
        {**KNOWN, "settings": {"validation": 5000}},
        {**KNOWN, "data": {"name": "other", "images": 70}},
    ],
)
def test_a_start_that_has_not_is_silent(tmp_path, monkeypatch, facts):
    monkeypatch.setattr(trainee, "build", lambda facts: net())
    begun(tmp_path, facts)


@pytest.mark.parametrize("changes", [{"settings": None}, {"data": 3}])
def test_a_start_of_facts_of_another_origin_is_refused(tmp_path, monkeypatch, changes):
    monkeypatch.setattr(trainee, "build", lambda facts: net())
    with pytest.raises(FormatError, match="not the weights of a training run"):
        begun(tmp_path, {**KNOWN, **changes})


@given(st.integers(5, 80), st.integers(1, 80), st.integers(1, 80))
def test_what_is_not_told_of_was_never_seen(n, before, now):
    data = ImageSet("x", "train", torch.zeros(n, 1, 1, 1), torch.arange(n))
    known = {
        "settings": {"validation": before},
        "split": "drawn",
        "data": {"name": "x", "images": n},
    }
    trained, held = split(data, before)[0], split(data, now)[1]
    both = set(trained.tolist()) & set(held.tolist())
    assert bool(both) == (seen_before(known, data, now) is not None)


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
