"""`isospike train`: a weight file that every other command takes."""

import json
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cli.tool import SMALL
from isospike.cli import options, train
from isospike.cli.train import choose, typed
from isospike.data.check import check_channels
from isospike.data.spec import load
from isospike.errors import UsageError
from isospike.train.settings import Settings
from zoo.tiny import images, labels


def test_train_evaluate_resume_and_convert_a_user_s_network(tool):
    args = ["--model", "net.py:build", "--activation", "qcfs", "--data", "npz:data.npz",
            "--epochs", 2, "--seed", 1, "--out", "run", "--init", "net.safetensors", *SMALL]  # fmt: skip
    done = tool("train", *args)
    assert done.code == 0, done.err
    assert "epoch   2  loss" in done.out
    assert "run/model.safetensors: net.py:build, qcfs, 2 epochs, seed 1" in done.out
    again = tool("train", *args)
    assert again.code == 2
    assert "--resume" in again.err
    before = (tool.folder / "run/model.safetensors").read_bytes()
    assert tool("train", *args, "--resume").code == 0
    assert (tool.folder / "run/model.safetensors").read_bytes() == before
    net = ["net.py:build", "--weights", "run/model.safetensors", "--data", "npz:data.npz"]
    seen = tool("evaluate", *net, "--recipe", "qcfs", "--steps", "2,4", "--json", "a.json")
    assert seen.code == 0, seen.err
    assert [r["steps"] for r in json.loads((tool.folder / "a.json").read_text())["results"]] == [
        2,
        4,
    ]
    alone = tool("evaluate", "run/model.safetensors", "--data", "npz:data.npz", "--steps", 2)
    assert alone.code == 2
    assert "FILE.py:FUNCTION" in alone.err


def test_a_finished_run_looks_at_neither_images_nor_weights_again(tool):
    args = ["train", "--activation", "qcfs", "--epochs", 1, "--out", "run", *SMALL,
            "--model", "net.py:build", "--data", "npz:data.npz"]  # fmt: skip
    done = tool(*args, "--init", "net.safetensors")
    assert done.code == 0, done.err
    before = (tool.folder / "run/model.safetensors").read_bytes()
    for name in ("net.safetensors", "data.npz", "net.py"):
        (tool.folder / name).unlink()
    again = tool(*args, "--init", "net.safetensors", "--resume")
    assert again.code == 0, again.err
    assert again.out == done.out.splitlines(keepends=True)[-1]
    assert (tool.folder / "run/model.safetensors").read_bytes() == before
    other = tool(
        *args[:-3], "zoo:vgg16", "--data", "npz:more.npz", "--resume", "--precision", "bf16",
        "--seed", 3, "--normalize", "0.5:0.5",
    )  # fmt: skip
    assert other.code == 2
    for text in ("model was net.py:build, not zoo:vgg16", "data name was npz:data.npz",
                 "precision was no, not bf16", "seed was 0, not 3",
                 "normalize was None, not 0.5:0.5"):  # fmt: skip
        assert text in other.err


def test_the_bundled_images_train_and_validate(tool):
    """Of them a share that never trains validates, and the test images are not looked at."""
    (tool.folder / "small.py").write_text(
        "from torch import nn\n\ndef build():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))\n"
    )
    done = tool("train", "--model", "small.py:build", "--activation", "nq", "--data", "fashion-sample",
                "--epochs", 1, "--out", "run", "--set", "validation=50")  # fmt: skip
    assert done.code == 0, done.err
    record = json.loads((tool.folder / "run/training.json").read_text())
    assert record["data"] == {"name": "fashion-sample", "images": load("fashion-sample", "train").n}
    assert record["history"][0]["of"] == 50


def test_the_second_stage_of_rnl_starts_from_the_first(tool):
    args = ["train", "--model", "net.py:build", "--activation", "rnl", "--data", "npz:data.npz",
            "--epochs", 1, *SMALL]  # fmt: skip
    alone = tool(*args, "--out", "second", "--set", "rate_loss=0.1")
    assert alone.code == 2
    assert "--init FILE" in alone.err
    assert tool(*args, "--out", "first").code == 0
    first = "first/model.safetensors"
    done = tool(*args, "--out", "second", "--set", "rate_loss=0.1", "--init", first)
    assert done.code == 0, done.err
    before, after = (load_file(tool.folder / p) for p in (first, "second/model.safetensors"))
    assert {n for n in after if not torch.equal(after[n], before[n])} <= {"act1.p", "act2.p"}
    assert not torch.equal(before["act1.p"], after["act1.p"])


