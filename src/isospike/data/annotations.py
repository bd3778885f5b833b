"""Labels in a file beside the images, as Tiny-ImageNet's archive has them.

ROOT/images/*.JPEG    ROOT/val_annotations.txt: a line an image, file, class and box between tabs
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from isospike.errors import DataError

ANNOTATIONS, IMAGES = "val_annotations.txt", "images"
_SHOWN = 3


def is_annotated(root: Path) -> bool:
    return (root / ANNOTATIONS).is_file()


def annotated(root: Path) -> list[tuple[Path, str]]:
    """(file, class) of every line, in sorted order of the files; the boxes are not read.

    DataError for lines of another form, files that are named twice, and files of only one side.
    """
    place = root / ANNOTATIONS
    try:
        lines = place.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{place}: not a readable text file: {error}") from error
    rows = [(at, line.split("\t")) for at, line in enumerate(lines, 1) if line.strip()]
    # A name with a folder in it would lead out of ROOT/images.
    wrong = [f"line {at}" for at, row in rows if not _is_row(row)]
    found = [(row[0], row[1]) for _, row in rows if _is_row(row)]
    named, there = Counter(name for name, _ in found), _files(root / IMAGES)
    problems = {
        "not 'FILE tab CLASS tab box'": wrong,
        "named more than once": [name for name, count in named.items() if count > 1],
        f"not in {IMAGES}/": sorted(set(named) - there),
        f"in {IMAGES}/ without a line": sorted(there - set(named)),
    }
    said = [f"{_some(names)} {what}" for what, names in problems.items() if names]
    if said or not found:
        raise DataError(f"{place}: {'; '.join(said) or 'no line'}. Unpack the archive again.")
    return [(root / IMAGES / name, kind) for name, kind in sorted(found)]


def _is_row(row: list[str]) -> bool:
    return len(row) > 1 and all(row[:2]) and Path(row[0]).name == row[0]


def _files(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
