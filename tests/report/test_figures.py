"""isospike.report.figures: the figures as a reader sees them."""

from __future__ import annotations

import pytest

from isospike.report.figures import DASH, amount, figure, percent, points

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("write", "value", "written"),
    [
        (percent, 0.9342, "93.42"),
        (percent, 1, "100.00"),
        (points, 0.0123, "1.23"),
        (points, -0.0123, f"{MINUS}1.23"),
        (points, -1e-6, "0.00"),
        (figure, 16, "16"),
        (figure, 0.12345, "0.123"),
        (figure, 143_520.4, "143,520"),
        (figure, 0, "0"),
        (figure, 999.7, "1,000"),
        (amount, 40_813_184, "40.8 M"),
        (amount, 442_368, "442 k"),
        (amount, 3.1e9, "3.1 G"),
        (amount, 999_999, "1 M"),
        (amount, 12, "12"),
    ],
)
def test_figures(write, value, written: str):
    assert write(value) == written


@pytest.mark.parametrize("write", [percent, points, figure, amount])
@pytest.mark.parametrize("value", [None, "7", True])
def test_what_is_no_figure_is_a_dash(write, value):
    assert write(value) == DASH
