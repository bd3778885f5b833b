"""CIFAR's binary files: small ones of the published layout, cut ones, and the pickled version."""

import gzip
import pickle
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.data.cifar import load_cifar10, load_cifar100
from isospike.data.spec import load
from isospike.errors import DataError

RNG = np.random.default_rng(0)
TRAIN = [f"data_batch_{n}" for n in range(1, 6)]


def records(labels, pixels=None):
    """Records of label bytes [N, L] and pixels [N, 3072]."""
    labels = np.array(labels, np.uint8).reshape(len(labels), -1)
    pixels = RNG.integers(0, 256, (len(labels), 3072)) if pixels is None else pixels
    return np.concatenate([labels, pixels.astype(np.uint8)], 1).tobytes()


def write(folder, name, content, ending=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.bin{ending}").write_bytes(gzip.compress(content) if ending else content)


@pytest.fixture
def ten(tmp_path):
    """Batch n of the training split has n images of label n; the test split has labels 7, 0."""
    folder = tmp_path / "cifar-10-batches-bin"
    for n, name in enumerate(TRAIN, 1):
        write(folder, name, records([n] * n))
    write(folder, "test_batch", records([7, 0]))
    return folder


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    ("kind", "name", "labels", "wanted"),
    [
        ("cifar10", "cifar-10-batches-bin/test_batch", [3, 9], [3, 9]),
        ("cifar100", "cifar-100-binary/test", [[19, 99], [0, 42]], [99, 42]),
    ],
)
def test_every_pixel_and_label_is_in_its_place(tmp_path, kind, name, labels, wanted, ending):
    planes = RNG.integers(0, 256, (2, 3, 32, 32))
    folder = (tmp_path / name).parent
    write(folder, (tmp_path / name).name, records(labels, planes.reshape(2, -1)), ending)
    for place in (tmp_path, folder):
        data = load(f"{kind}:{place}", "test", (3, 32, 32))
        assert data.images.dtype == torch.uint8
        assert np.array_equal(data.images, planes)
        assert data.labels.tolist() == wanted
        with pytest.raises(DataError, match=rf"no train split \(.*{folder.name}.*--calibration"):
            load(f"{kind}:{place}", "train")


def test_the_five_batches_come_in_order(ten):
    images, labels = load_cifar10(ten, "train")
    assert images.shape == (15, 3, 32, 32)
    assert labels.tolist() == [n for n in range(1, 6) for _ in range(n)]


def test_the_plain_file_is_taken_where_both_are_there(ten):
    write(ten, "test_batch", records([1, 2, 3]), ".gz")
    assert load_cifar10(ten, "test")[1].tolist() == [7, 0]


def test_all_problems_of_a_split_are_told_at_once(ten):
    (ten / "data_batch_1.bin").unlink()
    write(ten, "data_batch_2", records([1])[:-1])
    write(ten, "data_batch_4", records([9, 10, 255]))
    write(ten, "data_batch_5", b"")
    with pytest.raises(DataError) as error:
        load_cifar10(ten, "train")
    for told in (
        "data_batch_1.bin: missing",
        "data_batch_2.bin: 3072 bytes are not whole records of 3073",
        "data_batch_4.bin: 2 labels out of range, the first in record 1: 10, above 9",
        "data_batch_5.bin: 0 bytes",
    ):
        assert told in str(error.value)
    assert "data_batch_3" not in str(error.value)
    assert len(load_cifar10(ten, "test")[0]) == 2


@pytest.mark.parametrize(("pair", "told"), [((20, 0), "20, above 19"), ((0, 100), "100, above 99")])
def test_both_labels_of_cifar100_are_checked(tmp_path, pair, told):
    write(tmp_path, "train", records([(0, 0), pair]))
    with pytest.raises(DataError, match=f"1 labels out of range, the first in record 1: {told}"):
        load_cifar100(tmp_path, "train")


class Evil:
    ran = False

    def __reduce__(self):
        return setattr, (Evil, "ran", True)


@pytest.mark.parametrize(
    ("reader", "folder", "name", "wanted"),
    [
        (load_cifar10, "cifar-10-batches-py", "data_batch_1", "cifar-10-batches-bin"),
        (load_cifar100, "cifar-100-python", "train", "cifar-100-binary"),
    ],
)
def test_the_pickled_version_is_refused_unread_and_the_binary_one_named(
    tmp_path, reader, folder, name, wanted
):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / name).write_bytes(pickle.dumps(Evil()))
    for place in (tmp_path, tmp_path / folder):
        with pytest.raises(DataError, match=rf"{folder}.*pickle.*refused.*{wanted}"):
            reader(place, "train")
    assert not Evil.ran


def test_a_binary_version_beside_the_pickled_one_is_read(ten):
    (ten.parent / "cifar-10-batches-py").mkdir()
    assert len(load_cifar10(ten.parent, "test")[0]) == 2


def test_no_folder_and_an_empty_one(tmp_path):
    assert load_cifar10(tmp_path, "train") is None
    with pytest.raises(DataError, match="nowhere: no such folder"):
        load_cifar100(tmp_path / "nowhere", "test")


def test_a_file_above_the_limit_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("isospike.data.cifar._MAX_BYTES", 10_000)
    write(tmp_path, "test", bytes(3074 * 50), ".gz")
    assert (tmp_path / "test.bin.gz").stat().st_size < 1000
    with pytest.raises(DataError, match=r"test\.bin\.gz: more than 10000 bytes"):
        load_cifar100(tmp_path, "test")


WHOLE = records([[1, 2], [3, 4]])
DAMAGED = st.one_of(
    st.binary(max_size=100),
    st.integers(0, len(WHOLE) - 1).map(lambda cut: WHOLE[:cut]),
    st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)).map(
        lambda flip: WHOLE[: flip[0]] + bytes([flip[1]]) + WHOLE[flip[0] + 1 :]
    ),
)


@pytest.mark.parametrize("ending", ["", ".gz"])
@given(content=DAMAGED, cut=st.integers(0, 40))
def test_damaged_files_raise_nothing_but_data_errors(tmp_path_factory, ending, content, cut):
    folder = tmp_path_factory.mktemp("damaged")
    write(folder, "test", content, ending)
    path = folder / f"test.bin{ending}"
    path.write_bytes(path.read_bytes()[: -cut or None])
    with suppress(DataError):
        images, labels = load_cifar100(folder, "test")
        assert len(images) == len(labels) == 2
