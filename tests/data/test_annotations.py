"""The published archive of Tiny-ImageNet, in small: every image with the label of its class."""

import random

import pytest

from isospike.data.spec import load
from isospike.errors import DataError

CLASSES = ("n01443537", "n01629819", "n02058221")
BOX = "0\t32\t44\t62"


@pytest.fixture
def archive(tmp_path):
    """DIR as it is unpacked; the grey value of a labelled image is 60 times its class."""
    image = pytest.importorskip("PIL.Image")

    def write(path, value):
        path.parent.mkdir(parents=True, exist_ok=True)
        image.new("RGB", (64, 64), (value,) * 3).save(path, "JPEG")

    lines = []
    for label, name in enumerate(CLASSES):
        for index in range(2):
            write(tmp_path / f"train/{name}/images/{name}_{index}.JPEG", 60 * label)
        (tmp_path / f"train/{name}/{name}_boxes.txt").write_text(f"{name}_0.JPEG\t{BOX}\n")
    for index in range(12):
        write(tmp_path / f"val/images/val_{index}.JPEG", 60 * (index % 3))
        lines.append(f"val_{index}.JPEG\t{CLASSES[index % 3]}\t{BOX}\n")
    random.Random(0).shuffle(lines)
    (tmp_path / "val/val_annotations.txt").write_text("".join(lines))
    write(tmp_path / "test/images/test_0.JPEG", 255)
    (tmp_path / "wnids.txt").write_text("\n".join(reversed(CLASSES)))
    (tmp_path / "words.txt").write_text("n01443537\tgoldfish, Carassius auratus\n")
    return tmp_path


@pytest.mark.parametrize(("split", "count"), [("train", 6), ("test", 12)])
def test_every_image_has_the_label_of_its_class(archive, split, count):
    data = load(f"folder:{archive}", split)
    assert data.images.shape == (count, 3, 64, 64)
    assert data.images[:, 0, 5, 5].tolist() == [60 * label for label in data.labels.tolist()]
    assert data.labels.bincount().tolist() == [count // 3] * 3


def test_the_val_folder_alone_is_the_same_test_split(archive):
    whole, alone = load(f"folder:{archive}", "test"), load(f"folder:{archive / 'val'}", "test")
    assert alone.labels.tolist() == whole.labels.tolist()
    assert load(f"folder:{archive}@32", "test").sample_shape == (3, 32, 32)


def test_a_test_folder_with_classes_goes_before_annotations(archive):
    source = archive / "train" / CLASSES[1]
    (archive / "test" / CLASSES[1]).mkdir()
    (source / "images").rename(archive / "test" / CLASSES[1] / "images")
    (archive / "test/images/test_0.JPEG").unlink()
    (archive / "test/images").rmdir()
    assert load(f"folder:{archive}", "test").labels.tolist() == [1, 1]


def test_all_that_is_wrong_with_the_annotations_is_told_at_once(archive):
    place = archive / "val/val_annotations.txt"
    rows = sorted(place.read_text().splitlines())
    rows[0] = rows[0].replace("\t", " ")
    rows[2] = rows[2].replace("val_10", "../images/val_10")
    place.write_text("\n".join([*rows, rows[4], f"val_99.JPEG\t{CLASSES[0]}\t{BOX}"]))
    with pytest.raises(DataError) as error:
        load(f"folder:{archive}", "test")
    for part in (
        f"{place}: line 1, line 3 not 'FILE tab CLASS tab box'",
        "val_2.JPEG named more than once",
        "val_99.JPEG not in images/",
        "val_0.JPEG, val_10.JPEG in images/ without a line",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"])
def test_a_file_that_is_no_list_is_refused(archive, content):
    (archive / "val/val_annotations.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"val_annotations\.txt: "):
        load(f"folder:{archive}", "test")


def test_a_class_that_does_not_train_is_refused(archive):
    place = archive / "val/val_annotations.txt"
    place.write_text(place.read_text().replace(CLASSES[2], "n09999999"))
    with pytest.raises(DataError, match=r"\['n09999999'\] do not exist in the training folder"):
        load(f"folder:{archive}", "test")


def test_the_known_layouts_are_named(archive):
    for path in archive.glob("train/*/images/*"):
        path.unlink()
    with pytest.raises(DataError, match=r"CLASS/\*\.png.*CLASS/images/\*\.JPEG"):
        load(f"folder:{archive}", "train")
    with pytest.raises(DataError, match=r"DIR/train/CLASS/images/\*\.JPEG"):
        load(f"folder:{archive / 'val'}", "train")
