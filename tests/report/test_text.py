"""isospike.report.text: foreign strings become visible and cannot leave their script element."""

from __future__ import annotations

import json

import pytest

from isospike.report.text import clean, script_json, visible


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("layer1.0.relu@1", "layer1.0.relu@1"),
        ("größe 层", "größe 层"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\0b\n\x7f\x9b", "a\\x00b\\x0a\\x7f\\x9b"),
        ("\u202egnp.exe\u200f\ufeff", "\\u202egnp.exe\\u200f\\ufeff"),
        ("line\u2028para\u2029", "line\\u2028para\\u2029"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_hidden_characters_are_shown_as_escapes(raw: str, shown: str):
    assert visible(raw) == shown


def test_a_very_long_name_keeps_its_two_ends():
    shown = visible("<" + "x" * 10_000_000 + ">")
    assert len(shown) < 2100
    assert shown.startswith("<xx")
    assert shown.endswith("xx>")
    assert "9998002 characters" in shown


def test_clean_reaches_keys_and_nested_strings():
    assert clean({"a\x1b": [{"b": "\u202e"}, ("\0",)]}) == {"a\\x1b": [{"b": "\\u202e"}, ["\\x00"]]}


def test_what_json_cannot_say_becomes_none():
    assert clean([float("nan"), float("inf")]) == [None, None]
    assert clean([1.5, 3, True, None]) == [1.5, 3, True, None]


def test_no_text_ends_a_script_element():
    value = {"</script><!--<script>": "&amp;\u2028\u2029]]>"}
    written = script_json(value)
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == value


def test_nan_is_refused_and_not_written_as_javascript():
    with pytest.raises(ValueError, match="JSON compliant"):
        script_json(float("nan"))
