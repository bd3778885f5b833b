"""Run by test_processes.py in one process and in two: conversions, evaluations, and failures."""

import json
import sys
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
import isospike as iso
from isospike import processes
from isospike.data.images import ImageSet
from isospike.fit.calibration import Calibration
from isospike.fit.observe import observe
from zoo.tiny import converted, images, labels, plain, plan_for, planned, residual

torch.set_num_threads(1)
FOLDER = Path(sys.argv[1])
MANY, FEW = 513, 25  # three pieces, of which one process has one; a single piece
RECIPES = ("iso", "qcfs", "spikeconverter", "rmp")


def test_set(count: int) -> ImageSet:
    return ImageSet("made", "test", images(count, seed=3), labels(count))


def numbers(snn: iso.SpikingNetwork) -> dict[str, list[float]]:
    """Threshold, start and weights of every site, every bit of them."""
    units = snn.program.units
    found = {f"{n}.{k}": getattr(u, k) for n, u in units.items() for k in ("theta", "v0")}
    found |= snn.program.graph.tensors
    return {name: tensor.double().flatten().tolist() for name, tensor in found.items()}


def conversions() -> dict:
    found = {}
    for recipe in RECIPES:
        snn = iso.convert(plan_for(recipe), images(150, seed=1), 4)
        loaders = {
            "many": test_set(MANY),
            "few": test_set(FEW),
            "batches": [(images(MANY, seed=3)[i : i + 7], None) for i in range(0, MANY, 7)],
        }
        rows = {n: iso.evaluate(snn, d, [1, 4]).to_json() for n, d in loaders.items()}
        found[recipe] = {"numbers": numbers(snn), **rows}
    both = iso.evaluate(residual(), test_set(MANY), [2, 4], ["iso", "nq"], images(20))
    return {**found, "from a model": both.to_json()}


def statistics() -> dict:
    graph = planned(plain).graph
    found = {}
    for count in (150, 20):
        stats = observe(graph, Calibration.collect(images(count), (2, 8, 8), torch.float32))
        found[count] = {
            name: [s.maxima.tolist(), s.counts.tolist(), s.values] for name, s in stats.items()
        }
    return found


def told(call) -> str:
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def failures() -> dict[str, str]:
    """What is wrong for one process alone is told by both."""
    wrong = labels(MANY)
    wrong[300] = 7  # in the second piece
    mine = 1.0 + processes.rank()
    snn = iso.convert(plan_for("qcfs"), images(20), 4)

    def only_the_second():
        with processes.together():
            if processes.rank() == processes.world() - 1:
                raise OverflowError("too much")

    return {
        "label": told(lambda: iso.evaluate(snn, [(images(MANY), wrong)], 4)),
        "other images": told(lambda: iso.evaluate(snn, images(MANY) * mine / 2, 4)),
        "other set": told(
            lambda: iso.evaluate(snn, ImageSet("x", "test", images(MANY) * mine / 2), 4)
        ),
        "other calibration": told(lambda: iso.convert(plan_for("opi"), images(150) * mine / 2, 4)),
        "a kind": told(only_the_second),
    }


def alone() -> list:
    """Only the first process: nobody waits for the second."""
    return iso.evaluate(converted("opi"), test_set(FEW), 2).to_json()["results"]


warnings.simplefilter("error")
with processes.sharded():
    report = {
        "world": processes.world(),
        "grouped": torch.distributed.is_initialized(),
        "shares": [len(range(5)), len([*processes.share(range(5))])],
        "conversions": conversions(),
        "statistics": statistics(),
        "failures": failures(),
    }
    place = processes.rank()
    outside = processes._PLACE.set((0, 1))
    if place == 0:
        report["alone"] = alone()
    processes._PLACE.reset(outside)
report["after"] = torch.distributed.is_initialized()
(FOLDER / f"{report['world']}-{place}.json").write_text(json.dumps(report))
