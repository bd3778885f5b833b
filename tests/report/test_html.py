"""isospike.report.html: one file, complete, self-contained, and deaf to what names try."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from copy import deepcopy
from html.parser import HTMLParser

import pytest

from isospike.errors import FormatError
from isospike.report.html import render, write
from isospike.report.text import visible

HOSTILE = [
    "<script>alert(1)</script>",
    '"onload="alert(1)" x="',
    "'><img src=x onerror=alert(1)>",
    "</script></title></style><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.\u200fexe",
    "\x1b[31mred\x1b[0m\0",
    "<a href='javascript:alert(1)'>%{x}</a>",
]
VOID = {"meta", "input", "br", "link", "img", "path", "line"}


class Page(HTMLParser):
    """Every element with its attributes and own text; fails on a tag that closes nothing."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[int] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data):
        if self.open:
            self.elements[self.open[-1]][2].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attrs, "".join(text)) for name, attrs, text in self.elements if name == tag]

    def data(self) -> dict:
        return json.loads(next(text for attrs, text in self.all("script") if "type" in attrs))

    def policy(self) -> str:
        metas = [attrs for attrs, _ in self.all("meta") if "http-equiv" in attrs]
        assert len(metas) == 1
        return metas[0]["content"] or ""


def _poison(evaluation: dict, name: str) -> dict:
    """A copy of the evaluation with the name wherever a foreign string can stand, keys included."""
    evaluation = deepcopy(evaluation)
    evaluation["model"] = evaluation["data"]["name"] = evaluation["data"]["split"] = name
    for row in evaluation["results"][:6]:
        row.update(recipe=name, notes=[name], hardware_class=name)
        row["site_rates"] = {name: 0.1, **row["site_rates"]}
    evaluation["results"].append({"recipe": name, "steps": 3, "skipped": name})
    evaluation["sites"].insert(0, {"name": name, "neurons": 3, "line": name})
    evaluation["settings"] = {name: name, "deep": {name: [name]}}
    evaluation["versions"] = {name: name}
    return evaluation


def test_nothing_is_fetched_and_only_known_scripts_may_run(evaluation):
    page = Page(render(evaluation))
    policy = page.policy()
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]
    assert not [tag for tag, attrs, _ in page.elements if {"src", "href", "srcset"} & set(attrs)]
    for attrs, text in page.all("script"):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert attrs == {"type": "application/json", "id": "data"} or f"'sha256-{digest}'" in policy
    assert policy.count("sha256-") == 2 == len(page.all("script")) - 1


def test_the_policy_stands_before_anything_it_must_rule(evaluation):
    source = render(evaluation)
    assert source.index("Content-Security-Policy") < source.index("<style")
    assert source.index("Content-Security-Policy") < source.index("<script")


def test_every_row_and_site_is_in_the_tables(evaluation):
    source = render(evaluation)
    rows = re.search(r'<table class="rows">(.*?)</table>', source, re.S)
    assert rows
    assert rows[1].count("<tr") == 1 + 1 + 3 + len(evaluation["results"])
    assert "Skipped: above T = 52" in rows[1]
    assert "max-pool became average-pool" in rows[1]
    assert "ANN, 8 levels" in rows[1]
    for site in evaluation["sites"]:
        assert site["line"] in source


def test_a_row_shows_its_figures(evaluation):
    evaluation["results"] = [evaluation["results"][-4] | {"accuracy": 0.9213, "synops": 1_234_567}]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", render(evaluation).split('class="rows"')[1])
    cells = cells[4 * 16 :][:16]
    assert cells[2:4] == ["92.13", "1.82"]
    assert cells[6] == "1.23 M"
    assert cells[12] == "H0"


def test_formula_definitions_settings_and_versions(evaluation):
    source = render(evaluation)
    for words in (
        "E = 0.9 pJ \N{MULTIPLICATION SIGN} SynOps + 4.6 pJ",
        "45 nm",
        "Horowitz",
        "(D + 1) \N{MULTIPLICATION SIGN} T",
        "<b>H4</b>",
        "Steps, T",
        "Latency",
        "SynOps",
        "2.13.0",
        "9f2c41d0",
    ):
        assert words in source


def test_the_same_evaluation_gives_the_same_page(evaluation):
    assert render(evaluation) == render(json.loads(json.dumps(evaluation)))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_and_nothing_else(evaluation, name):
    plain, page = Page(render(_poison(evaluation, "name"))), Page(render(_poison(evaluation, name)))
    assert [(tag, set(attrs)) for tag, attrs, _ in page.elements] == [
        (tag, set(attrs)) for tag, attrs, _ in plain.elements
    ]
    assert page.policy() == plain.policy()
    shown = visible(name)
    assert page.all("h1")[0][1] == shown
    assert page.data()["recipes"][0] == shown
    assert page.data()["sites"][0] == shown


def test_no_hidden_character_is_left(evaluation):
    source = render(_poison(evaluation, "".join(HOSTILE)))
    outside = re.sub(r"<script>.*?</script>", "", source, flags=re.S)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]", outside)
    assert "\\x1b[31mred" in outside
    assert "\\u202e" in outside


def test_a_name_of_ten_megabytes_does_not_blow_up_the_page(evaluation):
    assert len(render(evaluation | {"model": "m" * 10_000_000})) < 6_000_000


def test_no_rows_and_missing_figures_still_make_a_page(evaluation):
    evaluation["results"] = [{"recipe": "iso", "steps": 4, "accuracy": float("nan")}]
    assert "not reached" in render(evaluation)
    assert "<h1>" in render({"schema": 1})


@pytest.mark.parametrize("schema", [0, 2, "1", None])
def test_another_schema_is_refused(evaluation, schema):
    with pytest.raises(FormatError, match="schema"):
        render(evaluation | {"schema": schema})


def test_write_replaces_the_whole_file_or_nothing(evaluation, tmp_path):
    path = tmp_path / "report.html"
    write(evaluation, path)
    assert path.read_bytes() == render(evaluation).encode()
    with pytest.raises(FormatError):
        write(evaluation | {"schema": 9}, path)
    assert path.read_bytes() == render(evaluation).encode()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
