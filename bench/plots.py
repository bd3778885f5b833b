"""docs/engine.svg from bench/results/engine.json: time against T, firing rate and SynOps.

pip install matplotlib
python bench/plots.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from common import RESULTS

PICTURE = Path(__file__).parents[1] / "docs" / "engine.svg"
SIDES = {
    "SpikingJelly single": ("#b45309", "s"), "SpikingJelly multi": ("#d97706", "D"),
    "dense": ("#6b7280", "v"), "events": ("#60a5fa", "^"), "matrix": ("#a78bfa", "x"),
    "auto": ("#1d4ed8", "o"), "separated": ("#047857", "P"),
}  # fmt: skip
RATED, FIT = "events, by rate", "events, fit"
Rows = list[dict[str, Any]]


def against_steps(axes: Axes, rows: Rows, network: str) -> None:
    """Eager ANN forwards over T, one line a side."""
    for side, (colour, marker) in SIDES.items():
        own = [row for row in rows if (row["network"], row["side"]) == (network, side)]
        if own:
            x, y = ([row[key] for row in own] for key in ("steps", "ann_forwards"))
            axes.plot(x, y, color=colour, marker=marker, ms=4, label=side)
    steps = sorted({row["steps"] for row in rows if row["network"] == network})
    axes.plot(steps, steps, color="#9ca3af", ls=":", label="T forwards")
    axes.set(
        title=network, xscale="log", yscale="log", xticks=steps, xticklabels=steps,
        xlabel="steps T", ylabel="time, eager ANN forwards",
    )  # fmt: skip
    axes.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()


def against_spikes(by_rate: Axes, by_synops: Axes, rows: Rows) -> None:
    """Milliseconds of the processor per image at T = 8, and the fit that the benchmark made."""
    own = [row for row in rows if row["side"] == RATED]
    fit = next(row for row in rows if row["side"] == FIT)
    time = [1e3 * row["seconds"] / row["images"] for row in own]
    synops = [row["synops"] / 1e6 for row in own]
    by_rate.plot([100 * row["rate"] for row in own], time, color="#1d4ed8", marker="o", ms=4)
    by_rate.set(xlabel="spikes per 100 neurons and step")
    by_synops.plot(synops, time, color="#1d4ed8", marker="o", ms=4, ls="", label="events")
    fixed = 1e3 * fit["seconds_per_image"]
    line = [fixed + fit["ns_per_synop"] * x for x in (0, max(synops))]
    told = f"{fixed:.1f} ms + {fit['ns_per_synop']:.3f} ns per SynOp, R² {fit['r2']:.3f}"
    by_synops.plot([0, max(synops)], line, color="#9ca3af", ls=":", label=told)
    by_synops.set(xlabel="million SynOps per image")
    by_synops.legend(frameon=False)
    for axes in (by_rate, by_synops):
        axes.set(title=f"{own[0]['network']}, T = 8", ylabel="processor time, ms per image")
        axes.set_xlim(0)
        axes.set_ylim(0)


def main() -> None:
    rows = json.loads((RESULTS / "engine.json").read_text(encoding="utf-8"))["results"]
    # The same bytes for the same figures.
    mpl.rcParams.update({"svg.hashsalt": "isospike", "svg.fonttype": "none", "font.size": 9})
    figure, axes = plt.subplots(2, 2, figsize=(9, 7.2), layout="constrained")
    for place, network in zip(axes[0], ("ResNet-20", "VGG-16"), strict=True):
        against_steps(place, rows, network)
    shown = axes[0][0].get_legend_handles_labels()
    figure.legend(*shown, loc="outside upper center", ncols=7, frameon=False)
    against_spikes(*axes[1], rows)
    for place in axes.flat:
        place.spines[["top", "right"]].set_visible(False)
        place.grid(color="#e5e7eb", lw=0.6)
    figure.savefig(PICTURE, metadata={"Date": None}, facecolor="white")
    print(PICTURE)


if __name__ == "__main__":
    main()
