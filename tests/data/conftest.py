"""Small Hugging Face data sets, made without a network."""

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
