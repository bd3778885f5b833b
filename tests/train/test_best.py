"""The network that is kept is that of the epoch the history says, wherever a run was cut off."""

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isospike.errors import FormatError
from isospike.train import best
from isospike.train.checkpoint import KEPT, Checkpoint, latest, read_tensors, write, write_tensors

RANKS = st.integers(0, 3)


def row(epoch, selects, ann=0):
    return {"epoch": epoch, "selects": selects, "correct": {"ann": ann}}


@given(st.lists(st.tuples(RANKS, RANKS), min_size=1))
def test_the_best_epoch_ranks_highest_and_is_the_last_of_equals(ranks):
    history = [row(n + 1, *pair) for n, pair in enumerate(ranks)]
    assert best.best(history, 4) == max((*pair, n + 1) for n, pair in enumerate(ranks))[2]
    assert best.best(history, 0) == len(ranks)


@given(
    st.lists(st.tuples(RANKS, st.sampled_from(["", "best", "checkpoint", "damaged"])), max_size=12)
)
def test_network_and_history_are_of_one_attempt_whenever_it_is_cut_off(attempts):
    """An attempt at an epoch has a rank of its own: done again, an epoch comes out otherwise."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        for number, (selects, cut) in enumerate(attempts):
            found = latest(folder)
            history = [] if found is None else list(found.facts["history"])
            tensor = {"attempt": torch.tensor(number)}
            history.append({**row(len(history) + 1, selects), "attempt": number})
            if best.best(history, 4) == len(history):
                best.write(folder, len(history), tensor, {})
            if cut == "best":
                continue
            path = write(folder, Checkpoint(len(history), tensor, {"history": history}))
            if cut == "damaged" and len(history) > 1:
                path.unlink()  # as if it could not be read; the one before it counts
            if cut != "checkpoint":
                best.remove_others(folder, history, 4)
                assert len(list(folder.glob("best-*"))) <= KEPT
            found = latest(folder)
            assert found is not None
            history = found.facts["history"]
            kept, facts = read_tensors(best.find(folder, history, 4))
            assert kept["attempt"] == history[best.best(history, 4) - 1]["attempt"]
            assert facts["epoch"] == best.best(history, 4)


def test_a_run_that_was_begun_under_the_older_name_goes_on(tmp_path):
    history = [row(1, 1), row(2, 5), row(3, 4)]
    write_tensors(tmp_path / best.OLDER, {"w": torch.ones(1)}, {"epoch": 2})
    assert best.find(tmp_path, history, 4) == tmp_path / best.OLDER
    with pytest.raises(FormatError, match=f"network of epoch 3.*delete {tmp_path}"):
        best.find(tmp_path, history, 0)
