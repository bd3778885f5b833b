"""A comparison as text."""

from __future__ import annotations

from isospike.report.comparison_text import text
from report.comparisons import compared


def test_everything_is_told_in_80_columns(evaluation):
    found = compared(evaluation)
    told = text(found)
    assert all(len(line) <= 80 for line in told.splitlines())
    for name in ("rueckauer", "iso", "ic-snn", "spikeconverter", "nq"):
        assert told.count(f"\n{name} ") >= 2
    assert "no row of qcfs: a plain ReLU has none" in told
    assert "interrupted" not in told


def test_accounts_of_the_front_are_whole(evaluation):
    found = compared(evaluation)
    row = next(r for r in found["results"] if r["recipe"] == "nq" and r["steps"] == 1)
    row.update(accuracy=0.99, extra_steps=3, latency=4, synops=5_000_000, energy_nj=123.0)
    lines = [line.split() for line in text(found).splitlines()]
    assert ["nq", "1", "3", "4", "H0", "99.00", "0.09", "5", "M", "123", "1024"] in lines


def test_an_interruption_names_what_did_not_run(evaluation):
    found = compared(evaluation)
    found["comparison"]["recipes"] = ["iso", "opi", "rts"]
    found["comparison"]["interrupted"] = "opi"
    assert text(found).endswith("interrupted; not run: opi, rts")


def test_nothing_that_ran_is_told_too(evaluation):
    found = compared(evaluation)
    found["results"] = [row for row in found["results"] if row["recipe"] == "qcfs"]
    assert "no row of qcfs" in text(found)
