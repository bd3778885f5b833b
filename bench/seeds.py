"""Trained networks by seed: the folder of a run, the accuracies kept beside it, mean and spread."""

from __future__ import annotations

import json
import statistics
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from isospike.evaluation import Evaluation


def run_folder(args: Namespace, *words: object) -> Path:
    """The folder of a training run in --runs; runs of other precisions than float32 stand apart."""
    apart = [] if args.precision == "no" else [args.precision]
    return args.runs / "-".join(str(word).replace(" ", "-") for word in (*apart, *words))


def accuracies(
    kept: Path, steps: Sequence[int], measure: Callable[[list[int]], Mapping[str, float]]
) -> dict[str, float]:
    """`ann` and `T=...` of a trained network, from the file beside it; what that does not hold yet
    is measured and added to it."""
    known = json.loads(kept.read_text()) if kept.is_file() else {}
    missing = [t for t in steps if f"T={t}" not in known]
    if missing:
        known |= measure(missing)
        kept.write_text(json.dumps(known))
    return {name: known[name] for name in accuracy_names(steps)}


def of_evaluation(found: Evaluation) -> dict[str, float]:
    """What one evaluation says of them."""
    at = {f"T={row.steps}": row.accuracy for row in found.rows}
    return {"ann": found.ann["accuracy"], **at}


def accuracy_names(steps: Sequence[int]) -> list[str]:
    return ["ann", *[f"T={t}" for t in steps]]


def summary(
    rows: Sequence[Mapping[str, Any]], by: Sequence[str], names: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Mean and standard deviation over the seeds of the rows that agree in `by`."""
    keys = [{name: row[name] for name in by} for row in rows]
    for key in {tuple(key.values()): key for key in keys}.values():
        own = [row for row, other in zip(rows, keys, strict=True) if other == key]
        if len(own) > 1:
            for name, function in (("mean", statistics.mean), ("spread", statistics.stdev)):
                yield {**key, "seed": name, **{n: function([row[n] for row in own]) for n in names}}
