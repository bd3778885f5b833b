"""`evaluate` and `convert` started as several processes: one table, one file, the same figures."""

import json
import os
import subprocess
import sys

import pytest

import isospike as iso
from cli.tool import DATA, NET

pytest.importorskip("accelerate")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def started(folder, count, *words):
    """As `accelerate launch` starts processes, also where there are only CPUs."""
    launch = [
        "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(count),
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--main_process_port", "0",
    ] if count > 1 else []  # fmt: skip
    return subprocess.Popen(
        [sys.executable, *launch, "-m", "isospike", *words], cwd=folder, env=ENVIRONMENT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_processes_say_once_what_one_says(tool):
    words = ("evaluate", *NET, *DATA, "--recipe", "opi", "--steps", "1,4", "--json")
    runs = [
        started(tool.folder, 1, *words, "one.json"),
        started(tool.folder, 2, *words, "two.json"),
        started(tool.folder, 2, "convert", *NET, *DATA, "--recipe", "opi", "--out", "net.iso"),
    ]
    out = []
    for run in runs:
        told, wrong = run.communicate(timeout=110)
        assert run.returncode == 0, wrong
        out.append(told)
    assert out[0] == out[1] != ""
    one, two = (json.loads((tool.folder / f"{name}.json").read_text()) for name in ("one", "two"))
    assert one == two
    assert out[2].count("gate: ") == 1
    assert iso.load(tool.folder / "net.iso").recipe == "opi"
