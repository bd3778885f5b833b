"""What the benchmarks share: arguments, a table that prints as it grows, times that compare, and a
results file that says how its figures were made."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isospike.cli.model import load_model
from isospike.convert import Plan, convert, plan
from isospike.convert import statistics as observe
from isospike.data.images import ImageSet
from isospike.data.spec import load as load_data
from isospike.evaluation import versions
from isospike.files import atomic_write
from isospike.graph.graph import execute
from isospike.methods import recipe as find_recipe
from isospike.network import SpikingNetwork

ELSEWHERE = ("--out", "--runs")  # where files lie changes no figure
RESULTS = Path(__file__).with_name("results")


def parser(doc: str, images: int, calibration: int = 1024) -> argparse.ArgumentParser:
    """The arguments that every benchmark knows; `doc` is its docstring."""
    found = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--data", default="fashion-sample", help="idx:DIR, npz:FILE or folder:DIR")
    found.add_argument("--images", type=int, default=images, help="first test images")
    found.add_argument("--calibration-size", type=int, default=calibration)
    found.add_argument("--threads", type=int, help="default: as torch chooses")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--out", type=Path, help="default: bench/results/NAME.json")
    return found


def model_arguments(found: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The source network, as the command line of the package takes it."""
    found.add_argument("--model", default="zoo:fashion-relu", help="or FILE.py:FUNCTION, FILE.pt2")
    found.add_argument("--weights", type=Path, help="weights of FILE.py:FUNCTION (safetensors)")
    found.add_argument("--normalize", help="MEAN,...:STD,... per channel")
    return found


def whole_numbers(text: str) -> list[int]:
    """`4,8,16`"""
    return [int(word) for word in text.split(",")]


def start(args: argparse.Namespace) -> None:
    """Threads and seed; once, before any work."""
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)


@dataclass
class Bench:
    """A source network, images, and one capture that all recipes share (max-pooling made exact)."""

    model: Any
    test: ImageSet
    captured: Plan

    @classmethod
    def of(cls, args: argparse.Namespace) -> Bench:
        model = load_model(args.model, args.weights, args.normalize).model
        test = load_data(args.data, "test").take(args.images)
        calibration = load_data(args.data, "train").take(args.calibration_size)
        captured = plan(model, "rueckauer", next(calibration.batches(2))[0], {"pool": "exact"})
        observe(captured, calibration)
        return cls(model, test, captured)

    def convert(
        self, recipe: str, steps: int, settings: Mapping[str, Any] | None = None
    ) -> SpikingNetwork:
        """A conversion without another capture: activation statistics do not depend on recipes."""
        chosen = find_recipe(recipe, {"pool": "exact", **(settings or {})})
        return convert(replace(self.captured, recipe=chosen), None, steps)

    def ann(self, x: Tensor) -> Tensor:
        """Logits of the source network, from the captured graph."""
        return execute(self.captured.original(), x)


class Table:
    """Markdown, a row printed as soon as it is known."""

    def __init__(self, *head: str) -> None:
        self.width = [max(len(h), 8) for h in head]
        self.add(*head)
        print("|" + "|".join("-" * (w + 2) for w in self.width) + "|", flush=True)

    def add(self, *cells: Any) -> None:
        shown = [_text(c).ljust(w) for c, w in zip(cells, self.width, strict=True)]
        print("| " + " | ".join(shown) + " |", flush=True)


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "NO"
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


def percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.2f}"


def race(sides: Mapping[str, Callable[[], Any]], repetitions: int) -> dict[str, list[float]]:
    """Seconds of each side, one after the other in every repetition, so that a machine that slows
    down slows all of them; one warm-up round is not kept."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for round_number in range(repetitions + 1):
        for name, work in sides.items():
            began = time.perf_counter()
            work()
            if round_number:
                times[name].append(time.perf_counter() - began)
    return times


def ratio(mine: list[float], theirs: list[float]) -> float:
    """Median over the repetitions of the ratio within each."""
    return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))


def hardware() -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [x.split(":", 1)[1] for x in info.read_text().splitlines() if "model name" in x]
        name = names[0].strip() if names else name
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "malloc": {k: v for k, v in os.environ.items() if k.startswith("MALLOC_")},
    }


def results_file(name: str, args: argparse.Namespace) -> Path:
    return args.out or RESULTS / f"{name}.json"


def write(name: str, args: argparse.Namespace, claim: str, results: Any, told: bool = True) -> None:
    """bench/results/NAME.json, or --out; `told`: say on what machine."""
    words = [
        word for before, word in itertools.pairwise(sys.argv)
        if before not in ELSEWHERE and word.split("=")[0] not in ELSEWHERE
    ]  # fmt: skip
    kept = {k: str(v) for k, v in vars(args).items() if v is not None}
    found = {
        "claim": claim,
        "command": shlex.join(["python", f"bench/{name}.py", *words]),
        "hardware": hardware(),
        "versions": versions(),
        "seed": args.seed,
        "n": args.images,
        "settings": {k: v for k, v in kept.items() if f"--{k}" not in ELSEWHERE},
        "results": results,
    }
    path = results_file(name, args)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(found, indent=1).encode())
    if told:
        print(
            f"\n{hardware()['cpu']}, {torch.get_num_threads()} threads, torch {torch.__version__}"
        )


def made(found: dict[str, Any]) -> list[str]:
    """The command, and where it ran."""
    return [f"    {found['command']}\n", f"{where(found)}, n = {found['n']}\n"]


def where(found: dict[str, Any]) -> str:
    """Where results were made, and by which versions."""
    machine, versions = found["hardware"], found["versions"]
    return (
        f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores; "
        f"isospike {versions['isospike']}, torch {versions['torch']}, "
        f"Python {versions['python']}; seed {found['seed']}"
    )
