"""docs/results.md, docs/leaderboard.md and docs/promises.md from bench/results/*.json: every figure
there was written by a benchmark.

python bench/tables.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from common import RESULTS, made
from leaderboard_tables import board
from promises_tables import promises

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "results.md"
PAGES = {"leaderboard": board, "promises": promises}  # pages of their own
ELSEWHERE = ("census",)  # docs/coverage.md, which bench/census.py writes
HEAD = """# Results

Written by `python bench/tables.py` from `bench/results/*.json`, which the commands below wrote.
Accuracies are shares of test images that nothing was fitted or selected on. Times are ratios of
two sides that ran by turns in one process.
"""
NOT_RUN = """
## Not run here

Figures on CIFAR-10, CIFAR-100 and ImageNet need data sets and networks that are not in the package.
The same commands take them: `--model FILE.py:FUNCTION --weights FILE.safetensors --data npz:FILE`.

    python bench/ic_snn.py --model cifar.py:vgg16 --weights vgg16.safetensors --data npz:cifar10.npz
    python bench/spikeconverter.py --model cifar.py:vgg16 --weights vgg16.safetensors \\
        --data npz:cifar10.npz
"""
SHARES = ("accuracy", "agreement", "ann", "goal", "spikingjelly_given")


def text(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    share = key in SHARES or key.startswith("T=")
    if share and isinstance(value, float) and abs(value) <= 1:
        return f"{100 * value:.2f}%"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Scalars only; columns that no row fills are left out."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    keys = [
        key for key in keys
        if any(row.get(key) is not None for row in rows)
        and not any(isinstance(row.get(key), list | dict) for row in rows)
    ]  # fmt: skip
    lines = [
        " | ".join(key.replace("_", " ") for key in keys),
        "|".join("---" for _ in keys),
    ]
    lines += [" | ".join(text(key, row.get(key)) for key in keys) for row in rows]
    return [f"| {line} |" for line in lines]


def section(name: str, found: dict[str, Any]) -> list[str]:
    head = f"\n## {name}: {found['claim']}\n"
    picture = f"{name}.svg"  # bench/plots.py
    shown = [f"![{found['claim']}]({picture})\n"] if (DOCS / picture).is_file() else []
    return [head, *made(found), *shown, *table(found["results"])]


def main() -> None:
    lines = [HEAD]
    for path in sorted(RESULTS.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        if path.stem in PAGES:
            page, lines_of = DOCS / f"{path.stem}.md", PAGES[path.stem]
            page.write_text("\n".join(lines_of(found)) + "\n", encoding="utf-8")
            print(page)
        elif path.stem not in ELSEWHERE:
            lines += section(path.stem, found)
    PAGE.write_text("\n".join(lines) + "\n" + NOT_RUN, encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
