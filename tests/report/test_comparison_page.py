"""The page of a comparison: what it holds, and in a browser that it draws and sorts."""

from __future__ import annotations

import json
import re
import subprocess
from html import unescape

import pytest

from isospike.errors import FormatError
from isospike.report.comparison_page import render, write
from report.comparisons import compared
from report.test_page import CHROMIUM, FLAGS, OWNED

ASK = """<script>
const all = (what) => [...document.querySelectorAll(what)];
const column = (table, n) => all(`[data-table=${table}] tbody tr`).map((r) => r.cells[n].dataset.v);
const wait = setInterval(() => {
  if (all("[data-drawn], [data-failed]").length < 2) return;
  clearInterval(wait);
  const before = column("latency", 1);
  const head = all("[data-table=latency] button")[1];
  head.click(); const once = column("latency", 1);
  head.click(); const twice = column("latency", 1);
  const out = document.createElement("pre");
  out.id = "answers";
  out.textContent = JSON.stringify({ drawn: all("[data-drawn=yes]").length, before, once, twice,
    sorted: all("[data-table=latency] [aria-sort]").length, owned: document.documentElement.dataset.owned || "no",
    points: all("#chart-synops .points path").length, fronts: all("#chart-latency .js-line").length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth });
  document.body.append(out);
}, 50);
</script>"""


def test_it_is_one_file_that_asks_for_nothing(evaluation):
    page = render(compared(evaluation))
    own = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href|url)\s*[=(]", own)
    assert page.count('data-table="') == 3


def test_fronts_are_marked_in_the_accounts_and_in_the_data(evaluation):
    found = compared(evaluation)
    best = next(row for row in found["results"] if row["recipe"] == "nq" and row["steps"] == 1)
    best.update(accuracy=0.999, synops=1.0)  # beats everything in both
    page = render(found)
    (data,) = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
    script = json.loads(data)
    for at in script["fronts"].values():
        (point,) = (script["points"][place] for place in at)
        assert (script["recipes"][point["recipe"]], point["steps"]) == ("nq", 1)
    assert page.count(">latency, synops</td>") == 1


def test_what_did_not_run_is_told(evaluation):
    found = compared(evaluation)
    found["comparison"]["recipes"].append("opi")
    found["comparison"]["interrupted"] = "opi"
    page = render(found)
    assert "Interrupted; not run: opi." in page
    assert "<dt>qcfs</dt><dd>a plain ReLU has none</dd>" in page
    assert "5 of 7 recipes ran" in page


def test_an_evaluation_is_no_comparison(evaluation, tmp_path):
    with pytest.raises(FormatError, match="isospike compare"):
        write(evaluation, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_a_comparison_in_which_nothing_ran_is_a_page(evaluation):
    found = compared(evaluation)
    found["results"] = [row for row in found["results"] if row["recipe"] == "qcfs"]
    assert "a plain ReLU has none" in render(found)


@pytest.mark.skipif(CHROMIUM is None, reason="no browser is installed")
@pytest.mark.timeout(300)
def test_it_draws_and_sorts_under_its_policy_with_hostile_names(evaluation, tmp_path):
    hostile = f'</script><img src=x onerror="{OWNED}"><script>{OWNED}</script>'
    found = json.loads(json.dumps(compared(evaluation)).replace('"ic-snn"', json.dumps(hostile)))
    # The test's own script is let in by taking the policy away: what runs is then the page's own.
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render(found))
    (tmp_path / "page.html").write_text(page.replace("</body>", ASK + "</body>"), "utf-8")
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'user'}", "--dump-dom"]
    command += ["--window-size=500,900", (tmp_path / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=280, check=True)
    told = re.search(r'<pre id="answers">(.+?)</pre>', done.stdout.decode(), re.DOTALL)
    assert told, done.stderr.decode()[-2000:]
    seen = json.loads(unescape(told[1]))
    assert (seen["drawn"], seen["owned"], seen["sorted"]) == (2, "no", 1)
    assert seen["points"] == 30
    assert seen["fronts"] == 1 + 5
    assert seen["overflow"] <= 0
    once, twice = ([float(v) for v in seen[k] if v] for k in ("once", "twice"))
    assert once == sorted(once, reverse=True)
    assert twice == sorted(once)
    assert sorted(seen["before"]) == sorted(seen["once"])
    assert seen["once"][-1] == seen["twice"][-1] == ""  # spikeconverter answers later: last
