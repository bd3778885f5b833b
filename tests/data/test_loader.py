"""The one rule for calibration data: what it takes, and what it refuses and how."""

import warnings
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from isospike.data.images import ImageSet
from isospike.data.loader import IMAGE_KEYS, LABEL_KEYS, batches_of
from isospike.errors import DataError

IMAGES = torch.arange(6 * 3 * 2 * 2, dtype=torch.float32).reshape(6, 3, 2, 2) / 100
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
Pair = namedtuple("Pair", "image target extra")
HALVES = [slice(0, 3), slice(3, 6)]
DATA = TensorDataset(IMAGES, LABELS)

WITH_LABELS = {
    "tuples": [(IMAGES[h], LABELS[h]) for h in HALVES],
    "lists": [[IMAGES[h], LABELS[h]] for h in HALVES],
    "three parts": [(IMAGES[h], LABELS[h], "names") for h in HALVES],
    "named tuples": [Pair(IMAGES[h], LABELS[h], None) for h in HALVES],
    "arrays": [(IMAGES[h].numpy(), LABELS[h].numpy().astype(np.int32)) for h in HALVES],
    "lists of numbers": [(IMAGES[h], LABELS[h].tolist()) for h in HALVES],
    "one-hot": [(IMAGES[h], torch.eye(3)[LABELS[h]]) for h in HALVES],
    "columns": [(IMAGES[h], LABELS[h, None].float()) for h in HALVES],
    "generator": ((IMAGES[h], LABELS[h]) for h in HALVES),
    "DataLoader": DataLoader(DATA, batch_size=3),
    "ImageSet": ImageSet("made", "train", IMAGES, LABELS),
    **{
        f"dict {key}, {label}": [{key: IMAGES[h], label: LABELS[h], "id": 7} for h in HALVES]
        for key in IMAGE_KEYS
        for label in LABEL_KEYS
    },
}
WITHOUT_LABELS = {
    "tensor": IMAGES,
    "array": IMAGES.double().numpy(),
    "tensors": list(IMAGES.split(4)),
    "one-tuples": [(IMAGES,)],
    "no label": [(IMAGES, None)],
    "dict": [{"x": IMAGES, "weight": 1}],
    "double": IMAGES.double(),
    "reversed array": [np.ascontiguousarray(IMAGES.numpy()[::-1])[::-1]],
    "big-endian array": IMAGES.numpy().astype(">f4"),
    "with gradient": IMAGES.clone().requires_grad_(),
}


def joined(batches):
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), None if labels[0] is None else torch.cat(labels)


@pytest.mark.parametrize("calibration", WITH_LABELS.values(), ids=WITH_LABELS)
def test_images_and_labels_come_out_the_same_from_every_form(calibration):
    images, labels = joined(batches_of(calibration, (3, 2, 2)))
    assert images.dtype == torch.float32
    assert torch.equal(images, IMAGES)
    assert labels.dtype == torch.long
    assert torch.equal(labels, LABELS)


@pytest.mark.parametrize("calibration", WITHOUT_LABELS.values(), ids=WITHOUT_LABELS)
def test_images_without_labels(calibration):
    images, labels = joined(batches_of(calibration, (3, 2, 2)))
    assert torch.equal(images, IMAGES)
    assert not images.requires_grad
    assert labels is None


def test_bytes_become_unit_range_and_floats_stay():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1, 1)
    (images, _), *_ = batches_of(pixels)
    assert images.flatten().tolist() == pytest.approx([0, 0.2, 1])
    (images, _), *_ = batches_of(pixels.float())
    assert images.flatten().tolist() == [0, 51, 255]


def test_one_tensor_is_split_in_250s_in_order():
    images = torch.arange(501.0).reshape(501, 1, 1, 1)
    sizes = [len(batch) for batch, _ in batches_of(images)]
    assert sizes == [250, 250, 1]
    assert torch.equal(joined(batches_of(images))[0], images)


def test_the_given_data_is_not_changed_and_a_read_only_array_raises_no_warning():
    array = IMAGES.numpy().copy()
    array.flags.writeable = False
    assert torch.equal(joined(batches_of([array]))[0], IMAGES)
    assert np.array_equal(array, IMAGES.numpy())


def bad(at, value):
    images = IMAGES.clone()
    images[at] = value
    return images


