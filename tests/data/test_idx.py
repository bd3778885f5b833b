"""IDX files as the data set's own archives lay them out, and damaged ones."""

import gzip
import struct

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isospike.data.idx import find_idx, load_idx, read_idx
from isospike.errors import DataError


def idx_bytes(sizes, body):
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, 8, len(sizes), *sizes) + bytes(body)


def write_split(folder, prefix, count, ending=""):
    """Image p of the split has pixels p, p+1, ...; its label is p mod 10."""
    pack = gzip.compress if ending else bytes
    pixels = [(image + pixel) % 256 for image in range(count) for pixel in range(6)]
    images = folder / f"{prefix}-images-idx3-ubyte{ending}"
    images.write_bytes(pack(idx_bytes((count, 2, 3), pixels)))
    labels = folder / f"{prefix}-labels-idx1-ubyte{ending}"
    labels.write_bytes(pack(idx_bytes((count,), [image % 10 for image in range(count)])))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_split_is_read_with_every_pixel_in_its_place(tmp_path, ending):
    write_split(tmp_path, "t10k", 12, ending)
    images, labels = load_idx(tmp_path, "t10k")
    assert images.dtype == torch.uint8
    assert images.shape == (12, 1, 2, 3)
    assert images[7].tolist() == [[[7, 8, 9], [10, 11, 12]]]
    assert labels.tolist() == [*range(10), 0, 1]
    assert labels.dtype == torch.long


def test_a_missing_file_of_a_split_is_none_and_not_an_error(tmp_path):
    write_split(tmp_path, "t10k", 2)
    assert load_idx(tmp_path, "train") is None
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert find_idx(tmp_path, "t10k") is None


def test_the_plain_file_is_taken_where_both_are_there(tmp_path):
    write_split(tmp_path, "t10k", 3)
    write_split(tmp_path, "t10k", 5, ".gz")
    assert len(load_idx(tmp_path, "t10k")[0]) == 3


HOSTILE = {
    "empty": b"",
    "cut magic": b"\0\0\x08",
    "not idx": b"PK\x03\x04 a zip file",
    "signed bytes": struct.pack(">BBBBI", 0, 0, 9, 1, 1) + b"x",
    "cut sizes": struct.pack(">BBBBI", 0, 0, 8, 3, 2),
    "cut sizes that look like no images": struct.pack(">BBBBI", 0, 0, 8, 2, 0),
    "cut inside a size": struct.pack(">BBBBH", 0, 0, 8, 1, 2),
    "cut body": idx_bytes((4, 2, 3), range(23)),
    "a byte too much": idx_bytes((4, 2, 3), range(25)),
    "claims 3 GiB": idx_bytes((3 << 30,), b"abc"),
    "claims more than memory": idx_bytes((2**32 - 1, 2**32 - 1, 2**32 - 1), b"abc"),
    "sizes whose product is 0 modulo 2**64": idx_bytes((2**31, 2**31, 4), b""),
}


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_damaged_file_is_refused_by_name(tmp_path, content, ending):
    path = tmp_path / f"images{ending}"
    path.write_bytes(gzip.compress(content) if ending else content)
    with pytest.raises(DataError, match="images"):
        read_idx(path)


def test_a_cut_archive_a_folder_and_nothing_are_refused(tmp_path):
    whole = gzip.compress(idx_bytes((64,), range(64)))
    cut = tmp_path / "cut.gz"
    cut.write_bytes(whole[:-9])
    no_archive = tmp_path / "no.gz"
    no_archive.write_bytes(idx_bytes((1,), [1]))
    for path in (cut, no_archive, tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="cannot be read"):
            read_idx(path)


def test_images_and_labels_of_unequal_number_are_refused_with_both_shapes(tmp_path):
    write_split(tmp_path, "t10k", 4)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes((3,), range(3)))
    with pytest.raises(DataError, match=r"\[4, 2, 3\] do not match labels \[3\]"):
        load_idx(tmp_path, "t10k")


@settings(deadline=None)  # the disk of a busy machine can be slow
@given(cut=st.integers(0, 39))
def test_every_cut_of_a_file_is_refused(tmp_path_factory, cut):
    content = idx_bytes((4, 2, 3), range(24))
    path = tmp_path_factory.mktemp("cut") / "images"
    path.write_bytes(content[:cut])
    with pytest.raises(DataError):
        read_idx(path)
