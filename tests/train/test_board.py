"""The rows of a run as scalars."""

import sys

import pytest

from isospike.errors import UsageError
from isospike.train.board import board, scalars

ROW = {"epoch": 2, "loss": 0.5, "of": 200, "correct": {"ann": 180, "4": 150}, "selects": 150}


def test_accuracies_are_fractions_by_reading():
    assert scalars(ROW) == {"loss": 0.5, "accuracy/ann": 0.9, "accuracy/T=4": 0.75}
    assert scalars({**ROW, "sigma": {"act": 0.25}})["sigma/act"] == 0.25


def test_without_the_package_nothing_starts(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match="pip install tensorboard"):
        board(tmp_path)
    assert not list(tmp_path.iterdir())


def test_epochs_are_read_back(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write = board(tmp_path)
    for epoch in (1, 2):
        write({**ROW, "epoch": epoch, "loss": 1 / epoch})
    found = events.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("loss")] == [(1, 1.0), (2, 0.5)]
