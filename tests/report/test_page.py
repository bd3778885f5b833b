"""The page in a headless Chromium: it draws under its own policy, and names stay names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from isospike.report.html import render

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(BROWSERS)} is installed"),
    pytest.mark.timeout(300),
]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--allow-file-access-from-files", "--enable-logging=stderr", "--virtual-time-budget=20000"),
)
OWNED = "document.documentElement.dataset.owned='yes'"
# The page stands in a frame, which can be narrower than a browser window. ACT runs once every
# chart has drawn, with `d` the page's document; a moment later the answers are read.
FRAME = """<!doctype html>
<iframe id="f" src="page.html" style="width:WIDTHpx;height:900px"></iframe>
<pre id="answers"></pre><script>
const all = (d, what) => [...d.querySelectorAll(what)];
const answers = (d) => ({
  drawn: all(d, "[data-drawn=yes]").map((c) => c.id), failed: all(d, "[data-failed]").length,
  points: ["latency", "energy", "spikes"].map((k) => all(d, `#chart-${k} .points path`).length),
  lines: all(d, "#chart-latency .js-line").map((l) => l.style.stroke),
  heat: all(d, "#chart-rates .hm image").length,
  labels: all(d, "#chart-rates .ytick text").map((t) => t.textContent),
  heads: all(d, "#chart-rates .annotation-text").map((t) => t.textContent),
  links: all(d, "a").length, owned: d.documentElement.dataset.owned || "no", title: d.title,
  swatches: all(d, ".swatch path").length, overflow: d.documentElement.scrollWidth - WIDTH,
});
const wait = setInterval(() => {
  const d = f.contentDocument;
  if (all(d, "[data-drawn], [data-failed]").length < 4) return;
  clearInterval(wait);
  ACT;
  const out = document.getElementById("answers");
  setTimeout(() => { out.textContent = JSON.stringify(answers(d)); }, 500);
}, 50);
</script>"""


@pytest.fixture
def browse(tmp_path: Path):
    def browse(source: str, act: str = "", width: int = 1280) -> tuple[dict[str, Any], list[str]]:
        """What the page shows, and what the browser's console says."""
        (tmp_path / "page.html").write_text(source, encoding="utf-8")
        frame = tmp_path / "frame.html"
        frame.write_text(FRAME.replace("WIDTH", str(width)).replace("ACT", act), encoding="utf-8")
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'user'}"]
        command += ["--window-size=1400,1000", "--dump-dom", frame.as_uri()]
        done = subprocess.run(command, capture_output=True, timeout=280, check=True)
        console = [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]
        found = re.search(r'<pre id="answers">(.+?)</pre>', done.stdout.decode(), re.DOTALL)
        assert found, f"the page never finished: {console}"
        return json.loads(unescape(found[1])), console

    return browse


def test_every_chart_draws_under_the_policy(evaluation, browse):
    seen, console = browse(render(evaluation))
    assert console == []
    assert seen["drawn"] == ["chart-latency", "chart-energy", "chart-spikes", "chart-rates"]
    assert seen["points"] == [30, 30 + 4, 30]  # the ANN and three quantised ones have an energy
    assert len(set(seen["lines"])) == 5
    assert seen["heat"] == 1
    assert seen["labels"] == [site["name"] for site in evaluation["sites"]]
    assert seen["heads"] == ["rueckauer", "iso", "ic-snn", "spikeconverter", "nq"]
    assert seen["swatches"] == 5 + 5 + len(evaluation["results"])
    assert seen["overflow"] <= 0


def test_a_recipe_can_be_taken_out_and_keeps_the_colours_of_the_others(evaluation, browse):
    all_lines = browse(render(evaluation))[0]["lines"]
    take_out = "d.querySelectorAll('input[name=recipe]')[1].click()"
    seen, console = browse(render(evaluation), take_out)
    assert console == []
    assert seen["points"] == [24, 24 + 4, 24]
    assert seen["lines"] == [line for k, line in enumerate(all_lines) if k != 1]


def test_a_narrow_page_does_not_scroll_sideways_and_shows_one_recipe(evaluation, browse):
    seen, console = browse(render(evaluation), width=420)
    assert console == []
    assert len(seen["drawn"]) == 4
    assert seen["overflow"] <= 0
    assert seen["heads"] == ["rueckauer"]


def test_hostile_names_are_shown_and_run_nothing(evaluation, browse):
    names = [
        f"<script>{OWNED}</script>",
        f'"onload="{OWNED}',
        f'<img src=x onerror="{OWNED}">',
        f"</script><script>{OWNED}</script>",
        f'<a href="javascript:{OWNED}">%{{x}}</a>',
        "\u202e\x1b[31m\0" + "long" * 200,
    ]
    evaluation["model"] = "".join(names)
    for row in evaluation["results"]:
        row["recipe"] = names[len(row["recipe"]) % len(names)]
        row["notes"] = names
        row["site_rates"] = dict.fromkeys(["<b>bold</b>", "&lt;", *names], 0.2)
    evaluation["sites"] = []
    seen, console = browse(render(evaluation), width=420)
    assert console == []
    assert len(seen["drawn"]) == 4
    assert (seen["owned"], seen["links"]) == ("no", 0)
    assert seen["labels"][:2] == ["<b>bold</b>", "&lt;"]
    assert seen["title"].startswith("<script>")
    assert seen["overflow"] <= 0


def test_a_script_that_slipped_in_is_stopped_by_the_policy(evaluation, browse):
    smuggled = f'</h1><script>{OWNED}</script><img src=x onerror="{OWNED}">'
    seen, console = browse(render(evaluation).replace("</h1>", smuggled))
    assert len(seen["drawn"]) == 4
    assert seen["owned"] == "no"
    assert any("Content Security Policy" in line for line in console)


@pytest.mark.parametrize("recipes", [0, 23])
def test_no_rows_and_many_recipes_draw_too(evaluation, browse, recipes):
    row = evaluation["results"][0]
    evaluation["results"] = [
        row | {"recipe": f"recipe-with-a-longer-name-{k}", "steps": 2**s, "latency": 2**s}
        for k in range(recipes)
        for s in range(6)
    ]
    evaluation["sites"] = evaluation["sites"] if recipes else []
    seen, console = browse(render(evaluation), width=420 if recipes else 1280)
    assert console == []
    assert (len(seen["drawn"]), seen["failed"]) == (4, 0)
    assert seen["overflow"] <= 0
