"""Data sets by name, from real files of each layout, and the ways they can be wrong."""

import gzip
import hashlib
import io
import pickle
import struct
import sys
import zipfile
import zlib

import numpy as np
import pytest
import torch

from isospike.data.images import ImageSet
from isospike.data.spec import load
from isospike.data.stored import Stored
from isospike.errors import DataError, UsageError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (5, 1, 4, 3), np.uint8)
LABELS = np.array([0, 3, 1, 1, 2])


# --- ImageSet -------------------------------------------------------------------------------


def made(images=IMAGES, labels=LABELS):
    labels = None if labels is None else torch.as_tensor(labels)
    return ImageSet("made", "test", torch.as_tensor(images), labels)


@pytest.mark.parametrize(("size", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (4, [4, 1]), (9, [5])])
def test_bytes_stay_bytes_in_memory_and_come_out_as_unit_range(size, sizes):
    data = made()
    assert data.images.dtype == torch.uint8
    batches = list(data.batches(size))
    assert [len(images) for images, _ in batches] == sizes
    images = torch.cat([images for images, _ in batches])
    assert images.dtype == torch.float32
    assert torch.equal(images, torch.from_numpy(IMAGES).float() / 255)
    assert torch.cat([labels for _, labels in batches]).tolist() == LABELS.tolist()


def test_float_images_stay_as_they_are():
    data = made(IMAGES.astype(np.float64) * 3 - 7, None)
    ((images, labels),) = data.batches(100)
    assert torch.equal(images, torch.from_numpy(IMAGES).float() * 3 - 7)
    assert labels is None


def test_take_keeps_order_and_gives_all_where_there_are_fewer():
    data = made()
    assert torch.equal(data.take(2).images, data.images[:2])
    assert data.take(2).labels.tolist() == [0, 3]
    assert data.take(99).n == 5
    for call in (lambda: data.take(0), lambda: next(data.batches(0))):
        with pytest.raises(UsageError, match="at least 1"):
            call()


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
def test_a_list_by_class_is_drawn_from_and_another_is_taken_from_the_front(order):
    images = torch.arange(40.0).reshape(40, 1, 1, 1)
    sorted_ = ImageSet("x", "train", images / 40, torch.tensor(order).repeat_interleave(10))
    few = sorted_.draw(20)
    numbers = (few.images.flatten() * 40).round().long()
    assert torch.equal(few.labels, sorted_.labels[numbers])
    assert set(few.labels.tolist()) == {0, 1, 2, 3}
    assert len(set(numbers.tolist())) == 20
    assert torch.equal(few.images, sorted_.draw(20).images)
    assert torch.equal(sorted_.draw(99).images, sorted_.images)
    for labels in (torch.arange(40) % 4, torch.zeros(40).long(), None):
        assert torch.equal(
            ImageSet("x", "train", images / 40, labels).draw(9).images, images[:9] / 40
        )


def test_the_hash_is_of_the_content_and_of_all_of_it():
    same = ImageSet("other name", "train", torch.from_numpy(IMAGES.copy()), torch.tensor(LABELS))
    assert made().sha256 == same.sha256
    changed = IMAGES.copy()
    changed[-1, -1, -1, -1] ^= 1
    others = [
        made(changed),
        made(labels=LABELS[::-1].copy()),
        made(labels=None),
        made(IMAGES.reshape(5, 1, 3, 4)),
        made(IMAGES.astype(np.float32)),
        made().take(4),
    ]
    assert len({made().sha256, *(data.sha256 for data in others)}) == len(others) + 1


def test_labels_beyond_the_models_classes_are_told():
    made().check_classes(4)
    made(labels=None).check_classes(1)
    with pytest.raises(DataError, match=r"label 3 but the model has only 3 outputs \(0 to 2\)"):
        made().check_classes(3)


NAN = np.where(np.arange(60).reshape(5, 1, 4, 3) == 17, np.nan, 0)
REFUSED = {
    "rank": (IMAGES[:, 0], LABELS, r"\[N, C, H, W\].*got \[5, 4, 3\]"),
    "no images": (IMAGES[:0], LABELS[:0], r"got \[0, 1, 4, 3\]"),
    "no pixels": (IMAGES[:, :, :0], LABELS, r"got \[5, 1, 0, 3\]"),
    "NaN": (NAN, LABELS, r"1 values are NaN or Inf, the first at \[1, 0, 1, 2\]"),
    "type": (IMAGES.astype(np.int16), LABELS, "int16.*uint8"),
    "label count": (IMAGES, LABELS[:3], r"5 images but labels of shape \[3\]"),
    "fraction": (IMAGES, LABELS + 0.25, "whole numbers"),
    "negative": (IMAGES, LABELS - 2, "label -2 is below 0"),
}


