"""Claim: what is promised of determinism, memory and side effects is kept.

    python bench/promises.py            (about 5 minutes; writes bench/results/promises.json)
    python bench/tables.py              (docs/promises.md from it)

P5   counts of one layer under a held drive against the quantised activation in float64
P8   peak memory at T = 512 against T = 8, by bench/memory.py
P9   one network with other threads and batch sizes
P10  files after kill -9 of a process that writes them in a loop
P11  networks that are as they were after planning, converting and evaluating by every recipe
P15  time to import the package against that of torch
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import isospike as iso
from common import Bench, Table, model_arguments, parser, start, write
from isospike.units.binary import IF

TESTS = Path(__file__).parents[1] / "tests"
sys.path.append(str(TESTS))

CLAIM = "counts, memory, determinism, files, the source network and import as promised"
THREADS = (1, 2)
BATCHES = (1, 3, 16, 64)
COLLECT = """
import json, sys, pytest

class Count:
    def pytest_collection_modifyitems(self, items):
        self.found = len(items), sum(i.get_closest_marker("xfail") is not None for i in items)

count = Count()
code = pytest.main(["--collect-only", "-qq", "--no-summary", sys.argv[1]], plugins=[count])
print(json.dumps(count.found))
sys.exit(code)
"""


def counters(args: Namespace) -> dict[str, Any]:
    """Drives on a grid of 1/4096 theta, on which sums in float32 are exact."""
    steps, neurons, wrong, narrow = 1024, 100_000, 0, 0.0
    grid = torch.randint(-800, 4800, (neurons,), generator=torch.Generator().manual_seed(args.seed))
    for dtype in (torch.float16, torch.float32, torch.float64):
        z = (grid.double() / 4096).to(dtype)
        expected = (z.double() * steps + 0.5).floor().clamp(0, steps).long()
        unit = IF(torch.tensor(1.0), torch.tensor(0.5))
        state, total = None, torch.zeros(neurons, dtype=torch.int64)
        for first in range(0, steps, 64):
            spikes, state = unit.scan(z.expand(64, neurons), state, first)
            total += spikes.sum(0).round().to(torch.int64)
        wrong += int((total != expected).sum())
        if dtype is torch.float16:
            narrow = float((_narrow(z, steps) != expected).double().mean())
    return {
        "promise": "P5", "figure": wrong / (3 * neurons), "limit": 0.0, "kept": wrong == 0,
        "what": f"share of wrong spike counts at T = {steps}, models in float16, 32 and 64 "
        f"(membrane and counter in float16: {narrow:.1%})",
        "test": "units/test_binary.py::test_a_narrow_drive_loses_no_spikes",
    }  # fmt: skip


def _narrow(z: Tensor, steps: int) -> Tensor:
    """The same neuron with everything in the drive's own type."""
    v, count = torch.full_like(z, 0.5), torch.zeros_like(z)
    for _ in range(steps):
        v += z
        spikes = (v >= 1).to(z.dtype)
        v -= spikes
        count += spikes
    return count.long()


