"""Where the splits of a Hugging Face data set come from: the hub, `save_to_disk`, parquet files.

What `datasets` reads here is Arrow, Parquet and image files: never a data set's own code, and no
format that can hold pickles. The download itself was not run here; everything behind it was.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from isospike.errors import DataError, IsospikeError

if TYPE_CHECKING:
    from datasets import Dataset

Splits = dict[str, Callable[[], "Dataset"]]  # a split is read when it is called for

KNOWN_SPLITS = ("train", "test", "validation", "valid", "val")
_SAFE_BUILDERS = {"parquet", "arrow", "imagefolder", "cache"}  # cache: what was downloaded before
_DEPTHS = ("*.parquet", "*/*.parquet", "*/*/*.parquet")
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\b")
_FIRST_SAFE_VERSION = 4  # older ones can run code that comes with a data set


@contextmanager
def reading(where: str) -> Iterator[None]:
    """DataError for whatever is raised inside; `datasets`, Arrow and HTTP share no base class."""
    try:
        yield
    except IsospikeError:
        raise
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = str(cause).strip() or type(cause).__name__
        raise DataError(f"{where}: cannot be read: {reason}") from error


def check_library() -> None:
    """DataError where `datasets` is missing or old."""
    try:
        import datasets
    except ImportError:
        raise DataError(
            "reading Hugging Face data sets needs more packages: pip install isospike[hub]"
        ) from None
    if int(datasets.__version__.partition(".")[0]) < _FIRST_SAFE_VERSION:
        raise DataError(
            f"datasets {datasets.__version__} can run code that comes with a data set; "
            "pip install --upgrade isospike[hub]"
        )


def remote_splits(repository: str) -> Splits:
    """The splits of a repository of the hub, downloaded once into the cache of `datasets`."""
    from datasets import load_dataset_builder

    with reading(repository):
        builder = load_dataset_builder(repository)
        if builder.name not in _SAFE_BUILDERS:
            raise DataError(
                f"{repository}: its files are of kind {builder.name}; read are parquet, Arrow and "
                "image folders. Convert it with `datasets` (to_parquet) and give hub:DIR."
            )
        builder.download_and_prepare()
        names = [str(name) for name in builder.info.splits or ()]
    return {name: _later(builder.as_dataset, split=name) for name in names}


def folder_splits(folder: Path) -> Splits:
    """The splits of a folder that `save_to_disk` wrote, or that holds parquet files.

    A parquet file belongs to the split that its name starts with (`train-00000-of-00002.parquet`)
    or that a folder above it is named after. Raises DataError where there is neither.
    """
    from datasets import Dataset, DatasetDict, load_dataset, load_from_disk

    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        with reading(str(folder)):
            saved = load_from_disk(folder)
            if isinstance(saved, Dataset):  # without splits: what is measured on, never calibration
                saved = DatasetDict({str(saved.split or "test"): saved})
            return {str(name): partial(_same, part) for name, part in saved.items()}
    files = _parquet_files(folder)
    if not files:
        raise DataError(
            f"{folder}: neither written by save_to_disk (dataset_dict.json) nor holding parquet "
            f"files of a split ({', '.join(KNOWN_SPLITS)})."
        )
    return {
        name: _later(load_dataset, "parquet", data_files={name: paths}, split=name)
        for name, paths in files.items()
    }


def _later(read: Callable[..., object], *args: object, **options: object) -> Callable[[], Dataset]:
    return cast("Callable[[], Dataset]", partial(read, *args, **options))


def _same(dataset: Dataset) -> Dataset:
    return dataset


def _parquet_files(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(path for depth in _DEPTHS for path in folder.glob(depth)):
        *above, name = path.relative_to(folder).parts
        words = [re.split(r"[-_.]", name)[0], *reversed(above)]
        split = next((word for word in words if word in KNOWN_SPLITS), None)
        if split is not None and not any(part.startswith(".") for part in above):
            found.setdefault(split, []).append(path)
    for split, paths in found.items():
        folders = sorted({str(path.parent) for path in paths})
        if len(folders) > 1:
            raise DataError(f"{folder}: {split} stands in {', '.join(folders)}. Give one of them.")
        if missing := _missing(paths):
            raise DataError(f"{folder}: {split} lacks {', '.join(missing)}. Download it again.")
    return {name: [glob.escape(str(path)) for path in paths] for name, paths in found.items()}


def _missing(paths: list[Path]) -> list[str]:
    """Of files named NAME-00000-of-00002.parquet or with a hash behind it, those not there."""
    named = [found for path in paths if (found := _SHARD.match(path.name))]
    there = {(shard[1], shard[3], int(shard[2])) for shard in named}
    wanted = {(name, count, at) for name, count, _ in there for at in range(int(count))}
    return [f"{name}-{at:05d}-of-{count}" for name, count, at in sorted(wanted - there)]
