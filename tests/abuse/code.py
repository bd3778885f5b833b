"""What must stand in no file of the package: code that comes out of data, a way to fetch some, or
to unpack an archive into a folder.

python tests/abuse/code.py WHEEL        the same over a built wheel; exit code 1 where it finds some
"""

from __future__ import annotations

import ast
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "yaml"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {"torch.load", "torch.hub.load", "os.system", "os.popen"}
NETWORK = {"urllib", "requests", "http", "ftplib", "socket", "httpx", "tarfile"}
UNPACKED = ("extract", "extractall", "unpack_archive")  # methods and functions
ARRAYS = {"np.load", "numpy.load"}  # with allow_pickle=False in the call
SUFFIXES = (".pkl", ".pickle", ".pt", ".pth", ".npy", ".npz", ".joblib")  # data that may hold code


def forbidden(text: str) -> Iterator[str]:
    """`line 3: eval(...)` for each place of a Python file."""
    for node in ast.walk(ast.parse(text)):
        if found := _what(node):
            yield f"line {getattr(node, 'lineno', 0)}: {found}"


def _what(node: ast.AST) -> str:
    if isinstance(node, ast.Import | ast.ImportFrom):
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        names = [alias.name for alias in node.names]
        names = [f"{module}.{name}" for name in names] if module else names
        known = CALLS | ARRAYS
        return ", ".join(n for n in names if n in known or n.partition(".")[0] in MODULES | NETWORK)
    if not isinstance(node, ast.Call):
        return ""
    name = ast.unparse(node.func)
    given = {str(k.arg): ast.unparse(k.value) for k in node.keywords}
    unsafe = {key for key, value in given.items() if value == "True"}
    arrays = name in ARRAYS and given.get("allow_pickle") != "False"
    unpacked = name.rpartition(".")[2] in UNPACKED
    if arrays or unpacked or name in BUILTINS | CALLS or name.partition(".")[0] in MODULES:
        return f"{name}(...)"
    return ", ".join(sorted(unsafe & {"shell", "allow_pickle", "trust_remote_code"}))


def of_wheel(path: Path) -> tuple[int, list[str]]:
    """Python files of a wheel, and what was found in them."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        files = [name for name in names if name.endswith(".py")]
        found = [f"{name}: {f}" for name in files for f in forbidden(wheel.read(name).decode())]
    return len(files), found + [f"{name}: data" for name in names if name.endswith(SUFFIXES)]


if __name__ == "__main__":
    count, problems = of_wheel(Path(sys.argv[1]))
    print("\n".join([*problems, f"{count} files, {len(problems)} problems"]))
    sys.exit(bool(problems) or not count)
