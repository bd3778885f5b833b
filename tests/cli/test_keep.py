"""`--keep`: functions that stay analogue, on the command line and in the reports."""

import json

import pytest

import isospike as iso
from cli.tool import DATA

GATED = ("net.py:gated", "--weights", "net.safetensors")
KEEP = ("--keep", "mul", "--keep", "sigmoid")
SITES = ["sigmoid", "mul"]


def test_without_it_the_refusal_names_the_words_to_keep(tool):
    refused = tool("evaluate", *GATED, *DATA, "--recipe", "opi", "--steps", "4")
    assert refused.code == 1
    assert "keep=['sigmoid']" in refused.err
    half = tool("inspect", *GATED, "--input-shape", "2,8,8", *KEEP[:2])
    assert half.code == 1
    assert "1 problem:" in half.out
    assert tool("inspect", *GATED, "--input-shape", "2,8,8", *KEEP).code == 0


def test_a_network_is_converted_with_what_is_kept(tool):
    made = tool("convert", *GATED, *DATA, *KEEP, "--recipe", "opi", "--out", "g.iso")
    assert made.code == 0, made.err
    assert made.out.count("stays analogue") == 2
    assert iso.load(tool.folder / "g.iso").provenance["hardware_class"] == "H4"
    told = tool("evaluate", "g.iso", *DATA, "--steps", "4")
    assert "kept analogue" in told.out


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_reports_tell_what_is_kept(tool, command):
    recipes = {
        "evaluate": ("--recipe", "opi", "--recipe", "spikeconverter"),
        "compare": ("--recipes", "opi,spikeconverter"),
    }[command]
    files = ("--json", "k.json", "--report", "k.html")
    seen = tool(command, *GATED, *DATA, *KEEP, *recipes, "--steps", "4", *files)
    assert seen.code == 0, seen.err
    assert "kept analogue (H4)" in seen.out
    assert all(len(line) <= 80 for line in seen.out.splitlines())
    found = json.loads((tool.folder / "k.json").read_text())
    assert sorted(site["op"] for site in found["kept"]) == ["product", "sigmoid"]
    rows = {row["recipe"]: row for row in found["results"]}
    assert rows["opi"]["hardware_class"] == "H4"
    assert rows["spikeconverter"]["hardware_class"] == "H4"
    page = (tool.folder / "k.html").read_text()
    assert page.count("Kept analogue") == 1
    assert "<code>sigmoid</code> (sigmoid)" in page


def test_a_converted_network_has_nothing_to_keep(tool):
    assert tool("convert", *GATED, *DATA, *KEEP, "--recipe", "opi", "--out", "g.iso").code == 0
    refused = tool("evaluate", "g.iso", *DATA, "--steps", "4", *KEEP)
    assert refused.code == 2
    assert "--keep" in refused.err
    with pytest.raises(iso.UsageError, match="keep="):
        iso.evaluate(iso.load(tool.folder / "g.iso"), [], 4, keep=["mul"])
