"""Small Hugging Face data sets, made without a network; files that are damaged for a while."""

from contextlib import contextmanager

import pytest


@pytest.fixture
def library(tmp_path, monkeypatch):
    """`datasets` that stays offline, with its cache in the test's folder; skips without it."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    return datasets


@pytest.fixture
def make(library):
    """A data set of arrays [H, W] or [H, W, 3], stored as PNG, with labels in named columns."""
    image = pytest.importorskip("PIL.Image")

    def made(arrays, classes=5, **labels):
        labels = labels or {"label": [index % classes for index in range(len(arrays))]}
        kinds = {name: library.ClassLabel(num_classes=classes) for name in labels}
        columns = {"img": [image.fromarray(array) for array in arrays], **labels}
        features = library.Features({"img": library.Image(), **kinds})
        return library.Dataset.from_dict(columns, features=features)

    return made


@pytest.fixture
def damaged():
    """`with damaged(path, cut, flips)`: bytes (place, value) changed, `cut` missing at the end."""

    @contextmanager
    def broken(path, cut, flips):
        whole = path.read_bytes()
        content = bytearray(whole)
        for at, value in flips:
            content[at % len(whole)] = value
        path.unlink()  # a file that is mapped into memory must not change under its reader
        path.write_bytes(content[: -cut or None])
        yield
        path.unlink()
        path.write_bytes(whole)

    return broken
