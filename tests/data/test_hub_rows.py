"""One split as tensors: which columns are meant, and entries that are no images."""

import numpy as np
import pytest
import torch

from isospike.data.decode import Crop
from isospike.data.hub_rows import columns_of, images_of, labels_of
from isospike.data.stored import Stored
from isospike.errors import DataError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (5, 6, 4, 3), np.uint8)
GREY = RNG.integers(0, 256, (5, 6, 4), np.uint8)


def images(rows, crop=None):
    return images_of(rows, "img", crop, "here")


def test_every_pixel_is_in_its_place_grey_or_coloured(make):
    assert np.array_equal(images(make(COLOUR)), COLOUR.transpose(0, 3, 1, 2))
    assert np.array_equal(images(make(GREY)), GREY[:, None])
    mixed = images(make([*GREY[:1], *COLOUR[:1]]))
    assert np.array_equal(mixed[0], [GREY[0]] * 3)
    assert np.array_equal(mixed[1], COLOUR[0].transpose(2, 0, 1))


def test_order_follows_a_selection_of_the_rows(make):
    rows = make(GREY).select([4, 0, 2])
    assert np.array_equal(images(rows)[:, 0], GREY[[4, 0, 2]])
    assert labels_of(rows, "label").tolist() == [4, 0, 2]


def test_of_several_label_columns_the_finest_is_taken(make, library):
    rows = make(GREY, fine=[4, 3, 2, 1, 0], coarse=[0, 1, 0, 1, 0])
    for classes, wanted in ((2, "fine"), (9, "coarse")):
        rows = rows.cast_column("coarse", library.ClassLabel(num_classes=classes))
        assert columns_of(rows, "here") == ("img", wanted)


def test_columns_that_do_not_fit_are_listed(make, library):
    rows = make(GREY, fine=[0] * 5, other=[0] * 5)
    more = make(GREY).rename_columns({"img": "again", "label": "third"})
    wrong = {
        r"ClassLabel columns \['fine', 'other'\] have as many classes": rows,
        r"2 Image columns \['img', 'again'\] among \['img', 'fine', 'other', 'again', 'third'\]": (
            library.concatenate_datasets([rows, more], axis=1)
        ),
        r"no Image column among \['fine', 'other'\]": rows.remove_columns("img"),
    }
    for message, part in wrong.items():
        with pytest.raises(DataError, match=f"^here: {message}"):
            columns_of(part, "here")


def test_no_labels_are_none(make):
    for labels in ([-1] * 5, [None] * 5):
        assert labels_of(make(GREY, label=labels), "label") is None
    assert labels_of(make(GREY, label=[3, None, 1, 1, 0]), "label").tolist() == [3, -1, 1, 1, 0]
    assert columns_of(make(GREY).remove_columns("label"), "here") == ("img", None)
    assert labels_of(make(GREY), None) is None
    assert labels_of(make(GREY).select([]), "label") is None


def test_what_is_kept_decides_whether_it_is_held(make, monkeypatch):
    monkeypatch.setattr("isospike.data.stored.HELD", COLOUR.size - 1)
    stored = images(make(COLOUR))
    assert isinstance(stored, Stored)
    assert np.array_equal(stored[:], COLOUR.transpose(0, 3, 1, 2))
    assert isinstance(images(make(COLOUR), Crop(4, 4)), torch.Tensor)
    assert isinstance(images(make(GREY)), torch.Tensor)


def test_a_set_that_is_too_large_whatever_its_headers_say_is_not_read_before_it_is_used(
    make, library, monkeypatch
):
    rows = make(COLOUR)
    bad = library.Dataset.from_dict(
        {"img": [{"bytes": b"text", "path": None}], "label": [1]}, features=rows.features.copy()
    )
    rows = library.concatenate_datasets([rows, bad])
    monkeypatch.setattr("isospike.data.stored.HELD", 6 * 16 - 1)
    stored = images(rows, Crop(4, 4))
    assert stored.shape == (6, 3, 4, 4)
    assert torch.equal(stored[:5], images(make(COLOUR), Crop(4, 4))[:])
    with pytest.raises(DataError, match="here, image 5: not a readable"):
        stored[5:]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (None, "no image is stored"),
        ({"bytes": b"text", "path": None}, "not a readable PNG or JPEG"),
        ({"bytes": None, "path": "https://example.org/a.png"}, "no image is stored"),
        ({"bytes": None, "path": "/dev/zero"}, "no image is stored"),
    ],
)
def test_an_entry_that_is_no_stored_image_is_refused_by_number(make, library, entry, message):
    bad = library.Dataset.from_dict(
        {"img": [entry], "label": [1]}, features=make(GREY).features.copy()
    )
    with pytest.raises(DataError, match=f"^here, image 2: {message}"):
        images(library.concatenate_datasets([make(GREY[:2]), bad]))


def test_an_image_file_on_disk_is_read(make, library, tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(GREY[0]).save(tmp_path / "a.png")
    kinds = library.Features({"img": library.Image()})
    rows = library.Dataset.from_dict({"img": [str(tmp_path / "a.png")]}, features=kinds)
    assert np.array_equal(images(rows)[0, 0], GREY[0])
