"""An evaluation as `isospike evaluate` would write it, with figures of a likely shape."""

from __future__ import annotations

import math
from typing import Any

import pytest

STEPS = (1, 2, 4, 8, 16, 32)
ANN = 0.9395
MACS = 31_200_000
BLOCKS = [f"layer{stage}.{block}.relu" for stage in (1, 2, 3) for block in (0, 1, 2)]
SITES = ["relu", *(name + call for name in BLOCKS for call in ("", "@1"))]
# name: loss at T=1 (fraction), how fast it falls, hardware class, rate
RECIPES = {
    "rueckauer": (0.82, 0.35, "H0", 0.11),
    "iso": (0.16, 0.62, "H0", 0.13),
    "ic-snn": (0.52, 0.48, "H1", 0.12),
    "spikeconverter": (0.40, 1.10, "H3", 0.31),
    "nq": (0.09, 0.80, "H0", 0.09),
}


def _row(name: str, steps: int) -> dict[str, Any]:
    loss, speed, hardware, rate = RECIPES[name]
    accuracy = ANN - loss * math.exp(-speed * (steps - 1) ** 0.8) + 0.0004 * math.sin(steps)
    waves = [(1.4 - 0.05 * k) * (1 + 0.4 * math.sin(1.7 * k)) for k in range(len(SITES))]
    synops = round(4_100_000 * rate / 0.1 * steps)
    return {
        "recipe": name,
        "steps": steps,
        "converted_for": steps,
        "extra_steps": 0,
        "latency": 20 * steps if name == "spikeconverter" else steps,
        "hardware_class": hardware,
        "accuracy": round(accuracy, 4),
        "agreement": round(accuracy + 0.02, 4),
        "spikes_per_neuron": rate * steps,
        "synops": synops,
        "macs": 442_368,
        "neuron_updates": 188_416 * steps,
        "energy_nj": (0.9 * synops + 4.6 * 442_368) / 1000,
        "output_error": 0.9 * math.exp(-0.3 * steps),
        "site_rates": {site: rate * wave for site, wave in zip(SITES, waves, strict=True)},
        "notes": ["max-pool became average-pool"] if name == "ic-snn" and steps > 8 else [],
    }


@pytest.fixture
def evaluation() -> dict[str, Any]:
    rows = [_row(name, steps) for name in RECIPES for steps in STEPS]
    rows.append({"recipe": "spikeconverter", "steps": 64, "skipped": "above T = 52"})
    return {
        "schema": 1,
        "model": "zoo:resnet20-fashion",
        "data": {"name": "fashion-sample", "split": "test", "n": 2000},
        "ann": {"accuracy": ANN, "macs": MACS, "energy_nj": 4.6 * MACS / 1000},
        "quantised_ann": [
            {
                "levels": n,
                "accuracy": ANN - 0.05 / n,
                "agreement": 1 - 0.06 / n,
                "macs": MACS,
                "energy_nj": 4.6 * MACS / 1000,
            }
            for n in (4, 8, 16)
        ],
        "results": rows,
        "sites": [
            {"name": site, "neurons": 16_384 >> (k // 7), "line": f"resnet.py:{40 + k}: relu(x)"}
            for k, site in enumerate(SITES)
        ],
        "settings": {"engine": "dense", "calibration": {"n": 1024, "sha256": "9f2c41d0"}},
        "versions": {"isospike": "0.1.0", "torch": "2.13.0", "python": "3.11"},
    }
