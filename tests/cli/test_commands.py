"""Every command does what its line in the README says."""

import json
import subprocess
import sys
from importlib import import_module

import pytest
import torch

import isospike as iso
from cli.tool import DATA, NET
from isospike import methods
from isospike.measure.evaluate import Row
from zoo.tiny import images, plain


def test_convert_evaluate_and_audit_one_file(tool):
    made = tool("convert", *NET, *DATA, "--recipe", "opi", "--steps", 8, "--out", "net.iso")
    assert made.code == 0, made.err
    assert "gate: " in made.out
    assert "net.iso: " in made.out
    snn = iso.load(tool.folder / "net.iso")
    x = images(24)
    train = images(32, seed=1)
    assert torch.equal(snn(x), iso.convert(plain(), train, 8, "opi")(x))
    seen = tool(
        "evaluate", "net.iso", *DATA, "--steps", "2,8", "--json", "a.json", "--report", "a.html"
    )
    assert seen.code == 0, seen.err
    assert "report: a.html" in seen.out
    data = json.loads((tool.folder / "a.json").read_text())
    assert [row["steps"] for row in data["results"]] == [2, 8]
    assert data["data"] == {"name": "npz:data.npz", "split": "test", "n": 24}
    correct = (snn(x).argmax(1) == torch.arange(24) % 3).double().mean()
    assert data["results"][1]["accuracy"] == pytest.approx(float(correct))
    assert "<html" in (tool.folder / "a.html").read_text()
    told = tool("audit", "net.iso", *DATA, "--json", "audit.json")
    assert told.code == 0, told.err
    assert "conservation law" in told.out
    assert json.loads((tool.folder / "audit.json").read_text())["sites"]


def test_evaluate_converts_in_memory_by_every_recipe_that_is_named(tool):
    seen = tool(
        "evaluate", *NET, *DATA, "--recipe", "opi", "--recipe", "nq", "--recipe", "spikeconverter",
        "--steps", "1,4", "--json", "a.json",
    )  # fmt: skip
    assert seen.code == 0, seen.err
    rows = json.loads((tool.folder / "a.json").read_text())["results"]
    assert [(row["recipe"], row["steps"]) for row in rows] == [
        (name, steps) for name in ("opi", "nq", "spikeconverter") for steps in (1, 4)
    ]
    skipped = [row for row in rows if "skipped" in row]
    assert {row["recipe"] for row in skipped} == {"nq"}  # a plain ReLU has no learned threshold
    assert all(len(line) <= 80 for line in seen.out.splitlines())


def test_settings_reach_the_recipe(tool):
    words = (*NET, *DATA, "--recipe", "spikeconverter", "--set", "schedule.k=1")
    assert tool("convert", *words, "--out", "k.iso").code == 0
    facts = iso.load(tool.folder / "k.iso").provenance["settings"]
    assert facts["schedule.k"] == 1.0


def test_calibration_images_are_the_training_split_and_no_more_than_asked(tool):
    for size, expected in ((1024, 32), (10, 10)):
        words = (*NET, *DATA, "--recipe", "opi", "--calibration-size", size, "--out", "c.iso")
        assert tool("convert", *words).code == 0
        assert iso.load(tool.folder / "c.iso").provenance["calibration_size"] == expected


def test_the_normalisation_is_kept_and_another_one_refused(tool):
    normalize = ("--normalize", "0.5,0.25:2,1")
    assert tool("convert", *NET, *DATA, *normalize, "--recipe", "opi", "--out", "n.iso").code == 0
    assert tool("evaluate", "n.iso", *DATA, "--steps", "8").code == 0
    assert tool("evaluate", "n.iso", *DATA, *normalize, "--steps", "8").code == 0
    other = tool("evaluate", "n.iso", *DATA, "--normalize", "0,0:1,1", "--steps", "8")
    assert other.code == 2
    assert "0.5,0.25:2,1" in other.err


def test_an_exported_program_is_a_model(tool):
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(plain(), (images(2),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tool.folder / "net.pt2")
    made = tool("convert", "net.pt2", *DATA, "--recipe", "opi", "--out", "p.iso")
    assert made.code == 0, made.err
    expected = iso.convert(plain(), images(32, seed=1), 8, "opi")(images(4))
    assert torch.equal(iso.load(tool.folder / "p.iso")(images(4)), expected)


def test_inspect_shows_every_site_and_every_problem(tool):
    good = tool("inspect", *NET, "--input-shape", "2,8,8")
    assert good.code == 0
    assert "act1" in good.out
    assert "act2" in good.out
    bad = tool("inspect", "net.py:bad", "--input-shape", "2,8,8")
    assert bad.code == 1
    assert "sigmoid" in bad.out.lower()
    assert "gelu" in bad.out.lower()


def test_recipes_lists_all_and_shows_the_card_of_one(tool):
    listed = tool("recipes").out.splitlines()
    first = [line.split()[0] for line in listed if not line.startswith(" ")]
    assert first == methods.names()
    assert all(len(line) <= 80 for line in listed)
    card = tool("recipes", "iso").out
    assert "weights.ridge = 3.0" in card


def test_published_figures_are_shown_with_how_they_are_known(tool):
    seen = tool("recipes", "tcl").out
    figures = " ".join(seen.split("published (")[1].split())
    assert all(f"{word}: {meaning}" in figures for word, meaning in methods.KNOWN.items())
    assert "network VGG-16, steps 250, accuracy 73.87, known abstract" in figures
    several = " ".join(tool("recipes", "spikeconverter").out.split())
    assert "VGG-16, phase 4/8/12/16/32, accuracy 70.27/73.33/73.43/73.47/73.49, known" in several


def test_in_a_pipe_there_is_no_bar_and_no_colour(tool):
    words = ("-m", "isospike", "evaluate", *NET, *DATA, "--recipe", "opi", "--steps", "4")
    done = subprocess.run(
        [sys.executable, *words], cwd=tool.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith("recipe ")


def test_an_interrupted_evaluation_shows_what_is_done(tool, monkeypatch):
    def stop(*args, **options):
        yield [Row("iso", 2, accuracy=0.5, agreement=0.5)]
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("isospike.evaluate"), "recipe_rows", stop)
    seen = tool("evaluate", *NET, *DATA, "--steps", "2,4", "--json", "e.json", "--report", "e.html")
    assert seen.code == 130
    assert "interrupted, not all was run" in seen.out
    assert json.loads((tool.folder / "e.json").read_text())["interrupted"]
    assert "Interrupted: not all was run" in (tool.folder / "e.html").read_text()
