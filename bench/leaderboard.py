r"""Claim: every recipe on the same networks and images, ranked at equal latency and equal SynOps.

    python bench/leaderboard.py --quick                   minutes: 200 images, T up to 16
    python bench/leaderboard.py                           hours: 2,000 images, T up to 64
    python bench/leaderboard.py --resume                  goes on where it was stopped
    python bench/leaderboard.py --models zoo:fashion-nq,runs/vgg16/model.safetensors
    python bench/tables.py                                docs/leaderboard.md from the results

The VGG of the committed results, 93.0% on its validation images:

    isospike train --model zoo:vgg16 --activation relu --data idx:DIR --epochs 4 --precision bf16 \
        --set pool=average --set lr=0.1 --seed 0 --out runs/vgg16

Where SpikingJelly 2.0.0 is installed (bench/requirements.txt) its rate coding (max, 99.9%,
channel-wise with half threshold) and local threshold balancing run in the same table. Every method
gets the same calibration images, without labels. The results are written after every method.
"""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import spikingjelly_rows as sj
from common import Table, parser, percent, results_file, start, whole_numbers, write
from isospike import zoo
from isospike.cli.model import load_model
from isospike.comparison import Comparison, compare
from isospike.convert import captured
from isospike.data.images import ImageSet
from isospike.data.spec import load
from isospike.evaluation import Evaluation
from isospike.methods import names

CLAIM = "every recipe on the same networks, at equal latency and at equal SynOps"
STEPS = [1, 2, 4, 8, 16, 32, 64]
QUICK = {"images": 200, "calibration_size": 128, "steps": [1, 2, 4, 8, 16]}


def plain(found: Comparison) -> dict[str, Any]:
    """What the results file keeps of a comparison: no firing rates, no list of sites."""
    facts = found.to_json()
    kept = {k: facts[k] for k in ("schema", "model", "data", "ann", "comparison", "settings")}
    rows = [{k: v for k, v in row.items() if k != "site_rates"} for row in facts["results"]]
    return {**kept, "results": rows}


class Board:
    """The comparisons so far, written again after every method."""

    def __init__(self, args: Namespace) -> None:
        self.args, self.table = (
            args,
            Table("network         ", "method         ", *map(str, args.steps)),
        )
        self.done: dict[str, dict[str, Any]] = {}
        file = results_file("leaderboard", args)
        if args.resume and file.is_file():
            self.done = {each["model"]: each for each in json.loads(file.read_text())["results"]}

    def ran(self, model: str) -> set[str]:
        return {row["recipe"] for row in self.done.get(model, {}).get("results", [])}

    def keep(self, found: Comparison, name: str, before: dict[str, Any] | None) -> None:
        """The new rows after those of an earlier run."""
        facts = plain(found)
        if before is not None:
            facts["results"] = before["results"] + facts["results"]
            facts["settings"] = before["settings"] | facts["settings"]
            known = [*before["comparison"]["recipes"], *facts["comparison"]["recipes"]]
            facts["comparison"]["recipes"] = list(dict.fromkeys(known))
            steps = {*before["comparison"]["steps"], *facts["comparison"]["steps"]}
            facts["comparison"]["steps"] = sorted(steps)
        self.done[facts["model"]] = facts
        own = {
            row["steps"]: row.get("accuracy") for row in facts["results"] if row["recipe"] == name
        }
        self.table.add(facts["model"], name, *[percent(own.get(t)) for t in self.args.steps])
        write("leaderboard", self.args, CLAIM, list(self.done.values()), told=False)


def run(args: Namespace, board: Board, name: str, test: ImageSet, images: ImageSet) -> None:
    """One network: recipes of the package, then SpikingJelly's, without those that have rows."""
    model, before = load_model(name).model, board.done.get(name)
    wanted = names() if args.recipes == "all" else args.recipes.split(",")
    left = [recipe for recipe in wanted if recipe not in board.ran(name)]
    others = [(method, how) for method, how in sj.methods() if method not in board.ran(name)]
    if left:
        found = compare(
            model, test, args.steps, left, images, name,
            done=lambda found, recipe: board.keep(found, recipe, before),
        )  # fmt: skip
    else:
        assert before is not None
        found = Comparison(Evaluation(name, before["data"], before["ann"]), args.steps, [])
    if not sj.installed() or not others:
        return
    x = next(images.batches(images.n))[0]
    graph = captured(model, x[:2]).original()
    for method, how in others:
        found.add(method, how, sj.rows(method, model, graph, test, x, args.steps))
        board.keep(found, method, before)


def main() -> None:
    arguments = parser(__doc__, images=2000)
    arguments.add_argument("--models", default=",".join(f"zoo:{name}" for name in zoo.names()))
    arguments.add_argument("--recipes", default="all")
    arguments.add_argument("--steps", type=whole_numbers, default=STEPS)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--resume", action="store_true")
    args = arguments.parse_args()
    if args.quick:
        vars(args).update(QUICK)
    start(args)
    board = Board(args)
    test = load(args.data, "test").take(args.images)
    images = load(args.data, "train").take(args.calibration_size)
    for name in args.models.split(","):
        run(args, board, name, test, images)
    write("leaderboard", args, CLAIM, list(board.done.values()))


if __name__ == "__main__":
    main()
