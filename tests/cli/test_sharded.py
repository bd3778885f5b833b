"""`evaluate` and `convert` started as several processes: one table, one file, the same figures."""

import json

import pytest

import isospike as iso
from cli.tool import DATA, NET
from launch import launch, told

pytest.importorskip("accelerate")


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
