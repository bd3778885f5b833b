"""What the README shows works as it stands there, on fewer images."""

import re
from pathlib import Path

import pytest
import typer.main

import isospike as iso
from isospike.cli.main import app
from isospike.data import spec

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
(COMMANDS,) = re.findall(r"```\n(isospike .*?)```", README, re.DOTALL)
LINES = re.findall(r"^isospike (\w+) (.*)$", COMMANDS, re.MULTILINE)


@pytest.fixture
def few_images(monkeypatch, tmp_path):
    """In an empty folder, where any data set has its first 48 images only."""
    whole = spec.load
    monkeypatch.setattr(spec, "load", lambda *args: whole(*args).take(48))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_examples_run_one_after_the_other(few_images, capsys):
    names = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102
    assert names["logits"].shape == (48, 10)
    assert names["again"].steps == 8
    assert [path.name for path in few_images.iterdir()] == ["resnet20.iso"]
    assert "act1" in capsys.readouterr().out


def test_the_first_lines_are_the_two_commands():
    commands = [line for line in README.splitlines() if line.startswith("make ")]
    assert [line.split()[1] for line in commands] == ["demo", "test"]
    assert README.index("make demo") < 40


def test_the_commands_and_their_options_exist():
    group = typer.main.get_command(app)
    assert {name for name, _ in LINES} == set(group.commands)
    for name, rest in LINES:
        known = {option for each in group.commands[name].params for option in each.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, name


def test_every_recipe_is_named():
    for name in iso.recipes():
        assert f"`{name}`" in README


def test_links_lead_somewhere():
    for target in re.findall(r"`((?:docs|bench|src|tests)/[\w/.-]*)`", README):
        assert (ROOT / target).exists(), target


def test_the_public_names():
    assert len(iso.__all__) <= 20
    assert sorted(iso.__all__) == iso.__all__
    assert all(hasattr(iso, name) for name in iso.__all__)
