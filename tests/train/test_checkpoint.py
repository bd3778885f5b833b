"""Checkpoints: whole or absent, the newest is found, damage is named."""

import pytest
import torch

from isospike.errors import FormatError
from isospike.train import checkpoint
from isospike.train.checkpoint import (
    KEPT,
    Checkpoint,
    latest,
    newest,
    part,
    read_tensors,
    under,
    unwritable,
    write,
    write_tensors,
)


def state(epoch: int) -> Checkpoint:
    return Checkpoint(epoch, {"model.w": torch.full((2,), float(epoch))}, {"history": [1, 2.5]})


def test_the_newest_is_read_and_the_oldest_go(tmp_path):
    for epoch in (1, 2, 9, 10):
        write(tmp_path, state(epoch))
    found = latest(tmp_path)
    assert found is not None
    assert found.epoch == 10
    assert found.facts["history"] == [1, 2.5]
    assert torch.equal(found.tensors["model.w"], torch.full((2,), 10.0))
    assert len(list(tmp_path.glob("epoch-*"))) == KEPT


def test_an_empty_folder_has_none(tmp_path):
    assert latest(tmp_path) is None
    assert latest(tmp_path / "not there") is None


def test_files_that_were_cut_off_while_written_are_not_seen(tmp_path):
    write(tmp_path, state(1))
    (tmp_path / ".epoch-0002.safetensors.x7").write_bytes(b"half")
    (tmp_path / "epoch-new.safetensors").write_bytes(b"of another hand")
    found = latest(tmp_path)
    assert found is not None
    assert found.epoch == 1


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\x08" + bytes(15)])
def test_damage_is_named(tmp_path, content):
    (tmp_path / "epoch-0003.safetensors").write_bytes(content)
    with pytest.raises(FormatError, match="epoch-0003"):
        latest(tmp_path)


@pytest.mark.parametrize("kept", [4, -1])
def test_a_damaged_newest_gives_way_to_the_one_before_it(tmp_path, kept):
    for epoch in (1, 2):
        write(tmp_path, state(epoch))
    path = tmp_path / "epoch-0002.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.warns(UserWarning, match=r"epoch-0002.*going on after epoch 1"):
        found = latest(tmp_path)
    assert found is not None
    assert found.epoch == 1
    (tmp_path / "epoch-0001.safetensors").write_bytes(b"half")
    with pytest.raises(FormatError, match=r"epoch-0002.*delete"):
        latest(tmp_path)


def test_the_newest_is_found_without_reading_a_tensor(tmp_path, monkeypatch):
    path = write(tmp_path, state(1))
    found = latest(tmp_path)
    assert found is not None
    monkeypatch.setattr(checkpoint, "read_tensors", None)
    assert newest(tmp_path) == (path, found.facts)


@pytest.mark.parametrize("facts", ["[1]", "{", '{"epoch": "7"}', "{}"])
def test_a_weight_file_of_another_origin_is_no_checkpoint(tmp_path, facts):
    from safetensors.torch import save_file

    path = tmp_path / "epoch-0001.safetensors"
    save_file({"w": torch.ones(1)}, path, {"isospike": facts})
    with pytest.raises(FormatError):
        latest(tmp_path)


def test_the_same_content_is_the_same_bytes(tmp_path):
    tensors = {"b": torch.randn(3, 4).t(), "a": torch.arange(3)}
    for name in ("x", "y"):
        write_tensors(tmp_path / name, tensors, {"k": [1], "a": 2})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    back, facts = read_tensors(tmp_path / "x")
    assert torch.equal(back["b"], tensors["b"])
    assert facts == {"k": [1], "a": 2}


def test_tensors_that_share_memory_are_each_written_whole(tmp_path):
    whole = torch.arange(6.0)
    shared = {"a": whole, "b": whole, "c": whole[2:4], "d": whole.view(2, 3).t()}
    for name, tensors in {"x": shared, "y": {n: t.clone() for n, t in shared.items()}}.items():
        write_tensors(tmp_path / name, tensors, {})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    back, _ = read_tensors(tmp_path / "x")
    assert all(torch.equal(back[name], tensor) for name, tensor in shared.items())


def test_what_cannot_be_written_is_named():
    state = {"w": torch.ones(2), "s": torch.ones(2, 2).to_sparse(), "e": {"calls": 3}}
    assert unwritable(state) == ["s (sparse_coo)", "e (a dict of get_extra_state)"]


def test_parts_come_apart_as_they_were_put_together():
    a, b = {"x": torch.ones(1)}, {"x.y": torch.zeros(1)}
    whole = {**under("model", a), **under("averaged", b)}
    assert part(whole, "model") == a
    assert part(whole, "averaged") == b
