"""docs/leaderboard.md: for each network two rankings, two fronts and what did not apply."""

from __future__ import annotations

from typing import Any

from common import where
from isospike import methods
from isospike.report.figures import amount, figure, percent
from isospike.report.ranking import fronts, limits, ranking, refusals, share, sorted_at

HEAD = """# Leaderboard

{ran} of the {all} recipes on the same networks and images. A ranking has, for each method, its
most accurate row within a limit of latency (steps until the answer is out, probe and settle steps
included) or of synaptic operations per image; bold is the most in a column. Which T that is was
seen on these very images, so a difference of a few images between two cells says nothing. A front
has the rows that no other row beats in both. `sj` rows are SpikingJelly 2.0.0, counted at the
same sites by the same fan-out. All methods get the same calibration images, without labels; how
the networks were trained is on their cards (`isospike.zoo.card`) and, for a file, in
`bench/leaderboard.py`.

Where the source has a clip `qcfs`, `nq` and `slip-relu` convert alike, and so do `cq`, `tcl` and
`rnl`, with v(0) = 0: they differ by how a source is trained for them, and here all get the same.

Written by `python bench/tables.py` from `bench/results/leaderboard.json`. The command below a
network's name makes its rows, in one run or, by --recipes and --resume, in several (here), which
may stop at a smaller T for some. The machine:
"""
TITLES = {"latency": "at equal latency, steps", "synops": "at equal SynOps, in MACs of the ANN"}
ACCOUNT = ("method", "T", "extra steps", "latency", "class", "accuracy, %", "spikes per neuron",
           "SynOps", "MACs", "energy, nJ", "calibration images")  # fmt: skip


def board(found: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    asked = {name for each in found["results"] for name in each["comparison"]["recipes"]}
    known = set(methods.names())
    lines = [HEAD.format(ran=len(asked & known), all=len(known)), where(found)]
    for each in found["results"]:
        lines += network(each)
    return lines


def network(found: dict[str, Any]) -> list[str]:
    rows, asked, ann, data = found["results"], found["comparison"], found["ann"], found["data"]
    lines = [
        f"\n## {found['model']}\n",
        f"    {command(found)}\n",
        f"{data['name']}, {data['split']} split, {data['n']} images; ANN "
        f"{percent(ann['accuracy'])}%, {amount(ann['macs'])} MACs\n",
    ]
    for steps, names in shorter(rows, max(asked["steps"])).items():
        lines += [f"T up to {steps} only: {', '.join(names)}.\n"]
    if left := [name for name in methods.names() if name not in {row["recipe"] for row in rows}]:
        lines += [f"Not run: {', '.join(left)}.\n"]
    for cost, title in TITLES.items():
        lines += [f"\n### Accuracy (%) {title}\n", *ranked(rows, asked, ann, cost)]
    for cost, front in fronts(rows).items():
        lines += [f"\n### Front over {'latency' if cost == 'latency' else 'SynOps'}\n"]
        lines += markdown(ACCOUNT, [account(row) for row in front])
    for why, names in refusals(rows, asked["recipes"]).items():
        told = " ".join(why.split()).replace("|", "\\|")
        lines += [f"\nNo row of {', '.join(names)}: {told}"]
    return lines


def command(found: dict[str, Any]) -> str:
    """What makes the rows of a network."""
    steps = ",".join(map(str, found["comparison"]["steps"]))
    given = max((row.get("calibration_images", 0) for row in found["results"]), default=0)
    return (
        f"python bench/leaderboard.py --models {found['model']} --images {found['data']['n']} "
        f"--calibration-size {given} --steps {steps}"
    )


def shorter(rows: list[dict[str, Any]], longest: int) -> dict[int, list[str]]:
    """T -> methods that were run up to it and no further."""
    last: dict[str, int] = {}
    for row in rows:
        if not row.get("skipped"):
            last[row["recipe"]] = max(row["steps"], last.get(row["recipe"], 0))
    found: dict[int, list[str]] = {}
    for name, steps in sorted(last.items(), key=lambda each: -each[1]):
        if steps < longest:
            found.setdefault(steps, []).append(name)
    return found


def ranked(rows: list[dict], asked: dict, ann: dict, cost: str) -> list[str]:
    at = limits(rows, cost, asked["steps"], ann["macs"])
    first = sorted_at(at, cost, asked["steps"], ann["macs"])
    lines = ranking(rows, asked["recipes"], cost, at, first)
    names = [figure(b) if cost == "latency" else share(b, ann["macs"]) for b in at]
    cells = [[row and row["accuracy"] for row in (*line["best"], line["any"])] for line in lines]
    most = [
        max((v for v in column if v is not None), default=None)
        for column in zip(*cells, strict=True)
    ]
    told = [
        [line["recipe"], *[text(v, v == m) for v, m in zip(own, most, strict=True)]]
        for line, own in zip(lines, cells, strict=True)
    ]
    return markdown(["method", *names, "any"], told)


def text(accuracy: float | None, most: bool) -> str:
    if accuracy is None:
        return ""
    return f"**{percent(accuracy)}**" if most else percent(accuracy)


def account(row: dict[str, Any]) -> list[str]:
    return [
        row["recipe"], str(row["steps"]), str(row["extra_steps"]), str(row["latency"]),
        row["hardware_class"], percent(row["accuracy"]), figure(row["spikes_per_neuron"]),
        amount(row["synops"]), amount(row["macs"]), figure(row["energy_nj"]),
        str(row["calibration_images"]),
    ]  # fmt: skip


def markdown(head: Any, rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows]]
