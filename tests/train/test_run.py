"""A run in a folder: cut off at any moment it goes on bit for bit; finished, it is left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from isospike import convert
from isospike.data.check import unit_range
from isospike.data.images import ImageSet
from isospike.errors import FormatError, IsospikeError, UsageError
from isospike.train import checkpoint, run
from isospike.train.check import check
from isospike.train.checkpoint import read_tensors, write_tensors
from isospike.train.prepare import prepare
from isospike.train.run import MODEL, RECORD, Run
from isospike.train.settings import Settings
from isospike.train.split import split
from train.task import net, task

SETTINGS = Settings(
    activation="nq",
    noise_steps=2,
    epochs=3,
    lr=0.05,
    batch=32,
    pad=1,
    flip=False,
    average=0.5,
    validation=50,
)
DATA = ImageSet("task", "train", *task())


def go(
    out: Path, settings: Settings = SETTINGS, resume: bool = False,
    model: nn.Module | None = None, **more,
) -> bytes:  # fmt: skip
    model = net(measured=True) if model is None else model
    return Run(model, DATA, settings, out, **more).go(resume).read_bytes()


def test_the_same_seed_is_the_same_bytes_and_another_is_not(tmp_path):
    first = go(tmp_path / "a")
    assert first == go(tmp_path / "b")
    assert first != go(tmp_path / "c", replace(SETTINGS, seed=1))


@pytest.mark.parametrize(("grain", "mean"), [("layer", True), ("channel", False)])
def test_a_run_that_was_cut_off_goes_on_bit_for_bit(tmp_path, grain, mean):
    settings = replace(SETTINGS, noise_grain=grain, noise_mean=mean)
    whole = go(tmp_path / "whole", settings)

    class CutError(Exception):
        pass

    def cut(what, done, total):
        if what.startswith("epoch 3") and done == 14:  # of 6 steps an epoch
            raise CutError

    with pytest.raises(CutError):
        go(tmp_path / "cut", settings, progress=cut)
    assert not (tmp_path / "cut" / MODEL).exists()
    assert go(tmp_path / "cut", settings, resume=True) == whole
    assert not (tmp_path / "cut" / "checkpoints").exists()


def test_the_bar_is_of_the_whole_run_and_goes_on_where_it_was(tmp_path):
    seen = []
    cut_off(tmp_path)
    go(tmp_path, resume=True, progress=lambda *step: seen.append(step))
    assert seen == [(f"epoch {2 + n // 6} of 3", 7 + n, 18) for n in range(12)]


PATH = [str(Path(__file__).parents[1])]
JOB = """
import sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from train.test_run import go
"""
KILLED = f"{JOB}go(Path(sys.argv[1]), progress=lambda *_: time.sleep(0.02), resume=True)"


def test_kill_9_at_any_moment_loses_at_most_the_running_epoch(tmp_path):
    whole, out = go(tmp_path / "whole"), tmp_path / "killed"
    code = KILLED.format(path=PATH)
    for wait in (0.0, 0.1, 0.25):  # seconds after the first sign of a new epoch
        epochs = reached(out)
        child = subprocess.Popen([sys.executable, "-c", code, str(out)])
        deadline = time.monotonic() + 60
        while child.poll() is None and reached(out) == epochs and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(child.pid, signal.SIGKILL) if child.poll() is None else None
        child.wait()
        assert reached(out) >= epochs
    assert go(out, resume=True) == whole


def reached(out: Path) -> int:
    return len(json.loads((out / RECORD).read_text())["history"]) if (out / RECORD).exists() else 0


def test_a_second_job_in_a_folder_is_refused_and_the_first_goes_on(tmp_path):
    refused = []

    def second(what, done, total):
        if done == 8 and not refused:  # in epoch 2, so that epoch 1 could be gone on from
            code = f"{JOB.format(path=PATH)}go(Path(sys.argv[1]), resume=True)"
            other = [sys.executable, "-c", code, str(tmp_path / "run")]
            refused.append(subprocess.run(other, capture_output=True, text=True, timeout=100))

    whole = go(tmp_path / "whole")
    assert go(tmp_path / "run", progress=second) == whole
    assert refused[0].returncode == 1
    assert f"another process trains in {tmp_path / 'run'}" in refused[0].stderr


def test_of_two_jobs_that_begin_together_one_is_refused(tmp_path):
    """Both have looked at the folder before either of them has written there."""
    code = f"{JOB.format(path=PATH)}go(Path(sys.argv[1]), progress=lambda *_: time.sleep(1))"
    words = [sys.executable, "-c", code, str(tmp_path)]
    jobs = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    deadline = time.monotonic() + 90
    while all(job.poll() is None for job in jobs) and time.monotonic() < deadline:
        time.sleep(0.05)
    ended = [job for job in jobs if job.poll() is not None]
    for job in jobs:
        job.kill()
    said = [job.communicate()[1] for job in jobs]
    assert len(ended) == 1
    assert ended[0].returncode == 1
    assert f"another process trains in {tmp_path}" in said[jobs.index(ended[0])]
    go(tmp_path)  # the lock has gone with its process


def test_a_run_that_ends_while_another_job_waits_for_its_turn_is_left_as_it_is(
    tmp_path, monkeypatch
):
    first, taken = [], run.alone

    def late(out, accelerator):
        if not first:
            first.append(None)
            first[0] = go(out)
        return taken(out, accelerator)

    monkeypatch.setattr(run, "alone", late)
    assert go(tmp_path, resume=True) == first[0]
    first.clear()
    with pytest.raises(UsageError, match="holds a training run"):
        go(tmp_path / "again")


@pytest.mark.parametrize("where", ["file", "file/run"])
def test_a_folder_that_cannot_be_made_is_told_before_the_first_epoch(tmp_path, where):
    (tmp_path / "file").write_text("here")
    began = []
    with pytest.raises(UsageError, match=f"{tmp_path / where} cannot hold a run"):
        go(tmp_path / where, progress=lambda *step: began.append(step))
    assert not began


def test_a_finished_run_is_left_as_it_is(tmp_path):
    first = go(tmp_path)
    stamp = (tmp_path / MODEL).stat().st_mtime_ns
    assert go(tmp_path, resume=True) == first
    assert (tmp_path / MODEL).stat().st_mtime_ns == stamp


def test_a_folder_with_a_run_is_not_written_over(tmp_path):
    go(tmp_path)
    with pytest.raises(UsageError, match="--resume"):
        go(tmp_path)
    with pytest.raises(UsageError, match=r"lr was 0.05, not 0.1.*seed"):
        go(tmp_path, replace(SETTINGS, lr=0.1, seed=3), resume=True)


@pytest.mark.parametrize("refused", [{"average": 1.0}, {"warmup": 1.5}, {"clip": -1.0}])
def test_a_run_of_settings_that_are_refused_by_now_is_compared_all_the_same(tmp_path, refused):
    go(tmp_path)
    tensors, facts = read_tensors(tmp_path / MODEL)
    facts["settings"] |= refused
    write_tensors(tmp_path / MODEL, tensors, facts)
    before = (tmp_path / MODEL).read_bytes()
    ((name, value),) = refused.items()
    with pytest.raises(UsageError, match=f"{tmp_path} holds another run: {name} was {value}, not"):
        go(tmp_path, resume=True)
    assert (tmp_path / MODEL).read_bytes() == before


@pytest.mark.parametrize("settings", [None, "nq", []])
def test_settings_that_are_none_are_no_run(tmp_path, settings):
    go(tmp_path)
    tensors, facts = read_tensors(tmp_path / MODEL)
    write_tensors(tmp_path / MODEL, tensors, {**facts, "settings": settings})
    with pytest.raises(FormatError, match="not a training run of this program"):
        go(tmp_path, resume=True)


def cut_off(out: Path, **more) -> None:
    """A run that was cut off in its second epoch."""

    def cut(what, done, total):
        if what.startswith("epoch 2"):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        go(out, progress=cut, **more)


def test_a_run_goes_on_with_the_same_network_and_images_or_not_at_all(tmp_path):
    cut_off(tmp_path, facts={"model": "zoo:vgg16", "normalize": None})
    other = ImageSet("other", "train", *task(300))
    run = Run(net(measured=True), other, replace(SETTINGS, seed=4), tmp_path, precision="bf16")
    run.facts = {"model": "zoo:resnet20", "normalize": "0.5:0.5"}
    with pytest.raises(UsageError, match="holds another run") as caught:
        run.go(resume=True)
    for text in ("model was zoo:vgg16, not zoo:resnet20", "normalize was None, not 0.5:0.5",
                 "data name was task, not other", "data images was 256, not 300",
                 "precision was no, not bf16", "seed was 0, not 4"):  # fmt: skip
        assert text in str(caught.value)


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_of_the_older_split_never_goes_on_and_is_left_alone_once_done(tmp_path, finished):
    go(tmp_path) if finished else cut_off(tmp_path)
    path = next(tmp_path.rglob(MODEL if finished else "epoch-*.safetensors"))
    tensors, facts = read_tensors(path)
    write_tensors(
        path, tensors, {k: v for k, v in facts.items() if k not in ("split", "precision")}
    )
    if finished:
        assert go(tmp_path, resume=True) == path.read_bytes()
        return
    with pytest.raises(UsageError, match="split was None, not drawn"):
        go(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (lambda n: nn.Sequential(*n[:4], nn.Linear(4 * 36, 3)), "4.bias, 4.weight"),
        (lambda n: nn.Sequential(*n[:4], nn.Linear(4 * 36, 2, bias=False)), "4.bias"),
        (lambda n: nn.Sequential(*n, nn.Linear(2, 2)), "5.bias, 5.weight"),
    ],
)
def test_a_run_of_another_network_is_named_and_does_not_go_on(tmp_path, other, differs):
    cut_off(tmp_path)
    run = Run(other(net(measured=True)), DATA, SETTINGS, tmp_path)
    with pytest.raises(UsageError, match=f"{tmp_path} holds a run of another network.*{differs}:"):
        run.go(resume=True)
    assert reached(tmp_path) == 1


def test_cut_off_between_the_last_checkpoint_and_the_record_it_ends_with_both(
    tmp_path, monkeypatch
):
    def cut(run):
        if len(run.history) == SETTINGS.epochs:
            raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(Run, "record", cut)
        with pytest.raises(InterruptedError):
            go(tmp_path)
    go(tmp_path, resume=True)
    assert reached(tmp_path) == SETTINGS.epochs


def test_an_attempt_that_was_cut_off_before_its_checkpoint_leaves_no_network(tmp_path, monkeypatch):
    """Done again, its epoch is not the same to the bit (a GPU), and ranks lower."""
    measured = iter([50, 60, 40, 45])  # selects: epoch 1, epoch 2 and again, epoch 3

    def ranked(*words):
        count = next(measured)
        return {"correct": {"ann": count}, "of": 50, "selects": count}

    def cut(folder, found):
        if found.epoch == 2:
            raise InterruptedError
        return written(folder, found)

    monkeypatch.setattr("isospike.train.run.validate", ranked)
    written = checkpoint.write
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write", cut)
        with pytest.raises(InterruptedError):
            go(tmp_path)
    go(tmp_path, resume=True)
    facts = read_tensors(tmp_path / MODEL)[1]
    assert [r["selects"] for r in facts["history"]] == [50, 40, 45]
    assert facts["epoch"] == 1


def test_a_run_whose_best_network_is_gone_says_so_before_it_goes_on(tmp_path):
    cut_off(tmp_path)
    next(tmp_path.rglob("best-*.safetensors")).unlink()
    began = []
    with pytest.raises(FormatError, match="network of epoch 1, the best so far, is gone"):
        go(tmp_path, resume=True, progress=lambda *step: began.append(step))
    assert not began


class Odd(torch.nn.Module):
    """Of no fixed graph: it branches on a value."""

    def forward(self, x):
        return x if x.sum() > 0 else -x


def pooled() -> torch.nn.Module:
    """Behind its activation a max-pool."""
    pool, head = torch.nn.MaxPool2d(2), torch.nn.Linear(4 * 9, 2)
    return torch.nn.Sequential(*net(measured=True)[:3], pool, torch.nn.Flatten(), head)


@pytest.mark.parametrize("activation", ["qcfs", "nq"])
def test_a_network_with_max_pooling_trains_as_it_converts(tmp_path, activation):
    torch.manual_seed(0)
    run = Run(pooled(), DATA, replace(SETTINGS, activation=activation), tmp_path)
    kept, facts = read_tensors(run.go())
    best = facts["history"][facts["epoch"] - 1]
    model = pooled()
    model.load_state_dict(kept)
    _, numbers = split(DATA, SETTINGS.validation)
    x, labels = unit_range(DATA.images[numbers]), DATA.labels[numbers]
    right = (convert(model, x, 4, activation)(x).argmax(1) == labels).sum()
    assert best["correct"]["4"] == int(right)
    assert float(kept["2.sigma"]) > 0


class Auxiliary(torch.nn.Sequential):
    """A second result in training, as GoogLeNet has it."""

    def forward(self, x):
        y = super().forward(x)
        return (y, y) if self.training else y


class Stateful(torch.nn.Sequential):
    def get_extra_state(self):
        return {"calls": 3}


RELU = torch.nn.Sequential(*net(measured=True)[:2], torch.nn.ReLU(), *net(measured=True)[3:])
BAD = {
    "labels": (
        net(measured=True),
        ImageSet("task", "train", task()[0], task()[1] + 1),
        {},
        "only 2 outputs",
    ),
    "branch": (torch.nn.Sequential(Odd(), *net(measured=True)), DATA, {}, "cannot be captured"),
    "relu and branch": (
        torch.nn.Sequential(Odd(), *RELU),
        DATA,
        {"activation": "relu"},
        "cannot be captured",
    ),
    "no logits": (net(measured=True)[:3], DATA, {}, r"logits \[B, classes\]"),
    "fresh": (net(measured=True), DATA, {"residual": (1, 2)}, "start from one .--init FILE"),
    "fresh rnl": (
        net(measured=True),
        DATA,
        {"activation": "rnl", "rate_loss": 0.1},
        "start from one",
    ),
    "no clip": (RELU, DATA, {"activation": "relu", "residual": (1, 2)}, "no clip"),
    "max-pool": (pooled(), DATA, {"residual": (1, 2)}, r"max-pooling \(3\).*pool=average"),
    "not prepared": (RELU, DATA, {}, "activation nq: the model has no clip.*prepare it first"),
    "tuple": (Auxiliary(*net()), DATA, {}, "logits.*got a tuple in train mode"),
    "float64": (deepcopy(net()).double(), DATA, {}, r"in float32, and 0.weight \(float64\)"),
    "bfloat16": (deepcopy(net()).bfloat16(), DATA, {}, r"0.weight \(bfloat16\).*model.float"),
    "state": (Stateful(*net()), DATA, {}, r"_extra_state \(a dict of get_extra_state\)"),
    "all of it": (
        Stateful(*RELU),
        DATA,
        {"residual": (1, 2)},
        "start from one.*prepare it first.*_extra_state",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_end_well_does_not_begin(tmp_path, what):
    model, data, changes, message = BAD[what]
    began = []
    run = Run(
        model,
        data,
        replace(SETTINGS, **changes),
        tmp_path / "run",
        trained=what in ("no clip", "max-pool"),
    )
    run.progress = lambda *step: began.append(step)
    with pytest.raises(IsospikeError, match=message):
        run.go()
    assert not began
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("activation", ["relu", "nq", "rnl", "dual-phase"])
def test_what_is_looked_at_before_leaves_network_and_random_numbers_as_they_were(activation):
    relus = nn.Sequential(*RELU[:3], nn.Dropout(), *RELU[3:])
    model = prepare(relus, activation) if activation != "relu" else deepcopy(relus)
    settings = replace(SETTINGS, activation=activation)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(7)
    state = torch.get_rng_state()
    check(model, DATA, settings, False, split(DATA, 50))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


class Twice(nn.Module):
    """Its first layers have two names."""

    def __init__(self):
        super().__init__()
        whole = net(measured=True)
        self.body, self.head = whole[:3], whole[3:]
        self.layers = nn.ModuleList([self.body, self.head])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def test_a_network_of_which_a_part_has_two_names_trains_and_goes_on(tmp_path):
    done = go(tmp_path / "one", model=Twice())
    cut_off(tmp_path / "two", model=Twice())
    assert go(tmp_path / "two", resume=True, model=Twice()) == done
    tensors, _ = read_tensors(tmp_path / "one" / MODEL)
    go(tmp_path / "plain")
    alone, _ = read_tensors(tmp_path / "plain" / MODEL)
    for name, tensor in tensors.items():
        if name.startswith("body."):
            assert torch.equal(tensor, tensors[name.replace("body", "layers.0")])
            assert torch.equal(tensor, alone[name.removeprefix("body.")])


@pytest.mark.parametrize(
    ("activation", "lr"),
    [("relu", 1e4), ("relu", 1e8), ("qcfs", 1e8), ("nq", 1e6), ("nq", 1e12)],
)
def test_a_run_that_diverges_says_so_and_keeps_nothing_of_it(tmp_path, activation, lr):
    settings, said = replace(SETTINGS, activation=activation, lr=lr), []
    for resume in (False, True):
        run = Run(deepcopy(RELU) if activation == "relu" else net(), DATA, settings, tmp_path)
        with pytest.raises(UsageError, match="training diverged") as caught:
            run.go(resume)
        epochs = len(run.history)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert said[0].startswith(f"epoch {epochs + 1}: training diverged, ")
    assert said[0].endswith(f"try a lower lr (it was {lr:g}) or --set clip=1, with another --out")
    assert reached(tmp_path) == epochs
    for path in tmp_path.rglob("*.safetensors"):
        assert all(bool(tensor.isfinite().all()) for tensor in read_tensors(path)[0].values())


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_what_to_do_against_divergence_is_what_is_not_done(tmp_path, clip):
    run = Run(net(), DATA, replace(SETTINGS, clip=clip), tmp_path, precision="fp16")
    assert ("--set clip=1" in run.calmer()) == (clip == 0)
    assert "--precision bf16" in run.calmer()


def test_validation_images_are_made_float_batch_by_batch(tmp_path, monkeypatch):
    made = []

    def counted(images):
        made.append(len(images))
        return unit_range(images)

    monkeypatch.setattr("isospike.train.validate.BATCH", 20)
    for place in ("run", "check", "validate"):
        monkeypatch.setattr(f"isospike.train.{place}.unit_range", counted)
    go(tmp_path, replace(SETTINGS, epochs=1))  # 50 images validate
    assert max(made) == 20


def test_the_best_epoch_by_spiking_accuracy_on_validation_is_kept(tmp_path):
    go(tmp_path, replace(SETTINGS, epochs=5, lr=0.02))
    tensors, facts = read_tensors(tmp_path / MODEL)
    history = facts["history"]
    best = max(range(5), key=lambda e: (history[e]["selects"], history[e]["correct"]["ann"], e))
    assert facts["epoch"] == best + 1
    assert history[best]["selects"] == history[best]["correct"]["4"]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert set(tensors) == set(net(measured=True).state_dict())


def test_the_noise_starts_at_nothing_and_follows_the_gap(tmp_path):
    sigmas = []
    run = Run(net(measured=True), DATA, SETTINGS, tmp_path)
    run.report = lambda row: sigmas.append(row["sigma"]["2"])
    model = run.model
    run.progress = lambda what, done, total: (
        sigmas.append(float(model[2].sigma)) if done % (total // 3) == 1 else None
    )
    run.go()
    assert sigmas[0] == 0.0
    assert sigmas[1] == pytest.approx(sigmas[2])  # measured after epoch 1, felt in epoch 2
    assert sigmas[3] == pytest.approx(sigmas[4])
    assert sigmas[1] > 0


def test_any_activation_may_ask_for_measured_noise(tmp_path):
    for name, asks in (("qcfs", True), ("qcfs", False), ("nq", False)):
        rows, model = [], net(measured=asks)
        settings = replace(SETTINGS, activation=name, epochs=1)
        Run(model, DATA, settings, tmp_path / f"{name}{asks}", report=rows.append).go()
        felt = asks or name == "nq"  # the clip's own word, or the activation's
        assert ("sigma" in rows[0]) == felt == (float(model[2].sigma) > 0)


def test_a_relu_network_is_kept_by_its_own_accuracy(tmp_path):
    relu = torch.nn.Sequential(*net(measured=True)[:2], torch.nn.ReLU(), *net(measured=True)[3:])
    settings = replace(SETTINGS, activation="relu")
    Run(relu, DATA, settings, tmp_path).go()
    row = read_tensors(tmp_path / MODEL)[1]["history"][0]
    assert set(row["correct"]) == {"ann"}
    assert "sigma" not in row


def test_the_mean_of_the_gap_is_logged_and_used_where_it_is_asked_for(tmp_path):
    found = {}
    for mean in (False, True):
        rows, model = [], net(measured=True)
        settings = replace(SETTINGS, noise_mean=mean, average=0.0)
        Run(model, DATA, settings, tmp_path / str(mean), report=rows.append).go()
        found[mean] = rows[-1]["mu"]["2"], float(model[2].mu)
    assert found[False][0] != 0.0
    assert found[False][1] == 0.0
    assert found[True][1] == pytest.approx(found[True][0])
