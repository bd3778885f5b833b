"""docs/promises.md from bench/results/promises.json and the table of cases in tests/cases.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from cases import CASES
from common import made

HEAD = """# Promises

Written by `python bench/tables.py`: figures from `bench/results/promises.json`, which the command
below wrote, and cases from `tests/cases.py`. *Refused*: an error that names the place, the reason
and a way out, and changes nothing. *Told*: goes on with a warning or a note. *Works*: the check of
the test holds. Tests are below `tests/`.
"""
GROUPS = {
    1: "Models",
    40: "Calibration data",
    54: "Simulation and measures",
    65: "Files and reports",
}


def promises(found: dict[str, Any]) -> list[str]:
    """The page as lines."""
    measured = [row for row in found["results"] if "test" in row]
    counted = [row for row in found["results"] if "test" not in row]
    lines = [HEAD, "## Measured\n", *made(found)]
    lines += ["| | what | figure | promised | kept | test |", "|---|---|---|---|---|---|"]
    lines += [_measured(row) for row in measured]
    lines += ["", f"{'; '.join(_counted(row) for row in counted)}.\n"]
    lines.append(
        "`make mutations` puts 27 faults into the package (`tests/mutations/faults.py`) and"
    )
    lines.append("fails where the tests named for one of them do not notice it.")
    return [*lines, *_cases()]


def _measured(row: dict[str, Any]) -> str:
    figure, limit = (f"{row[key]:.4g}" for key in ("figure", "limit"))
    most = "at most" if row["promise"] in ("P5", "P8", "P15") else "at least"
    kept = "yes" if row["kept"] else "**no**"
    test = f"`{row['test']}`"
    return f"| {row['promise']} | {row['what']} | {figure} | {most} {limit} | {kept} | {test} |"


def _counted(row: dict[str, Any]) -> str:
    return f"{row['what']}: {row['figure']}"


def _cases() -> Iterator[str]:
    for number, case in CASES.items():
        if number in GROUPS:
            yield f"\n## {GROUPS[number]}\n"
            yield "| | what comes in | answer | tests | open |"
            yield "|---|---|---|---|---|"
        tests = "<br>".join(f"`{test}`" for test in dict.fromkeys(case.tests))
        yield f"| {number} | {case.given} | {case.answer} | {tests} | {case.open} |"