@pytest.mark.parametrize(("images", "labels", "message"), REFUSED.values(), ids=REFUSED)
def test_unusable_sets_are_refused(tmp_path, images, labels, message):
    with pytest.raises(DataError, match=r"made \(test split\).*" + message):
        made(images, labels)
    np.savez(tmp_path / "a.npz", x_test=images, y_test=labels)
    with pytest.raises(DataError, match=message):
        load(f"npz:{tmp_path / 'a.npz'}", "test")


# --- specs ----------------------------------------------------------------------------------


# The pixels' own hash, taken from the published files: a remade sample must be the same.
BUNDLED = [
    ("test", 2000, [9, 2, 1, 1, 6, 1, 4, 6], "09bbac78738f0229"),
    ("train", 1024, [9, 0, 0, 3, 0, 2, 7, 2], "e5133aade2fad621"),
]


@pytest.mark.parametrize(("split", "count", "first", "pixels"), BUNDLED)
def test_the_bundled_sample_is_the_head_of_the_published_files(split, count, first, pixels):
    data = load("fashion-sample", split, (1, 28, 28))
    assert (data.n, data.name, data.split) == (count, "fashion-sample", split)
    assert data.labels.unique().tolist() == list(range(10))
    assert data.labels[:8].tolist() == first
    assert hashlib.sha256(data.images.numpy().tobytes()).hexdigest().startswith(pixels)


UNKNOWN = {
    "fashion": "Did you mean fashion-sample",
    "fashion-sample:": "Did you mean fashion-sample",
    "fashion-sample:DIR": "Did you mean fashion-sample",
    "idx:": "Did you mean idx:DIR",
    "foldr:images": "Did you mean folder:DIR",
    "NPZ:a.npz": "known: fashion-sample, idx:DIR, npz:FILE, folder:DIR",
    "": "unknown data ''",
}


@pytest.mark.parametrize(("spec", "message"), UNKNOWN.items(), ids=repr)
def test_an_unknown_spec_lists_the_known_and_the_nearest(spec, message):
    with pytest.raises(UsageError, match=message):
        load(spec, "test")


def test_a_bare_path_is_told_its_spec(tmp_path):
    with pytest.raises(UsageError, match=f"Did you mean folder:{tmp_path}"):
        load(str(tmp_path), "test")
    (tmp_path / "a.npz").write_bytes(b"")
    with pytest.raises(UsageError, match=f"Did you mean npz:{tmp_path}"):
        load(str(tmp_path / "a.npz"), "test")


def test_an_unknown_split_is_a_usage_error():
    with pytest.raises(UsageError, match="unknown split 'val'; known: train, test"):
        load("fashion-sample", "val")


def test_images_of_another_shape_than_the_model_takes_are_refused():
    with pytest.raises(DataError, match=r"\[1, 28, 28\] but the model takes \[3, 32, 32\]"):
        load("fashion-sample", "test", (3, 32, 32))


def test_places_that_do_not_exist(tmp_path):
    for kind in ("idx", "folder", "npz"):
        with pytest.raises(DataError, match="nowhere"):
            load(f"{kind}:{tmp_path / 'nowhere'}", "test")


# --- idx ------------------------------------------------------------------------------------


def write_idx(folder, prefix, ending=""):
    pack = gzip.compress if ending else bytes
    head = struct.pack(">4B3I", 0, 0, 8, 3, 5, 4, 3)
    (folder / f"{prefix}-images-idx3-ubyte{ending}").write_bytes(pack(head + IMAGES.tobytes()))
    body = LABELS.astype(np.uint8).tobytes()
    head = struct.pack(">4BI", 0, 0, 8, 1, 5)
    (folder / f"{prefix}-labels-idx1-ubyte{ending}").write_bytes(pack(head + body))


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_idx_folders(tmp_path, split, prefix, ending):
    write_idx(tmp_path, prefix, ending)
    data = load(f"idx:{tmp_path}", split)
    assert np.array_equal(data.images, IMAGES)
    assert data.labels.tolist() == LABELS.tolist()
    other = {"train": "test", "test": "train"}[split]
    wanted = {"train": "train-images.*--calibration SPEC", "test": "t10k-images.*--data SPEC"}
    with pytest.raises(DataError, match=f"no {other} split.*{wanted[other]}"):
        load(f"idx:{tmp_path}", other)


