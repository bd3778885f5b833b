"""Accuracy against time for networks and recipes side by side: what `evaluate` returns."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from isospike.engine import native
from isospike.graph.graph import Graph
from isospike.graph.ops import Kind
from isospike.measure.energy import Costs, energy_nj
from isospike.measure.evaluate import Row, Score
from isospike.version import __version__


@dataclass
class Evaluation:
    """The rows, the source network and the equally quantised one, and how it all was made.

    kept: what stays analogue in the network, without neurons. interrupted: are there rows missing,
    or rows of a part of the images, which say so?"""

    model: str
    data: dict[str, Any]
    ann: dict[str, Any]
    quantised_ann: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    sites: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    interrupted: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data, schema 1."""
        return {
            "schema": 1,
            "model": self.model,
            "data": self.data,
            "ann": self.ann,
            "quantised_ann": self.quantised_ann,
            "results": [row.to_json() for row in self.rows],
            "sites": self.sites,
            "kept": self.kept,
            "interrupted": self.interrupted,
            "settings": self.settings,
            "versions": versions(),
        }

    def join(self, other: Evaluation) -> None:
        """Add the rows of another network, which keep their own source network's accuracy."""
        self.rows += other.rows
        self.settings.update(other.settings)

    def row(self, recipe: str, steps: int) -> Row:
        return next(r for r in self.rows if r.recipe == recipe and r.steps == steps)

    def __str__(self) -> str:
        """A table that fits 80 columns."""
        head = (
            f"{'recipe':16}{'T':>4}{'latency':>8}{'acc %':>8}{'agree %':>8}"
            f"{'spikes':>9}{'SynOps':>12}{'nJ':>10}"
        )
        ann = f"{'ann':28}{_percent(self.ann['accuracy'])}{'':>29}{self.ann['energy_nj']:>10.0f}"
        lines = [head, ann]
        for q in self.quantised_ann:
            lines.append(
                f"{'quantised ann':16}{q['levels']:>4}{'':>8}{_percent(q['accuracy'])}"
                f"{_percent(q['agreement'])}{'':>21}{q['energy_nj']:>10.0f}"
            )
        network = self.model
        for row in self.rows:
            if row.network != network:
                network = row.network
                accuracy = _percent(row.ann_accuracy)
                lines.append(f"{'ann of ' + network:28}{accuracy}")
            lines.append(_line(row))
        if self.interrupted:
            lines += ["interrupted, not all was run", *_interrupted_notes(self.rows)]
        return "\n".join([*lines, *told_of_kept(self.kept)])


def _line(row: Row) -> str:
    if row.skipped is not None:
        told = textwrap.wrap(f"skipped: {row.skipped}", 72)
        return "\n".join([f"{row.recipe:16}{row.steps:>4}", *(f"    {line}" for line in told)])
    return (
        f"{row.recipe:16}{row.steps:>4}{row.latency:>8}{_percent(row.accuracy)}"
        f"{_percent(row.agreement)}{row.spikes_per_neuron:>9.2f}{row.synops / 1e6:>11.1f}M"
        f"{row.energy_nj:>10.0f}"
    )


def _interrupted_notes(rows: Sequence[Row]) -> list[str]:
    """Which rows are of a part of the images."""
    return [
        f"    {row.recipe} {row.steps}: {note.partition(': ')[2]}"
        for row in rows for note in row.notes if note.startswith("interrupted")
    ]  # fmt: skip


def told_of_kept(kept: Sequence[dict[str, str]]) -> list[str]:
    """Lines of 80 columns that name what stays analogue; none where nothing does."""
    if not kept:
        return []
    sites = ", ".join(f"{site['name']} ({site['op']})" for site in kept)
    return textwrap.wrap(f"kept analogue (H4), its own operations not counted: {sites}", 80)


def _percent(share: float | None) -> str:
    return f"{'-':>8}" if share is None else f"{100 * share:>8.2f}"


def versions() -> dict[str, str]:
    return {
        "isospike": __version__, "torch": torch.__version__, "python": platform.python_version(),
        "machine": platform.machine(), "threads": str(torch.get_num_threads()),
        "neurons": "native" if native.ENABLED else "plain torch",
    }  # fmt: skip


def opening(
    name: str, data: Any, score: Score, costs: Costs, graph: Graph, planned: Graph | None = None
) -> Evaluation:
    """graph: the source network; planned: what is converted, where it is one for all recipes."""
    split = getattr(data, "split", "")
    kept = {"name": getattr(data, "name", ""), "split": split if isinstance(split, str) else ""}
    ann = {
        "accuracy": score.accuracy, "macs": costs.ann_macs,
        "energy_nj": energy_nj(0, costs.ann_macs),
    }  # fmt: skip
    sites = [
        {"name": n.path, "neurons": costs.neurons[n.name], "line": n.line}
        for n in graph.sites if n.name in costs.neurons
    ]  # fmt: skip
    analogue = [
        {"name": n.path, "op": n.op, "line": n.line}
        for n in (planned or graph).sites if n.kind is Kind.ANALOGUE
    ]  # fmt: skip
    return Evaluation(name, {**kept, "n": score.n}, ann, sites=sites, kept=analogue)


def named(result: Evaluation) -> Evaluation:
    """Every row says which network it came from and what that one reached."""
    for row in result.rows:
        row.network, row.ann_accuracy = result.model, result.ann["accuracy"]
    return result
