"""Claim: memory does not grow with T: the peak at T=512 is at most 1.05 of that at T=8.

    python bench/memory.py                       (about 2 minutes)

One fresh process per T loads the converted network from its file, runs one batch on the dense
engine with spikes counted, and reports its ru_maxrss, before and after the run. The conversion has
a process of its own: its peak would hide that of the run.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import isospike
from common import Bench, Table, model_arguments, parser, start, whole_numbers, write
from isospike.data.spec import load as load_data

CLAIM = "peak memory at the largest T at most 1.05 of that at T=8, dense engine"
GOAL = 1.05


def peak() -> float:
    """MiB"""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB here
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def child(args: Namespace) -> None:
    """Convert and save (T = 0), or load, run T steps and print the peaks."""
    if args.child == 0:
        Bench.of(args).convert("iso", min(args.steps)).save(args.file)
        return
    snn = isospike.load(args.file)
    x, _ = next(load_data(args.data, "test").batches(args.images))
    before = peak()
    snn.engine = "dense"
    snn.run(x, [args.child])
    print(json.dumps({"steps": args.child, "loaded_mib": before, "peak_mib": peak()}))


def spawn(steps: int, file: Path) -> str:
    # A process begins with the ru_maxrss of the one that started it, so this one must stay smaller
    # than any child: it neither converts nor runs a network.
    words = [sys.executable, *sys.argv, "--child", str(steps), "--file", str(file)]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    arguments = model_arguments(parser(__doc__, images=64, calibration=64))
    arguments.add_argument("--steps", type=whole_numbers, default=[8, 32, 128, 512])
    arguments.add_argument("--child", type=int, help="used by the benchmark itself")
    arguments.add_argument("--file", type=Path, help="used by the benchmark itself")
    args = arguments.parse_args()
    start(args)
    if args.child is not None:
        return child(args)
    results = []
    table = Table("T", "loaded MiB", "peak MiB", "ratio", "at most", "reached")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.iso"
        spawn(0, file)
        for steps in args.steps:
            found = json.loads(spawn(steps, file))
            found["ratio"] = found["peak_mib"] / (results or [found])[0]["peak_mib"]
            found["reached"] = found["ratio"] <= GOAL
            results.append(found)
            table.add(
                steps, f"{found['loaded_mib']:.0f}", f"{found['peak_mib']:.0f}",
                f"{found['ratio']:.3f}", GOAL, found["reached"],
            )  # fmt: skip
    del args.child, args.file
    write("memory", args, CLAIM, results)


if __name__ == "__main__":
    main()
