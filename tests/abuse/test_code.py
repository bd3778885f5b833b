"""No file of the package runs code that comes out of data, and the search for it finds it."""

import re
import zipfile
from pathlib import Path

import pytest

import isospike
from abuse.code import SUFFIXES, forbidden, of_wheel

ROOT = Path(isospike.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def test_no_code_out_of_data():
    found = [
        f"{file.relative_to(ROOT)}: {f}" for file in FILES for f in forbidden(file.read_text())
    ]
    assert len(FILES) > 150
    assert found == []
    assert [file for file in ROOT.rglob("*") if file.name.endswith(SUFFIXES)] == []


CODE = {
    "import pickle": "pickle",
    "def f():\n    from pickle import loads": "line 2: pickle",
    "import yaml.constructor as y": "yaml",
    "x = eval(text)": r"eval\(",
    "exec(text)": r"exec\(",
    "__import__('os')": "__import__",
    "torch.load(path, weights_only=True)": r"torch\.load",
    "from torch import load as read": r"torch\.load",
    "from os import path, system": r"os\.system",
    "np.load(path)": r"np\.load",
    "os.system('ls')": r"os\.system",
    "from urllib.request import urlopen": "urllib",
    "import tarfile": "tarfile",
    "archive.extractall(folder)": "extractall",
    "shutil.unpack_archive(path)": "unpack_archive",
    "run(words, shell=True)": "shell",
    "read(file, allow_pickle=True)": "allow_pickle",
}
HARMLESS = [
    "model.eval()", "loader.exec_module(module)", "re.compile('a')", "torch.compile(model)",
    "np.load(file, allow_pickle=False)", "torch.export.load(path)", "word = 'eval(x)'",
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), CODE.items())
def test_it_is_found(text, told):
    (found,) = forbidden(text)
    assert re.search(told, found)


@pytest.mark.parametrize("text", HARMLESS)
def test_its_namesakes_are_not(text):
    assert list(forbidden(text)) == []


def test_a_wheel_is_searched(tmp_path):
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("a/b.py", "x = eval('1')")
        wheel.writestr("a/c.py", "x = 1")
        wheel.writestr("a/d.pkl", b"")
    assert of_wheel(path) == (2, ["a/b.py: line 1: eval(...)", "a/d.pkl: data"])
