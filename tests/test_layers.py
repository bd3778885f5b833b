"""A file imports only from lower layers, and no file imports itself by a detour."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import isospike

ROOT = Path(isospike.__file__).parent

# From the ground up. A name stands for a file or a folder; the longest name that fits counts.
LAYERS = [
    ["errors", "version", "files", "processes"],
    ["activations", "clip_quant", "soft_lif", "data"],
    # What training and tuning share, and what that needs.
    [
        "train.augment",
        "train.autoaugment",
        "train.checkpoint",
        "train.image_ops",
        "train.image_warp",
        "train.policies",
        "train.share",
    ],
    ["graph"],
    ["units"],
    ["schedule"],
    ["program"],
    ["engine"],
    ["network"],
    ["fit", "measure"],
    ["tune"],
    ["recipe", "knobs"],
    ["fit.sweep"],  # the one part of fitting that knows a whole recipe
    ["methods"],
    ["convert"],
    ["evaluation", "rows", "evaluate", "comparison", "file_checks", "serialise", "train", "zoo"],
    ["report"],
    ["isospike"],  # the public names
    ["cli"],
    ["__main__"],
]
# What runs against the order, inside a function, and why.
UPWARD = {("network", "serialise"): "SpikingNetwork.save is one line that hands itself on"}


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "isospike"


@cache
def imports() -> dict[str, set[str]]:
    """File -> files of this package that it imports, anywhere in its text."""
    files = {name_of(file): file for file in ROOT.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name, file in files.items():
        found[name] = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{name}: relative import"
            for module in modules(node):
                short = module.removeprefix("isospike").lstrip(".") or "isospike"
                # `from isospike.fit import bias` names a file, `from isospike.fit.bias import X` an object
                found[name].add(short if short in files else short.rpartition(".")[0] or "isospike")
        found[name] -= {name}
    return found


def modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        names = []
    return [name for name in names if name.partition(".")[0] == "isospike"]


def layer(name: str) -> int:
    heights = {entry: height for height, names in enumerate(LAYERS) for entry in names}
    fitting = [entry for entry in heights if f"{name}.".startswith(f"{entry}.")]
    assert fitting, f"{name} is in no layer: add it to the list"
    return heights[max(fitting, key=len)]


@pytest.mark.parametrize("name", sorted(imports()))
def test_a_file_imports_from_its_own_layer_or_a_lower_one(name):
    above = {other for other in imports()[name] if layer(other) > layer(name)}
    assert above == {other for one, other in UPWARD if one == name}


def test_there_is_no_circle_of_files():
    graph = {
        name: {o for o in others if (name, o) not in UPWARD} for name, others in imports().items()
    }
    list(TopologicalSorter(graph).static_order())  # CycleError names the circle


def test_every_layer_has_files():
    names = set(imports())
    for entry in (entry for names_ in LAYERS for entry in names_):
        assert any(f"{name}.".startswith(f"{entry}.") for name in names), entry


def test_the_graph_knows_nothing_of_spikes():
    for name, others in imports().items():
        if name.partition(".")[0] == "graph":
            assert not others & {"units", "schedule", "program", "engine"}


def test_imports_are_seen():
    """The reader of imports finds them: plain, from a folder, inside a function."""
    assert "graph.ops" in imports()["units.pool"]
    assert "methods" in imports()["convert"]
    assert "serialise" in imports()["network"]
    assert "fit.thresholds" in imports()["recipe"]