REFUSED = {
    "nothing": ([], "0 batches"),
    "empty tensor": (IMAGES[:0], "0 batches"),
    "a scalar": (torch.tensor(1.0), "0 batches"),
    "a path": ("images.npz", "calibration is a str"),
    "a data set, not a loader": (DATA, "calibration is a TensorDataset.*DataLoader"),
    "one dict": ({"x": IMAGES}, "calibration is a dict"),
    "no known key": ([{"picture": IMAGES, "y": 1}], r"keys \['picture', 'y'\]"),
    "two image keys": ([{"x": IMAGES, "image": IMAGES}], r"\['image', 'x'\] could all be meant"),
    "two label keys": ([{"x": IMAGES, "y": LABELS, "label": LABELS}], "could all be meant"),
    "lists of lists": ([[[1.0, 2.0], [3.0]]], "images are a list"),
    "an empty tuple": ([()], "batch 0: a tuple"),
    "strings": ([(IMAGES, ["cat"] * 6)], "labels are a list"),
    "ragged labels": ([(IMAGES, [[0], [1, 2]])], "labels are a list"),
    "whole numbers": ([IMAGES.long()], "int64.*uint8"),
    "NaN": ([IMAGES, bad((2, 1, 0, 1), float("nan"))], r"batch 1: 1 values .* \[2, 1, 0, 1\]"),
    "Inf": ([IMAGES, IMAGES, bad(0, float("inf"))], "batch 2: 12 values"),
    "beyond float32": ([IMAGES.double() * 1e300], "NaN or Inf"),
    "label number": ([(IMAGES, LABELS[:5])], r"6 images but labels of shape \[5\]"),
    "label rank": ([(IMAGES, torch.zeros(6, 1, 1))], r"labels of shape \[6, 1, 1\]"),
    "half a label": ([(IMAGES, LABELS + 0.5)], "not whole numbers"),
    "NaN label": ([(IMAGES, LABELS * float("nan"))], "not whole numbers"),
    "negative label": ([(IMAGES, LABELS - 1)], "label -1 is below 0"),
    "not one-hot": ([(IMAGES, torch.ones(6, 3))], "not one-hot"),
    "channels last": ([IMAGES.permute(0, 2, 3, 1)], r"\[6, 2, 2, 3\] instead of \[B, 3, 2, 2\] as"),
    "no batch dimension": (list(IMAGES), r"\[3, 2, 2\] instead of \[B, 3, 2, 2\] as the model"),
}


@pytest.mark.parametrize(("calibration", "message"), REFUSED.values(), ids=REFUSED)
def test_unusable_data_is_refused_with_the_reason(calibration, message):
    with pytest.raises(DataError, match=message):
        list(batches_of(calibration, (3, 2, 2)))


def test_a_generator_that_was_used_up_is_0_batches():
    generator = (part for part in IMAGES.split(2))
    assert len(list(batches_of(generator))) == 3
    with pytest.raises(DataError, match=r"0 batches.*used up"):
        list(batches_of(generator))


def test_a_wrong_shape_is_refused_before_anything_comes_out():
    batches = batches_of([IMAGES[:, :1]], (3, 2, 2))
    with pytest.raises(DataError, match=r"\[6, 1, 2, 2\] instead of \[B, 3, 2, 2\]"):
        next(batches)


def test_without_a_model_the_first_batch_sets_the_shape():
    batches = batches_of([IMAGES, IMAGES[:, :, :1]])
    next(batches)
    with pytest.raises(DataError, match=r"batch 1: .* \[B, 3, 2, 2\] as in the batches before"):
        next(batches)
    for images in (torch.ones(4), torch.ones(4, 3, 0, 0)):
        with pytest.raises(DataError, match=r"instead of \[B, C, H, W\]"):
            next(batches_of([images]))


def test_batches_of_size_0_are_skipped_with_a_warning_each():
    empty = torch.empty(0, 3, 2, 2)
    with pytest.warns(UserWarning, match="batch") as told:
        batches = list(batches_of([empty, IMAGES, (empty, LABELS[:0])], (3, 2, 2)))
    assert [str(w.message).split(" has")[0] for w in told] == [
        "calibration batch 0",
        "calibration batch 2",
    ]
    assert torch.equal(joined(batches)[0], IMAGES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match="0 batches with images, 2 of size 0"):
            list(batches_of([empty, empty]))


def test_an_error_of_the_loader_itself_comes_through():
    def breaking():
        yield IMAGES
        raise KeyboardInterrupt

    batches = batches_of(breaking())
    next(batches)
    with pytest.raises(KeyboardInterrupt):
        next(batches)
