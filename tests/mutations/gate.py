"""The mutation gate: every fault of faults.py is put into a copy of the package, and tests must fail.

    python tests/mutations/gate.py [--only N] [--jobs 2]

Prints killed or SURVIVED for each and a last line with the count. Exit code 1 where a fault
survives, where its text is not in the file exactly once, or where the tests do not run at all.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faults import FAULTS, Fault

import isospike.engine.native as native

ROOT = Path(__file__).parents[2]
KILLED, SURVIVED = 1, 0  # exit codes of pytest: tests failed, tests passed
LIMIT = 300  # seconds a fault
# An editable install leads imports back to the working tree: without its finder the copy is found.
RUN = """
import sys
sys.meta_path = [f for f in sys.meta_path if "Scikit" not in type(f).__name__]
sys.path.insert(0, sys.argv[1])
import isospike, pytest
assert isospike.__file__.startswith(sys.argv[1]), isospike.__file__
sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *sys.argv[2:]]))
"""


def copied(folder: Path) -> Path:
    """A copy of the sources, the native kernels and the tests."""
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    if native.kernels is not None:
        shutil.copy(native.kernels.__file__, folder / "src/isospike/engine/native")
    return folder


def attempt(fault: Fault | None, named: Sequence[str]) -> tuple[bool, str]:
    """(killed, what the tests `named` said); without a fault the sources are as they are."""
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        if fault is not None:
            file = folder / "src/isospike" / fault.file
            file.write_text(fault.applied(file.read_text(encoding="utf-8")), encoding="utf-8")
        tests = [str(folder / "tests" / each) for each in named]
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(folder / "src"), *tests],
            cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=LIMIT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("FAILED")), lines[-1] if lines else "")
    if done.returncode not in (KILLED, SURVIVED):
        raise RuntimeError(f"the tests did not run ({done.returncode}): {' | '.join(lines[-5:])}")
    return done.returncode == KILLED, told


def tried(number: int) -> bool:
    fault = FAULTS[number - 1]
    try:
        killed, told = attempt(fault, fault.tests)
    except (ValueError, RuntimeError, subprocess.TimeoutExpired) as error:
        killed, told = False, str(error)
    word = "killed  " if killed else "SURVIVED"
    print(f"{number:3} {word} {fault.file}: {fault.breaks}\n             {told[:200]}", flush=True)
    return killed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, help="number of one fault, from 1")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    numbers = [args.only] if args.only else range(1, len(FAULTS) + 1)
    # Tests that fail in a copy without a fault would seem to notice every one.
    failing, told = attempt(None, sorted({t for n in numbers for t in FAULTS[n - 1].tests}))
    if failing:
        print(f"without a fault: {told}")
        return 1
    with ThreadPoolExecutor(args.jobs) as pool:
        killed = sum(pool.map(tried, numbers))
    print(f"{killed} of {len(numbers)} faults killed")
    return 0 if killed == len(numbers) else 1


if __name__ == "__main__":
    sys.exit(main())
