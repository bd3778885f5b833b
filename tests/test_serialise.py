"""What is saved is loaded bit for bit, and a failed save costs nothing that was there."""

import copy
import json
import os
import stat
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

import isospike as iso
from abuse.files import pooled_plan
from isospike.files import atomic_write
from isospike.graph.pool import apply_pool_policy
from isospike.schedule import Separated, Synchronous
from zoo.tiny import converted, images, plan_for

IMAGES = images()
VARIANTS = {
    "iso": ("iso", {}),
    "per-layer numbers": ("opi", {}),
    "hard reset": ("rueckauer", {"neuron.reset": "hard"}),
    "compensated coder": ("ic-snn", {}),
    "bernoulli": ("rmp", {"coder": "bernoulli", "coder.seed": 5}),
    "separated": ("spikeconverter", {"schedule.k": 1.5, "schedule.extra": 1}),
    "clip": ("qcfs", {}),
}


@pytest.mark.parametrize(("recipe", "settings"), VARIANTS.values(), ids=VARIANTS)
def test_a_loaded_network_is_the_saved_one_bit_for_bit(tmp_path, recipe, settings):
    snn = iso.convert(plan_for(iso.recipe(recipe, settings)), IMAGES, 5)
    snn.save(tmp_path / "a.iso")
    again = iso.load(tmp_path / "a.iso")
    assert again.steps == 5
    assert again.provenance == json.loads(json.dumps(snn.provenance))
    assert again.program.graph.nodes == snn.program.graph.nodes
    assert again.program.schedule == snn.program.schedule
    assert again.program.coder == snn.program.coder
    one, other = snn.run(IMAGES, [3, 5]), again.run(IMAGES, [3, 5])
    for steps in (3, 5):
        assert torch.equal(one.outputs[steps], other.outputs[steps])
        for site, at in one.counts.items():
            assert torch.equal(at[steps], other.counts[site][steps])
    assert torch.equal(again.unspike()(IMAGES), snn.unspike()(IMAGES))


@pytest.mark.parametrize("policy", ["gated", "average", "pre-neuron", "exact"])
def test_every_pool_policy_is_saved(tmp_path, policy):
    plan = replace(pooled_plan(), recipe=iso.recipe("opi", {"pool": policy}))
    plan = replace(plan, graph=apply_pool_policy(plan.original(), policy), fitted={})
    snn = iso.convert(plan, IMAGES, 4)
    snn.save(tmp_path / "a.iso")
    assert torch.equal(iso.load(tmp_path / "a.iso")(IMAGES), snn(IMAGES))


def test_saving_again_gives_the_same_bytes(tmp_path):
    converted("iso").save(tmp_path / "a.iso")
    iso.load(tmp_path / "a.iso").save(tmp_path / "b.iso")
    assert (tmp_path / "a.iso").read_bytes() == (tmp_path / "b.iso").read_bytes()


def test_a_double_network_stays_one(tmp_path):
    snn = copy.deepcopy(converted("spikeconverter")).double()
    snn.save(tmp_path / "a.iso")
    again = iso.load(tmp_path / "a.iso")
    assert torch.equal(again(IMAGES.double()), snn(IMAGES.double()))


def test_a_tensor_that_two_graphs_share_is_stored_once(tmp_path):
    snn = converted("opi")  # no weights are changed: graph and source share them all
    snn.save(tmp_path / "a.iso")
    with safe_open(tmp_path / "a.iso", "pt") as file:
        names = list(file.keys())
    assert not any(name.startswith("source/") for name in names)
    assert len(names) == len(snn.program.graph.tensors) + 2 * len(snn.program.units)


def test_the_file_holds_no_code(tmp_path):
    converted("iso").save(tmp_path / "a.iso")
    content = (tmp_path / "a.iso").read_bytes()
    assert b"pickle" not in content
    assert b"\x80\x02" not in content[:8]
    with safe_open(tmp_path / "a.iso", "pt") as file:
        header = json.loads(file.metadata()["isospike"])
    assert header["version"] == 1
    assert header["provenance"]["calibration_size"] == 24


# --- a write that fails ---------------------------------------------------------------------------


FAILURES = {"fsync": "os.fsync", "replace": "os.replace", "chmod": "os.chmod"}


@pytest.mark.parametrize("call", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, call, error):
    path = tmp_path / "a.iso"
    converted("opi").save(path)
    before = path.read_bytes()

    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises(type(error)):
            converted("iso").save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert torch.equal(iso.load(path)(IMAGES), converted("opi")(IMAGES))


def test_a_full_disk_in_the_middle_of_the_bytes(tmp_path, monkeypatch):
    path = tmp_path / "a"
    atomic_write(path, b"old")

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, data):
            self.file.write(data[:100])
            raise OSError(28, "No space left on device")

    real = os.fdopen
    monkeypatch.setattr("os.fdopen", lambda *args: Full(real(*args)))
    with pytest.raises(OSError, match="No space"):
        atomic_write(path, b"new" * 1000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_where_there_is_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        converted().save(tmp_path / "no" / "a.iso")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        converted().save(tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_left_alone(tmp_path):
    path = tmp_path / "a.iso"
    converted("opi").save(path)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            converted("iso").save(path)
    finally:
        tmp_path.chmod(0o755)
    assert torch.equal(iso.load(path)(IMAGES), converted("opi")(IMAGES))


def test_a_new_file_has_the_rights_that_others_would_have(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    atomic_write(tmp_path / "ours", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")}
    assert len(modes) == 1


def test_a_long_name_is_written(tmp_path):
    atomic_write(tmp_path / ("n" * 250), b"x")
    assert (tmp_path / ("n" * 250)).read_bytes() == b"x"


@pytest.mark.parametrize("schedule", [Synchronous(decoder="loud"), Separated(early=1.5)])
def test_a_schedule_with_a_value_of_no_meaning_is_refused(schedule, tmp_path):
    snn = converted("spikeconverter" if isinstance(schedule, Separated) else "iso")
    wrong = replace(snn.program, schedule=schedule)
    iso.SpikingNetwork(wrong, 8).save(tmp_path / "a.iso")
    with pytest.raises(iso.FormatError, match=r"schedule\.(decoder|early) must be"):
        iso.load(tmp_path / "a.iso")