def memory(args: Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "memory.json"
        bench = Path(__file__).with_name("memory.py")
        words = ["--steps", "8,512", "--images", "32", "--out", str(out)]
        subprocess.run([sys.executable, str(bench), *words], check=True, stdout=subprocess.DEVNULL)
        ratio = json.loads(out.read_text())["results"][-1]["ratio"]
    return {
        "promise": "P8", "figure": ratio, "limit": 1.05, "kept": ratio <= 1.05,
        "what": "peak memory at T = 512 over that at T = 8",
        "test": "engine/test_dense.py::test_memory_does_not_grow_with_the_number_of_steps",
    }  # fmt: skip


def determinism(args: Namespace) -> list[dict[str, Any]]:
    bench = Bench.of(args)
    snn = bench.convert("iso", 8)
    x = torch.cat([x for x, _ in bench.test.batches(64)])
    known = torch.get_num_threads()
    logits = []
    for threads in THREADS:
        torch.set_num_threads(threads)
        logits.append(torch.cat([snn(part) for part in x.split(64)]))
    torch.set_num_threads(known)
    sizes = [torch.cat([snn(part) for part in x.split(size)]) for size in BATCHES]
    again = bool(torch.equal(sizes[-1], torch.cat([snn(part) for part in x.split(64)])))
    whole = sizes[-1].argmax(1)
    same = min(float((each.argmax(1) == whole).double().mean()) for each in sizes)
    bits = [size for size, each in zip(BATCHES, sizes, strict=True) if torch.equal(each, sizes[-1])]
    equal = bool(torch.equal(*logits)) and again
    return [
        {
            "promise": "P9", "figure": float(equal), "limit": 1.0, "kept": equal,
            "what": f"equal bits with {' and '.join(map(str, THREADS))} threads, and when repeated",
            "test": "test_network.py::test_threads_change_no_bit",
        },
        {
            "promise": "P9", "figure": same, "limit": 0.9999, "kept": same >= 0.9999,
            "what": f"predictions that agree between batches of {', '.join(map(str, BATCHES))} "
            f"({len(x)} images; equal bits: {', '.join(map(str, bits))})",
            "test": "test_network.py::test_an_image_does_not_depend_on_its_neighbours",
        },
    ]  # fmt: skip


def kills(args: Namespace) -> dict[str, Any]:
    from test_files import writing

    wait, whole = random.Random(args.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        for kill in range(50):
            path.unlink(missing_ok=True)
            child = writing(path, kill)
            while not path.exists():
                time.sleep(0.005)
            time.sleep(wait.uniform(0, 0.1))
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            content = path.read_bytes()
            whole += content == content[:1] * 4_000_000
    return {
        "promise": "P10", "figure": whole / 50, "limit": 1.0, "kept": whole == 50,
        "what": "whole files after 50 kills -9 of a process that writes one again and again",
        "test": "test_files.py::test_kill_9_while_writing_leaves_a_whole_file",
    }  # fmt: skip


def purity(args: Namespace) -> dict[str, Any]:
    from abuse.untouched import untouched
    from zoo.tiny import Refused, images, labels, settled, source

    x, kept = images(), 0
    trials = [(source(name).train(), name) for name in iso.recipes()]
    trials.append((settled(Refused()), "iso"))
    for model, name in trials:
        try:
            with untouched(model, x), contextlib.suppress(iso.ConversionError):
                iso.evaluate(model, [(x, labels())], 2, name, x)
            kept += 1
        except AssertionError as error:
            print(f"{name}: {error}")
    return {
        "promise": "P11", "figure": kept / len(trials), "limit": 1.0, "kept": kept == len(trials),
        "what": f"networks untouched by plan, convert, evaluate: {len(trials) - 1} recipes and a "
        "refusal (values, flags, hooks, modes, generators)",
        "test": "graph/test_capture.py::test_awkward_models_are_captured_and_stay_as_they_were",
    }  # fmt: skip


def imports(args: Namespace) -> dict[str, Any]:
    def seconds(module: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
        return time.perf_counter() - began

    pairs = [(seconds("isospike"), seconds("torch")) for _ in range(6)][1:]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    return {
        "promise": "P15", "figure": ratio, "limit": 1.5, "kept": ratio <= 1.5,
        "what": "time to import isospike over that of torch, median of 5",
        "test": "test_import.py::test_import_starts_nothing_and_leaves_the_extras_alone",
    }  # fmt: skip


def suite(args: Namespace) -> list[dict[str, Any]]:
    """Tests, those that are expected to fail, cases with a test."""
    from cases import CASES

    # In a process of its own: `common` is another package there.
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, str(TESTS)], check=True, stdout=subprocess.PIPE, text=True
    )
    tests, xfails = json.loads(done.stdout.splitlines()[-1])
    held = sum(bool(case.tests) for case in CASES.values())
    return [
        {"promise": "tests", "what": "tests in the suite", "figure": tests},
        {
            "promise": "xfails", "what": "tests that are expected to fail", "figure": xfails,
            "limit": 0, "kept": xfails == 0,
        },
        {"promise": "cases", "what": "cases with a test, of 72", "figure": held},
    ]  # fmt: skip


PARTS: dict[str, Callable[[Namespace], Any]] = {
    "P5": counters, "P8": memory, "P9": determinism, "P10": kills, "P11": purity, "P15": imports,
    "suite": suite,
}  # fmt: skip


def main() -> None:
    args = model_arguments(parser(__doc__ or "", images=512, calibration=128)).parse_args()
    start(args)
    results: list[dict[str, Any]] = []
    table = Table("promise", "figure", "limit", "kept", "what")
    for part in PARTS.values():
        found = part(args)
        for row in found if isinstance(found, list) else [found]:
            results.append(row)
            table.add(*(row.get(key) for key in ("promise", "figure", "limit", "kept", "what")))
    write("promises", args, CLAIM, results)
    if not all(row.get("kept", True) for row in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
