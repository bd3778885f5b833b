"""Where splits come from: what is found, how it is named, and what is refused unread."""

import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isospike.data.hub_splits import check_library, folder_splits, reading, remote_splits
from isospike.errors import DataError, UsageError

GREY = np.arange(5 * 16, dtype=np.uint8).reshape(5, 4, 4)


def found(splits):
    return {name: len(read()) for name, read in splits.items()}


def write_parquet(folder, names, make):
    """File n of the list holds n + 1 images."""
    for index, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        make(GREY[: index + 1]).to_parquet(str(folder / name))


def test_a_saved_data_set_with_and_without_splits(tmp_path, library, make):
    parts = {"train": make(GREY), "valid": make(GREY[:2])}
    library.DatasetDict(parts).save_to_disk(tmp_path / "dict")
    assert found(folder_splits(tmp_path / "dict")) == {"train": 5, "valid": 2}
    make(GREY[:3]).save_to_disk(tmp_path / "plain")
    assert found(folder_splits(tmp_path / "plain")) == {"test": 3}


LAYOUTS = {
    "flat": ["train.parquet", "test.parquet"],
    "shards": ["data/train-00000-of-00001.parquet", "data/test-00000-of-00001-ab12.parquet"],
    "a configuration": ["plain_text/train-00000-of-00001.parquet", "plain_text/test.parquet"],
    "a folder a split": ["default/train/0000.parquet", "default/test/0000.parquet"],
    "a name with signs": ["a[1] *?/train.parquet", "a[1] *?/test.parquet"],
}


@pytest.mark.parametrize("names", LAYOUTS.values(), ids=LAYOUTS)
def test_parquet_files_of_every_layout(tmp_path, make, names):
    write_parquet(tmp_path / "made", [*names, ".cache/train.parquet", "trainer.parquet"], make)
    assert found(folder_splits(tmp_path / "made")) == {"train": 1, "test": 2}


def test_the_shards_of_a_split_come_in_order(tmp_path, make):
    write_parquet(tmp_path / "made", [f"train-0000{n}-of-00003.parquet" for n in range(3)], make)
    rows = folder_splits(tmp_path / "made")["train"]()
    assert rows["label"][:] == [0, 0, 1, 0, 1, 2]


@pytest.mark.parametrize("end", ["", "-5f9c"])
def test_shards_that_are_missing_are_told(tmp_path, make, end):
    write_parquet(tmp_path / "made", [f"train-00001-of-00003{end}.parquet", "test.parquet"], make)
    with pytest.raises(DataError, match="train lacks train-00000-of-00003, train-00002-of-00003"):
        folder_splits(tmp_path / "made")


def test_a_file_that_was_written_anew_is_read_anew(tmp_path, make):
    for count in (2, 4):
        (tmp_path / "made").mkdir(exist_ok=True)
        make(GREY[:count]).to_parquet(str(tmp_path / "made/test.parquet"))
        assert found(folder_splits(tmp_path / "made")) == {"test": count}


def test_a_split_in_two_folders_and_a_folder_of_nothing_are_refused(tmp_path, make):
    with pytest.raises(DataError, match=r"neither written by save_to_disk .* nor holding parquet"):
        folder_splits(tmp_path)
    write_parquet(tmp_path, ["a/train.parquet", "b/train.parquet"], make)
    with pytest.raises(DataError, match=r"train stands in .*/a, .*/b. Give one"):
        folder_splits(tmp_path)


def test_a_repository_is_read_once_and_then_from_the_cache(tmp_path, make):
    """A local folder in the place of a repository: all but the download."""
    write_parquet(tmp_path / "repo", ["data/train-0.parquet", "data/test-0.parquet"], make)
    for _ in range(2):
        assert found(remote_splits(str(tmp_path / "repo"))) == {"train": 1, "test": 2}


def test_an_image_folder_of_the_hub_is_read(tmp_path, library):
    image = pytest.importorskip("PIL.Image")
    for name in ("cat", "dog"):
        path = tmp_path / f"repo/train/{name}/1.png"
        path.parent.mkdir(parents=True)
        image.fromarray(GREY[0]).save(path)
    rows = remote_splits(str(tmp_path / "repo"))["train"]()
    assert rows["label"][:] == [0, 1]


def test_a_repository_of_other_files_is_refused_before_they_are_read(tmp_path, library):
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/train.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"repo: its files are of kind csv.*give hub:DIR"):
        remote_splits(str(tmp_path / "repo"))


def test_a_script_in_a_repository_never_runs(tmp_path, library):
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/repo.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    with pytest.raises(DataError):
        remote_splits(str(tmp_path / "repo"))
    assert not (tmp_path / "ran").exists()


def test_without_a_network_the_repository_is_named(library):
    with pytest.raises(DataError, match=r"nobody/nothing: cannot be read: .*Hub"):
        remote_splits("nobody/nothing")


def test_a_missing_and_an_old_library_tell_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install isospike\[hub\]"):
        check_library()
    old = type(sys)("datasets")
    old.__version__ = "3.6.0"
    monkeypatch.setitem(sys.modules, "datasets", old)
    with pytest.raises(DataError, match=r"3\.6\.0 can run code.*--upgrade isospike\[hub\]"):
        check_library()


def test_the_first_cause_is_told_and_the_packages_own_errors_pass():
    outer = RuntimeError("something went wrong")
    outer.__cause__ = ValueError("the cause")
    with pytest.raises(DataError, match=r"^here: cannot be read: the cause$"), reading("here"):
        raise outer
    with pytest.raises(UsageError, match=r"^mine$"), reading("here"):
        raise UsageError("mine")
    with pytest.raises(KeyboardInterrupt), reading("here"):
        raise KeyboardInterrupt


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    cut=st.integers(0, 4000),
    flips=st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 255)), max_size=3),
)
@pytest.mark.parametrize("kind", ["arrow", "state", "parquet"])
def test_damaged_files_raise_nothing_but_data_errors(tmp_path, make, damaged, kind, cut, flips):
    folder = tmp_path / "made"
    if not folder.exists():
        make(GREY[:2]).save_to_disk(folder / "saved")
        write_parquet(folder / "files", ["test.parquet"], make)
    place = folder / ("files" if kind == "parquet" else "saved")
    (path,) = place.glob({"arrow": "*.arrow", "state": "state.json"}.get(kind, "*.parquet"))
    with damaged(path, cut, flips), suppress(DataError):
        for read in folder_splits(place).values():
            with reading("test"):
                assert read().data.validate(full=True) is None
