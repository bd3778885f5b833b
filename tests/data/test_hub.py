"""`hub:` from end to end, without a network: columns, splits, sizes, and the ways to be wrong."""

import sys
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isospike.data.spec import load
from isospike.errors import DataError, UsageError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (5, 6, 4, 3), np.uint8)
GREY = RNG.integers(0, 256, (5, 6, 4), np.uint8)


@pytest.fixture
def save(tmp_path, library):
    """Writes splits to disk and gives their spec."""

    def saved(parquet=False, **splits):
        folder = tmp_path / "saved"
        if parquet:
            (folder / "data").mkdir(parents=True)
            for name, part in splits.items():
                part.to_parquet(str(folder / f"data/{name}-00000-of-00001.parquet"))
        else:
            library.DatasetDict(splits).save_to_disk(folder)
        return f"hub:{folder}"

    return saved


@pytest.mark.parametrize("parquet", [False, True])
def test_every_pixel_and_label_is_in_its_place(save, make, parquet):
    spec = save(parquet, train=make(COLOUR), test=make(COLOUR[:2], label=[3, 1]))
    train, test = load(spec, "train", (3, 6, 4)), load(spec, "test")
    assert (train.name, train.split, train.images.dtype) == (spec, "train", torch.uint8)
    assert np.array_equal(train.images, COLOUR.transpose(0, 3, 1, 2))
    assert train.labels.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(test.images, COLOUR[:2].transpose(0, 3, 1, 2))
    assert test.labels.tolist() == [3, 1]


@pytest.mark.parametrize("name", ["validation", "valid", "val"])
@pytest.mark.parametrize("missing", [-1, None])
def test_validation_serves_where_test_has_no_labels(save, make, name, missing):
    unlabelled = make(GREY, label=[missing] * 5)
    spec = save(train=make(GREY), test=unlabelled, **{name: make(GREY, label=[4] * 5)})
    assert load(spec, "test").labels.tolist() == [4] * 5


def test_the_test_split_is_taken_where_it_has_labels(save, make):
    spec = save(test=make(GREY), validation=make(GREY, label=[4] * 5))
    assert load(spec, "test").labels.tolist() == [0, 1, 2, 3, 4]


def test_grey_images_keep_one_channel(save, make):
    assert np.array_equal(load(save(train=make(GREY)), "train").images, GREY[:, None])


def test_missing_splits_and_missing_labels_are_told(save, make):
    spec = save(test=make(GREY, label=[-1] * 5), extra=make(GREY))
    with pytest.raises(DataError, match=r"no labelled image in test\. Give"):
        load(spec, "test")
    with pytest.raises(DataError, match=r"no train split.*--calibration SPEC"):
        load(spec, "train")


def test_some_missing_labels_are_refused(save, make):
    with pytest.raises(DataError, match="label -1 is below 0"):
        load(save(test=make(GREY, label=[0, None, 1, 2, 3])), "test")


# --- sizes ----------------------------------------------------------------------------------


def test_images_of_several_sizes_need_a_size_and_get_it(save, make):
    images = [RNG.integers(0, 256, shape, np.uint8) for shape in ((4, 8, 3), (9, 4, 3), (4, 4, 3))]
    spec = save(test=make(images))
    with pytest.raises(
        DataError, match=r"2 of 3 .*first \(8x4\): image 1 is 4x9, .*Add @SIZE .*@224"
    ):
        load(spec, "test")
    cut = load(f"{spec}@4", "test").images
    assert np.array_equal(cut[0], images[0][:, 2:6].transpose(2, 0, 1))
    assert np.array_equal(cut[2], images[2].transpose(2, 0, 1))
    assert load(f"{spec}@7", "test").images.shape == (3, 3, 7, 7)
    middle = load(f"{spec}@2/4", "test").images
    assert np.array_equal(middle[2], images[2][1:3, 1:3].transpose(2, 0, 1))


def test_images_of_one_size_stay_without_a_size_and_are_cut_with_one(save, make):
    spec = save(test=make(GREY))
    assert load(spec, "test").images.shape == (5, 1, 6, 4)
    assert np.array_equal(load(f"{spec}@4", "test").images[:, 0], GREY[:, 1:5])


@pytest.mark.parametrize("size", ["0", "9/8"])
def test_a_size_that_cannot_be_is_a_usage_error(tmp_path, size):
    with pytest.raises(UsageError, match="of a short side of"):
        load(f"hub:{tmp_path}@{size}", "test")


def test_a_folder_whose_name_ends_like_a_size_is_a_folder(save, make, tmp_path):
    save(test=make(GREY))
    (tmp_path / "saved").rename(tmp_path / "saved@3")
    assert load(f"hub:{tmp_path / 'saved@3'}", "test").images.shape == (5, 1, 6, 4)
    assert load(f"hub:{tmp_path / 'saved@3'}@2", "test").images.shape == (5, 1, 2, 2)


# --- names --------------------------------------------------------------------------------


def test_a_known_name_is_the_hubs_repository(save, make, monkeypatch):
    spec = save(True, train=make(GREY))
    monkeypatch.setitem(_repositories(), "cifar10", spec.removeprefix("hub:"))
    assert np.array_equal(load("hub:cifar10", "train").images, GREY[:, None])
    assert load("hub:cifar10@3", "train").images.shape == (5, 1, 3, 3)


def _repositories():
    from isospike.data import hub

    return hub._REPOSITORIES


UNKNOWN = {
    "cifar": "Did you mean hub:cifar10",
    "fashion_mnist": "Did you mean hub:fashion-mnist",
    "cifar10@x": "known: cifar10, cifar100, fashion-mnist, imagenet-1k, tiny-imagenet, OWNER/NAME",
}


@pytest.mark.parametrize(("name", "message"), UNKNOWN.items(), ids=UNKNOWN)
def test_an_unknown_name_lists_the_known_and_the_nearest(name, message):
    with pytest.raises(UsageError, match=message):
        load(f"hub:{name}", "test")


def test_places_that_do_not_exist(tmp_path, library):
    for name in (f"{tmp_path}/nowhere", "../nowhere", "a/b/nowhere"):
        with pytest.raises(DataError, match="nowhere: no such folder"):
            load(f"hub:{name}", "test")
    with pytest.raises(DataError, match="owner/nowhere: cannot be read"):
        load("hub:owner/nowhere", "test")


def test_without_the_extra_the_way_to_get_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    for spec in (f"hub:{tmp_path}", "hub:cifar10", "hub:owner/name"):
        with pytest.raises(DataError, match=r"pip install isospike\[hub\]"):
            load(spec, "test")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    cut=st.integers(0, 3000),
    flips=st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 255)), max_size=3),
)
@pytest.mark.parametrize("parquet", [False, True])
def test_damaged_files_raise_nothing_but_data_errors(
    tmp_path, save, make, damaged, parquet, cut, flips
):
    if not (tmp_path / "saved").exists():
        save(parquet, test=make(GREY[:2]))
    place = tmp_path / "saved"
    path = next(p for p in place.rglob("*") if p.suffix in (".arrow", ".parquet"))
    with damaged(path, cut, flips), suppress(DataError):
        assert load(f"hub:{place}", "test").images.dtype == torch.uint8