def test_a_network_of_the_zoo_takes_the_shape_and_the_moments_of_the_data(tool):
    args = [
        "--model",
        "zoo:resnet20",
        "--data",
        "npz:data.npz",
        "--epochs",
        1,
        "--out",
        "r",
        *SMALL,
    ]
    done = tool("train", *args, "--activation", "nq")
    assert done.code == 0, done.err
    seen = tool("inspect", "r/model.safetensors", "--input-shape", "2,8,8")
    assert seen.code == 0, seen.err
    assert "1.blocks.8.act2" in seen.out
    more = tool(
        "train", *args[:-len(SMALL) - 1], "more", *SMALL, "--activation", "nq",
        "--init", "r/model.safetensors", "--set", "residual=1,2",
    )  # fmt: skip
    assert more.code == 0, more.err


def test_a_constant_channel_trains(tool):
    x, y = images(32, seed=1).numpy(), labels(32).numpy()
    x[:, 1] = 0.25
    np.savez(tool.folder / "flat.npz", x_train=x, y_train=y)
    done = tool("train", "--model", "zoo:resnet20", "--data", "npz:flat.npz", "--epochs", 1,
                "--out", "r", *SMALL)  # fmt: skip
    assert done.code == 0, done.err


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_with_their_channels_last_are_no_network_of_the_zoo(tool, channels):
    x, y = np.zeros((32, 9, 8, channels), "uint8"), np.arange(32) % 3
    np.savez(tool.folder / "last.npz", x_train=x, y_train=y)
    words = ["train", "--model", "zoo:resnet20", "--data", "npz:last.npz", "--out", "run", *SMALL]
    answer = tool(*words)
    assert answer.code == 1
    for text in (
        "last.npz (train split)",
        f"[9, 8, {channels}] look like",
        "transpose(0, 3, 1, 2)",
    ):
        assert text in answer.err
    assert not (tool.folder / "run").exists()


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 4, 4), (8, 4, 4), (3, 32, 3), (32, 9, 8)])
def test_images_with_their_channels_first_are_taken(shape):
    check_channels(shape, "here")


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_of_the_first_process(tool, monkeypatch):
    def run(out, held, *words):
        return tool(
            "train", "--model", "net.py:build", "--data", "npz:data.npz", "--epochs", 1,
            "--set", "batch=16", "--set", f"validation={held}", "--out", out, *words,
        )  # fmt: skip

    assert run("first", 2).err == ""
    init = ["--init", "first/model.safetensors"]
    first = run("again", 4, *init)
    assert first.code == 0
    assert first.err.startswith(f"warning: {Path(init[1])}: 2 images were kept for validation")
    assert first.err.count("\n") == 1
    monkeypatch.setattr("isospike.cli.main.speaks", lambda: False)
    assert run("other", 4, *init).err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "npz:data.npz"], "--model zoo:NAME"),
        (["--model", "zoo:resnet", "--data", "npz:data.npz"], "did you mean"),
        (["--preset", "nq-cifar10-vgg", "--data", "npz:data.npz"], "unknown preset"),
        (["--model", "net.py:build", "--data", "npz:data.npz", "--set", "lrr=1"], "lrr: unknown"),
        (["--model", "net.py:build", "--data", "npz:data.npz", "--set", "lr=x"], "expected float"),
        (["--model", "net.py:build", "--data", "npz:data.npz", "--set", "lr"], "NAME=VALUE"),
        (
            ["--model", "net.py:bad", "--data", "npz:data.npz", "--activation", "relu"],
            "[B, classes]",
        ),
        (["--model", "net.py:build", "--data", "npz:data.npz", "--activation", "gelu"], "gelu"),
        (["--model", "net.py:build", "--data", "npz:data.npz", "--epochs", 0], "epochs"),
        (["--model", "net.py:build", "--data", "nowhere", "--precision", "fp32"], "no, fp16, bf16"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(tool, words, message):
    answer = tool("train", *words, "--out", "run")
    assert answer.code == 2
    assert message in answer.err
    assert not (tool.folder / "run").exists()


def test_the_figures_of_a_run_are_a_page(tool):
    words = ["--model", "net.py:build", "--activation", "nq", "--data", "npz:data.npz", "--epochs", 1,
             "--out", "run", *SMALL]  # fmt: skip
    done = tool("train", *words, "--report")
    assert done.code == 0, done.err
    assert f"report: {Path('run/training.html')}" in done.out
    assert "Residual of every layer" in (tool.folder / "run/training.html").read_text("utf-8")


def test_epochs_go_to_tensorboard(tool, monkeypatch):
    written = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            self.folder = folder

        def add_scalar(self, name, value, step):
            written.append((self.folder, name, step))

        def flush(self):
            pass

    fake = ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = SummaryWriter  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    done = tool("train", "--model", "net.py:build", "--data", "npz:data.npz", "--epochs", 2,
                "--out", "run", "--tensorboard", *SMALL)  # fmt: skip
    assert done.code == 0, done.err
    assert [row[2] for row in written if row[1] == "accuracy/T=4"] == [1, 2]
    assert {row[0] for row in written} == {str(Path("run/tensorboard"))}


def test_tensorboard_that_is_not_installed_is_told_before_any_work(tool, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    done = tool(
        "train", "--model", "net.py:build", "--data", "nowhere", "--out", "run", "--tensorboard"
    )
    assert done.code == 2
    assert "pip install tensorboard" in done.err
    assert not (tool.folder / "run").exists()


def test_weights_that_do_not_fit_are_named(tool):
    answer = tool(
        "train", "--model", "zoo:resnet20", "--data", "npz:data.npz", "--out", "run",
        "--init", "net.safetensors",
    )  # fmt: skip
    assert answer.code == 1
    assert "net.safetensors: does not fit zoo:resnet20 at" in answer.err


def test_options_go_over_the_preset_and_settings_over_options():
    model, chosen = choose(None, "nq-cifar10-vgg16", {"epochs": 7, "seed": None}, {"lr": "0.5"})
    assert model == "zoo:vgg16"
    assert (chosen.epochs, chosen.lr, chosen.seed) == (7, 0.5, 0)
    assert chosen.weight_decay == Settings().weight_decay


def test_text_takes_the_type_of_the_setting():
    assert typed("residual", "1,2", ()) == (1, 2)
    assert typed("flip", "false", True) is False
    with pytest.raises(UsageError):
        typed("flip", "perhaps", True)


def test_one_epoch_is_one_line():
    row = {"epoch": 3, "loss": 0.5, "of": 200, "correct": {"ann": 180, "1": 100, "4": 150}}
    assert train.line(row) == "epoch   3  loss 0.5000  ann 90.00  T=1 50.00  T=4 75.00"


@pytest.mark.parametrize(("number", "draws"), [(None, True), ("0", True), ("1", False)])
def test_of_several_processes_the_first_draws_the_bar(number, draws, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    if number is not None:
        monkeypatch.setenv("RANK", number)
    made = []
    monkeypatch.setattr(options.Console, "is_terminal", True)
    monkeypatch.setattr(options.Progress, "__init__", lambda self, *c, **k: made.append(k) or 1 / 0)
    with pytest.raises(ZeroDivisionError), options.progress_bar():
        pass
    assert made[0]["disable"] is not draws


def timed(monkeypatch, calls):
    """Seconds left by the bar after each call, which come a second apart."""
    made, left = [], []

    class Timed(options.Progress):
        def __init__(self, *columns, **kwargs):
            super().__init__(*columns, **kwargs, get_time=lambda: float(len(left)))
            made.append(self)

    monkeypatch.setattr(options, "Progress", Timed)
    with options.progress_bar() as update:
        for call in calls:
            update(*call)
            left.append(made[0].tasks[0].time_remaining)
    return left


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("last", [4, 5])
def test_each_stage_of_the_bar_has_its_own_time_left(monkeypatch, first, last):
    stage = range(first, last + 1)  # that ends at 5, or is left at 4
    calls = [(what, done, 5) for what in "abc" for done in stage]
    left = timed(monkeypatch, calls)
    assert left == [5 - done if done > 1 else None for _, done, _ in calls]


def test_words_that_change_do_not_begin_a_stage(monkeypatch):
    assert timed(monkeypatch, [(f"site {n}", n, 9) for n in range(1, 9)])[1:] == [*range(7, 0, -1)]


def test_the_settings_are_all_in_the_documentation_with_their_defaults():
    text = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")
    table = text.partition("| setting | default |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1:3] for row in table.splitlines()[2:]]
    shown = {name.strip(" `"): value.strip(" `") for name, value in rows}
    assert list(shown) == [field.name for field in fields(Settings)]
    for field in fields(Settings):
        if shown[field.name] != "none":
            assert typed(field.name, shown[field.name], field.default) == field.default
        else:
            assert field.default == ()