def test_a_gz_file_with_flipped_bits_is_refused_wherever_they_are(tmp_path):
    write_idx(tmp_path, "t10k", ".gz")
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    refused = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            data = load(f"idx:{tmp_path}", "test")
        except DataError:
            refused += 1
        else:  # name, time and system of the archive do not touch its content
            assert np.array_equal(data.images, IMAGES)
    assert refused > len(whole) - 12


# --- npz ------------------------------------------------------------------------------------


def test_npz_with_both_splits(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(
        path, x_test=IMAGES, y_test=LABELS, x_train=IMAGES[:2] / 255, y_train=LABELS[:2, None]
    )
    test, train = load(f"npz:{path}", "test"), load(f"npz:{path}", "train")
    assert np.array_equal(test.images, IMAGES)
    assert train.images.dtype == torch.float32
    assert train.labels.tolist() == [0, 3]


def test_npz_without_a_split_and_with_half_of_one(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x_test=IMAGES, y_test=LABELS, x_train=IMAGES)
    with pytest.raises(DataError, match="x_train and y_train but not 'y_train"):
        load(f"npz:{path}", "train")
    np.savez(path, x_test=IMAGES, y_test=LABELS)
    with pytest.raises(DataError, match=r"no train split \(x_train and y_train\).*--calibration"):
        load(f"npz:{path}", "train")
    np.savez(path, x_train=IMAGES, y_train=LABELS)
    with pytest.raises(DataError, match="no test split"):
        load(f"npz:{path}", "test")


class Evil:
    ran = False

    def __reduce__(self):
        return setattr, (Evil, "ran", True)


def member(header_shape, body=b"", dtype="|u1"):
    """A .npy file whose header claims a shape that its body need not have."""
    file = io.BytesIO()
    head = {"descr": dtype, "fortran_order": False, "shape": header_shape}
    np.lib.format.write_array_header_1_0(file, head)
    return file.getvalue() + body


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


GOOD_LABELS = npy(LABELS)
HOSTILE = {
    "a pickle": pickle.dumps(Evil()),
    "a pickled member": zipped(x_test=npy(np.array([Evil()], object)), y_test=GOOD_LABELS),
    "pickled labels": zipped(x_test=npy(IMAGES), y_test=npy(np.array(["a", None], object))),
    "a plain npy": npy(IMAGES),
    "empty": b"",
    "cut": zipped(x_test=npy(IMAGES), y_test=GOOD_LABELS)[:-30],
    "no arrays inside": zipped(x_test=b"text", y_test=b"text"),
    "claims 1 TiB": zipped(x_test=member((2**40, 1, 1, 1), b"abc"), y_test=GOOD_LABELS),
    "claims 8 GiB": zipped(x_test=member((2**33, 1, 1, 1), b"abc"), y_test=GOOD_LABELS),
    "claims 2**80": zipped(x_test=member((2**80, 1, 1, 1)), y_test=GOOD_LABELS),
    "product overflows": zipped(x_test=member((2**62, 2**62, 4, 1)), y_test=GOOD_LABELS),
    "negative size": zipped(x_test=member((-5, 1, 4, 3), b"abc"), y_test=GOOD_LABELS),
    "0 x 2**40": zipped(x_test=member((0, 2**40, 1, 1)), y_test=GOOD_LABELS),
    "cut body": zipped(x_test=member((5, 1, 4, 3), b"abc"), y_test=GOOD_LABELS),
    "text images": zipped(x_test=npy(np.array(["a"])), y_test=GOOD_LABELS),
    "times as labels": zipped(x_test=npy(IMAGES), y_test=npy(LABELS.astype("M8[s]"))),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_npz_files_are_refused_and_run_nothing(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError):
        load(f"npz:{path}", "test")
    assert not Evil.ran


def test_npz_with_flipped_bits_never_raises_anything_else(tmp_path):
    path = tmp_path / "a.npz"
    whole = zipped(x_test=npy(IMAGES), y_test=GOOD_LABELS)
    refused = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            load(f"npz:{path}", "test")
        except DataError:
            refused += 1
    assert refused > len(whole) // 2


def test_a_deflated_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("isospike.data.npz._MAX_BYTES", 10_000)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x_test=np.zeros((100, 1, 10, 10), np.uint8), y_test=np.zeros(100))
    assert path.stat().st_size < 2000
    with pytest.raises(DataError, match="above 10000"):
        load(f"npz:{path}", "test")


# --- folder ---------------------------------------------------------------------------------


@pytest.fixture
def draw():
    """Writes one image file of a colour; skips where Pillow, an extra, is not installed."""
    image = pytest.importorskip("PIL.Image")

    def write(path, colour, mode="RGB", size=(4, 3)):
        path.parent.mkdir(parents=True, exist_ok=True)
        image.new(mode, size, colour).save(path)

    return write


def test_folders_with_splits(tmp_path, draw):
    for split, names in {"train": "cba", "test": "ca"}.items():
        for name in names:
            draw(tmp_path / split / name / "1.png", (ord(name), 0, 200))
    (tmp_path / "test/a/notes.txt").write_text("no image")
    (tmp_path / "test/.cache").mkdir()
    train, test = load(f"folder:{tmp_path}", "train"), load(f"folder:{tmp_path}", "test")
    assert train.labels.tolist() == [0, 1, 2]
    assert test.labels.tolist() == [0, 2]  # numbered by the training classes, of which b lacks here
    assert test.images.shape == (2, 3, 3, 4)
    assert test.images[1, :, 2, 3].tolist() == [ord("c"), 0, 200]


def test_val_serves_where_there_is_no_test_and_plain_classes_are_a_test_split(tmp_path, draw):
    draw(tmp_path / "split/val/a/1.png", (1, 2, 3))
    draw(tmp_path / "split/train/a/1.png", (9, 9, 9))
    assert load(f"folder:{tmp_path / 'split'}", "test").images[0, :, 0, 0].tolist() == [1, 2, 3]
    draw(tmp_path / "plain/a/1.JPG", (7, 7, 7))
    draw(tmp_path / "plain/b/1.jpeg", (7, 7, 7))
    assert load(f"folder:{tmp_path / 'plain'}", "test").labels.tolist() == [0, 1]
    with pytest.raises(DataError, match=r"DIR/train/CLASS.*--calibration SPEC"):
        load(f"folder:{tmp_path / 'plain'}", "train")


def test_val_serves_where_the_images_of_test_have_no_classes(tmp_path, draw):
    draw(tmp_path / "train/a/1.png", (9, 9, 9))
    draw(tmp_path / "val/a/1.png", (1, 2, 3))
    draw(tmp_path / "test/1.png", (5, 5, 5))
    assert load(f"folder:{tmp_path}", "test").images[0, :, 0, 0].tolist() == [1, 2, 3]


def test_images_that_are_there_are_read_or_told_of(tmp_path, draw):
    draw(tmp_path / "train/a/1.png", (9, 9, 9))
    (tmp_path / "train/a/._1.png").write_bytes(b"of another system")
    assert load(f"folder:{tmp_path}", "train").images.shape[0] == 1
    (tmp_path / "train/b").mkdir()
    with pytest.raises(DataError, match=r"train: classes \['b'\] hold no image"):
        load(f"folder:{tmp_path}", "train")
    draw(tmp_path / "train/b/1.png", (9, 9, 9))
    draw(tmp_path / "train/b/2.BMP", (9, 9, 9))
    with pytest.raises(DataError, match=r"b: 1 images like 2.BMP .*convert them to PNG or JPEG"):
        load(f"folder:{tmp_path}", "train")


def test_grey_images_have_one_channel_and_three_beside_coloured_ones(tmp_path, draw):
    draw(tmp_path / "a/1.png", 40, "L")
    assert load(f"folder:{tmp_path}", "test").images.shape == (1, 1, 3, 4)
    draw(tmp_path / "a/2.png", (1, 2, 3, 0), "RGBA")
    images = load(f"folder:{tmp_path}", "test").images
    assert images[:, :, 0, 0].tolist() == [[40, 40, 40], [1, 2, 3]]


def test_images_of_other_sizes_are_listed(tmp_path, draw):
    draw(tmp_path / "a/0.png", (0, 0, 0))
    for index in range(1, 6):
        draw(tmp_path / f"a/{index}.png", (0, 0, 0), size=(4, 3 + index))
    with pytest.raises(DataError, match=r"5 of 6 .*4x3.*1.png is 4x4.*2.png is 4x5") as error:
        load(f"folder:{tmp_path}", "test")
    assert "4.png" not in str(error.value)


def test_folders_that_cannot_be_used(tmp_path, draw):
    with pytest.raises(DataError, match="no image CLASS"):
        load(f"folder:{tmp_path}", "test")
    draw(tmp_path / "train/a/1.png", (0, 0, 0))
    draw(tmp_path / "test/zebra/1.png", (0, 0, 0))
    with pytest.raises(DataError, match=r"\['zebra'\] do not exist in the training folder"):
        load(f"folder:{tmp_path}", "test")
    draw(tmp_path / "deep/a/1.png", 40_000, "I;16")
    with pytest.raises(DataError, match=r"I;16.*8 bits"):
        load(f"folder:{tmp_path / 'deep'}", "test")


def test_damaged_image_files_are_refused_by_name(tmp_path, draw):
    path = tmp_path / "a/broken.png"
    draw(path, (1, 2, 3), size=(40, 40))
    whole = path.read_bytes()
    for content in (b"", b"GIF89a", whole[:20], whole[:60]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"broken\.png: not a readable PNG or JPEG"):
            load(f"folder:{tmp_path}", "test")


def test_a_png_that_breaks_off_between_its_chunks_is_refused(tmp_path, draw):
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "a/broken.png"
    draw(path, (1, 2, 3))
    # Noise does not compress: the pixels fill two chunks, and the head of the second is damaged.
    image.fromarray(RNG.integers(0, 256, (200, 200, 3), np.uint8)).save(path)
    first, second, rest = path.read_bytes().split(b"IDAT", 2)
    path.write_bytes(first + b"IDAT" + second + b"\xff\xff\xff\xff" + rest)
    with pytest.raises(DataError, match=r"broken\.png: not a readable"):
        load(f"folder:{tmp_path}", "test")


def test_a_png_with_flipped_bits_never_raises_anything_else(tmp_path, draw):
    path = tmp_path / "a/1.png"
    draw(path, (1, 2, 3))
    whole = path.read_bytes()
    refused = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            load(f"folder:{tmp_path}", "test")
        except DataError:
            refused += 1
    assert refused > len(whole) // 2


def test_more_pixels_than_are_held_stay_where_they_are(tmp_path, draw, monkeypatch):
    for index in range(3):
        draw(tmp_path / f"a/{index}.png", (index, 2, 3))
    held = load(f"folder:{tmp_path}", "test")
    monkeypatch.setattr("isospike.data.stored.HELD", 3 * 3 * 3 * 4 - 1)
    stored = load(f"folder:{tmp_path}", "test")
    assert isinstance(stored.images, Stored)
    assert torch.equal(stored.images[:], held.images)
    (tmp_path / "a/1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"1\.png: not a readable"):
        stored.images[1:]


def test_folders_are_cut_to_a_size(tmp_path, draw):
    draw(tmp_path / "a/1.png", (5, 6, 7), size=(40, 30))
    draw(tmp_path / "a/2.png", 8, "L", size=(20, 50))
    images = load(f"folder:{tmp_path}@8/10", "test").images
    assert images.shape == (2, 3, 8, 8)
    assert images[:, :, 0, 0].tolist() == [[5, 6, 7], [8, 8, 8]]


def test_an_image_above_the_bound_of_pixels_is_refused(tmp_path, draw, monkeypatch):
    draw(tmp_path / "a/1.png", (1, 2, 3), size=(12, 12))
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 99)  # above it Pillow itself only warns
    with pytest.raises(DataError, match=r"1\.png: not a readable.*exceeds limit of 99"):
        load(f"folder:{tmp_path}", "test")


def test_a_png_that_claims_10_gigapixels_is_refused(tmp_path, draw):
    path = tmp_path / "a/huge.png"
    draw(path, (1, 2, 3))
    whole = path.read_bytes()
    head = b"IHDR" + struct.pack(">II", 100_000, 100_000) + whole[24:29]
    check = struct.pack(">I", zlib.crc32(head))
    path.write_bytes(whole[:12] + head + check + whole[33:])
    with pytest.raises(DataError, match=r"huge.png"):
        load(f"folder:{tmp_path}", "test")


def test_without_pillow_the_way_to_get_it_is_told(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match=r"pip install isospike\[images\]"):
        load(f"folder:{tmp_path}", "test")
