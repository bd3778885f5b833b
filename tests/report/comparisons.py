"""A comparison as `isospike compare` would write it."""

from __future__ import annotations

from typing import Any


def compared(evaluation: dict[str, Any]) -> dict[str, Any]:
    """The evaluation of the tests with calibration images in its rows, and a recipe without any."""
    for row in evaluation["results"]:
        row["calibration_images"] = 1024
    none = {"recipe": "qcfs", "skipped": "a plain ReLU has none"}
    evaluation["results"] += [{**none, "steps": steps} for steps in (1, 2)]
    names = list(dict.fromkeys(row["recipe"] for row in evaluation["results"]))
    asked = {"steps": [1, 2, 4, 8, 16, 32], "recipes": names, "failed": [], "interrupted": None}
    return {**evaluation, "comparison": asked}
