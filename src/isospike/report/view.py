"""What the page shows, worked out from the JSON of `isospike evaluate`."""

from __future__ import annotations

from typing import Any

from isospike.report.figures import is_number

# The page's style sheet holds as many colours (--c0 ...), the script as many markers and dashes.
COLOURS = 8
NEAR = 0.01 + 1e-9  # "close to the ANN" in the summary: at most one point lost, rounding apart

_PLOTTED = ("steps", "converted_for", "latency", "accuracy", "agreement")
_PLOTTED += ("spikes_per_neuron", "synops", "energy_nj")
_COLUMNS = (*_PLOTTED, "extra_steps", "hardware_class", "macs", "neuron_updates", "output_error")
_COLUMNS += ("notes", "skipped", "levels", "calibration_images")


def page(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Everything the template reads, from an evaluation whose strings are already visible."""
    ann = {"accuracy": None, "macs": None, "energy_nj": None, **(evaluation.get("ann") or {})}
    rows = [_row(row, ann) for row in evaluation.get("results") or []]
    recipes = list(dict.fromkeys(row["recipe"] for row in rows))
    return {
        "model": evaluation.get("model") or "model without a name",
        "data": {"name": None, "split": None, "n": None, **(evaluation.get("data") or {})},
        "settings": evaluation.get("settings") or {},
        "versions": evaluation.get("versions") or {},
        "ann": ann,
        "quantised": [_row(row, ann) for row in evaluation.get("quantised_ann") or []],
        "recipes": recipes,
        "colours": COLOURS,
        "rows": rows,
        "summary": [_summary(name, rows) for name in recipes],
        "sites": evaluation.get("sites") or [],
        "kept": evaluation.get("kept") or [],
        "interrupted": bool(evaluation.get("interrupted")),
        "script": _script(evaluation, rows, recipes),
    }


def _row(row: dict[str, Any], ann: dict[str, Any]) -> dict[str, Any]:
    """The row with its loss (negative where it gains) and its share of the ANN's energy."""
    # A row of another network than the page's is measured against its own source.
    source = row.get("ann_accuracy") or ann.get("accuracy")
    both = is_number(row.get("accuracy")) and is_number(source)
    loss = source - row["accuracy"] if both else None
    energies = is_number(row.get("energy_nj")) and is_number(ann.get("energy_nj"))
    share = row["energy_nj"] / ann["energy_nj"] if energies and ann["energy_nj"] else None
    return {**dict.fromkeys(_COLUMNS), "recipe": "", **row, "loss": loss, "energy_share": share}


def _summary(recipe: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The best row of a recipe, and its quickest one that is close to the ANN."""
    ran = [row for row in rows if row["recipe"] == recipe and is_number(row.get("accuracy"))]
    timed = [row for row in ran if is_number(row.get("latency"))]
    near = [row for row in timed if row["loss"] is not None and row["loss"] <= NEAR]
    return {
        "recipe": recipe,
        "best": max(ran, key=lambda row: row["accuracy"], default=None),
        "quickest": min(near, key=lambda row: row["latency"], default=None),
        "hardware_class": ran[0].get("hardware_class") if ran else None,
    }


def _script(
    evaluation: dict[str, Any], rows: list[dict[str, Any]], recipes: list[str]
) -> dict[str, Any]:
    """The part of the evaluation that the charts draw; recipes and sites by their number."""
    ran = [row for row in rows if is_number(row.get("accuracy"))]
    rates = [row.get("site_rates") or {} for row in ran]
    named = [str(site.get("name", "")) for site in evaluation.get("sites") or []]
    # The sites in network order, then those which only a row knows: nothing measured is left out.
    sites = list(dict.fromkeys([*named, *(site for rate in rates for site in rate)]))
    sites = [site for site in sites if any(site in rate for rate in rates)]
    points = [
        {
            **{key: row.get(key) for key in _PLOTTED},
            "recipe": recipes.index(row["recipe"]),
            "rates": [rate.get(site) for site in sites],
        }
        for row, rate in zip(ran, rates, strict=True)
    ]
    return {
        "colours": COLOURS,
        "ann": evaluation.get("ann") or {},
        "quantised": evaluation.get("quantised_ann") or [],
        "recipes": recipes,
        "sites": sites,
        "points": sorted(points, key=lambda point: point["recipe"]),
    }
