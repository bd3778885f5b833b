"""DIR/training.html: complete, offline, under its own policy, in a headless Chromium too."""

import base64
import hashlib
import json
import subprocess
from functools import cache

import pytest
import torch
from torch import nn

from isospike.data.images import ImageSet
from isospike.errors import FormatError
from isospike.report.training_page import PAGE, measured, render, write
from isospike.train.run import RECORD, Run
from isospike.train.settings import Settings
from report.test_html import HOSTILE, VOID, Page
from report.test_page import CHROMIUM, FLAGS
from report.test_training import HISTORY, gap
from train.task import net, task

DATA = ImageSet("task", "train", *task())
SETTINGS = Settings(activation="nq", noise_steps=2, epochs=1, batch=64, validation=20)
CHARTS = ["chart-history", "chart-residual", "chart-transfer"]
NAMED = {"model": "zoo:net", "settings": {"lr": 0.1}, "data": {"name": "task", "images": 9}}
FACTS = {**NAMED, "history": HISTORY}


@cache
def page_of_a_net() -> str:
    return render(FACTS, 2, *measured(net(), task(12)[0] / 255, 2))


def test_a_run_becomes_a_page(tmp_path):
    run = Run(net(measured=True), DATA, SETTINGS, tmp_path, {"model": "zoo:net"})
    run.go()
    path = write(tmp_path, run.model, DATA)
    assert path == tmp_path / PAGE
    page = Page(path.read_text(encoding="utf-8"))
    figures = page.data()
    assert list(figures) == ["history", "residual", "transfer"]
    assert figures["history"]["data"][0]["name"] == "ANN"
    assert page.all("h1")[0][1] == "zoo:net"


def test_a_run_of_settings_that_are_refused_by_now_becomes_a_page(tmp_path):
    run = Run(net(measured=True), DATA, SETTINGS, tmp_path)
    run.go()
    facts = json.loads((tmp_path / RECORD).read_text())
    facts["settings"] |= {"average": 1.0, "clip": -1.0}
    (tmp_path / RECORD).write_text(json.dumps(facts))
    assert write(tmp_path, run.model, DATA) == tmp_path / PAGE


def test_nothing_is_fetched_and_only_known_scripts_may_run():
    page = Page(page_of_a_net())
    policy = page.policy()
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy.partition("script-src")[2]
    assert not [tag for tag, attrs, _ in page.elements if {"src", "href", "srcset"} & set(attrs)]
    for attrs, text in page.all("script"):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert attrs == {"type": "application/json", "id": "data"} or f"'sha256-{digest}'" in policy
    assert policy.count("sha256-") == 2 == len(page.all("script")) - 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_and_nothing_else(name):
    def tags(name: str) -> list:
        facts = {
            **FACTS,
            "model": name,
            "settings": {name: name},
            "data": {"name": name, "images": 9},
        }
        page = Page(render(facts, 2, {name: gap()}, {"figures": {}, "steps": 2, "images": 9}))
        return [(tag, set(attrs)) for tag, attrs, _ in page.elements if tag not in VOID]

    assert tags(name) == tags("name")


def test_a_network_without_clips_has_a_history_alone():
    relu = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 2))
    source = render(FACTS, 2, *measured(relu, torch.rand(4, 1, 8, 8), 2))
    assert list(Page(source).data()) == ["history"]
    assert "no gap to measure" in source


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", json.dumps(FACTS)])
def test_a_folder_without_a_finished_run_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / RECORD).write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match="not a finished training run"):
        write(tmp_path, net(), DATA)
    assert not (tmp_path / PAGE).exists()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_every_chart_draws_under_the_policy(tmp_path):
    (tmp_path / PAGE).write_text(page_of_a_net(), encoding="utf-8")
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'user'}", "--dump-dom"]
    done = subprocess.run([*command, (tmp_path / PAGE).as_uri()], capture_output=True, timeout=110)
    source = done.stdout.decode()
    assert "CONSOLE" not in done.stderr.decode()
    for chart in CHARTS:
        assert f'id="{chart}"' in source
    assert source.count('data-drawn="yes"') == len(CHARTS)
