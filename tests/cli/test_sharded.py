"""Commands started as several processes: one table, one file, the same figures, one run."""

import json

import pytest
import torch
from filelock import FileLock

import isospike as iso
from cli.tool import DATA, NET, SMALL
from isospike.cli.trainee import build
from isospike.data.spec import load
from isospike.train.checkpoint import read_tensors
from isospike.train.nq import residual_noise
from isospike.train.resume import MODEL as FILE
from isospike.train.split import split
from launch import launch, told

pytest.importorskip("accelerate")
LOCK = ".lock"


def test_two_processes_say_once_what_one_says(tool):
    words = ("evaluate", *NET, *DATA, "--recipe", "opi", "--steps", "1,4", "--json")
    runs = [
        launch(count, "-m", "isospike", *some, folder=tool.folder)
        for count, some in (
            (1, [*words, "one.json"]),
            (2, [*words, "two.json"]),
            (2, ["convert", *NET, *DATA, "--recipe", "opi", "--out", "net.iso"]),
        )
    ]
    out = [told(run) for run in runs]
    assert out[0] == out[1] != ""
    one, two = (json.loads((tool.folder / f"{name}.json").read_text()) for name in ("one", "two"))
    assert one == two
    assert out[2].count("gate: ") == 1
    assert iso.load(tool.folder / "net.iso").recipe == "opi"


def saved(path):
    """The network of a run, with the noise that it has measured."""
    tensors, facts = read_tensors(path)
    model = build(facts)
    model.load_state_dict(tensors)
    return model.eval()


def test_two_processes_train_one_network(tool):
    """sigma is the root of the mean variance over both shares; the run is written once, and goes on
    as one."""
    words = (
        "-m", "isospike", "train", "--model", "net.py:build", "--activation", "nq", *DATA,
        "--epochs", "1", "--out", "run", "--set", "batch=8", "--set", "validation=6",
        "--set", "noise_grain=channel", "--set", "noise_steps=2", "--init", NET[2],
        "--set", "lr=0.01",
    )  # fmt: skip
    said = told(launch(2, *words, folder=tool.folder))
    assert said.count("epoch   1  loss") == said.count("1 epochs, seed 0") == 1
    assert {path.name for path in (tool.folder / "run").iterdir()} == {
        FILE, "training.json", LOCK
    }  # fmt: skip
    path = tool.folder / "run" / FILE
    model, data = saved(path), load(DATA[1], "train")
    images = data.images[split(data, 6)[1]]
    own = json.loads((tool.folder / "run/training.json").read_text())["history"][0]
    shares = [residual_noise(model, images[i::2], 2, grain="channel") for i in range(2)]
    for name in ("act1", "act2"):
        each = torch.stack([share[name][0] for share in shares])
        sigma = model.get_submodule(name).sigma
        torch.testing.assert_close(sigma, each.square().mean(0).sqrt())
        assert not torch.allclose(each[0], each[1])
        assert own["sigma"][name] == pytest.approx(float(sigma.mean()))
    before = path.read_bytes()
    assert told(launch(2, *words, "--resume", folder=tool.folder)) == said.splitlines(True)[-1]
    assert path.read_bytes() == before


def test_two_processes_are_refused_a_folder_that_another_job_has(tool):
    (tool.folder / "run").mkdir()
    words = ("-m", "isospike", "train", "--model", "net.py:build", *DATA, "--out", "run", *SMALL)
    with FileLock(tool.folder / "run" / LOCK):
        job = launch(2, *words, folder=tool.folder)
        _, wrong = job.communicate(timeout=100)
    assert job.returncode != 0
    assert "another process trains in run" in wrong
    assert {path.name for path in (tool.folder / "run").iterdir()} == {LOCK}
