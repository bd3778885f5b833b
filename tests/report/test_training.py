"""The figures of a training run hold the data they are given, and no name of a site runs anything."""

import math

import pytest
import torch

from isospike.report.training import history_figure, residual_figure, text, transfer_figure
from isospike.train.gap import Gap
from isospike.train.transfer import BINS, Transfer

HISTORY = [
    {"epoch": e, "loss": 1 / e, "of": 200, "selects": 100 + e, "correct": {"ann": 150 + e, "4": 100 + e}}
    for e in (1, 2, 3)
]  # fmt: skip
HOSTILE = "<a href='javascript:alert(1)'>%{x}</a>\u202e"


def gap(grid: int = 4) -> Gap:
    r = torch.linspace(-0.5, 0.5, 2 * grid + 1, dtype=torch.float64)
    counts = (r * grid).round().long().add(grid).bincount(minlength=2 * grid + 1)
    return Gap(2.0, counts, torch.stack([r.pow(k).sum() for k in (1, 2, 3, 4)]), float(r.var()))


def site() -> Transfer:
    counts = torch.zeros(BINS, dtype=torch.int64)
    counts[16:48] = 2
    phi = counts.double() * torch.linspace(-0.5, 1.5, BINS, dtype=torch.float64)
    return Transfer(2.0, counts, phi, phi.square(), phi)


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_every_site_has_its_histogram_and_its_fit(count):
    sites = {f"layer{k}": gap() for k in range(count)}
    figure = residual_figure(sites)
    bars = [trace for trace in figure.data if trace.type == "bar"]
    fits = [trace for trace in figure.data if trace.type == "scatter"]
    assert len(bars) == len(fits) == count
    assert [a.text.split("<br>")[0] for a in figure.layout.annotations[:count]] == list(sites)
    for bar in bars:
        assert sum(bar.y) == pytest.approx(1.0)
        assert list(bar.x) == gap().bins.tolist()
    assert sum(bool(trace.showlegend) for trace in figure.data) == 2


def test_a_residual_that_does_not_vary_draws_too():
    counts = torch.tensor([0, 0, 5, 0, 0])
    figure = residual_figure({"a": Gap(1.0, counts, torch.zeros(4).double(), 0.0)})
    assert "not defined" in figure.data[0].hovertext
    assert all(math.isfinite(y) for y in figure.data[1].y)


def test_empty_bins_are_left_out_of_the_transfer():
    figure = transfer_figure({"a": site(), "b": site()})
    lines = [trace for trace in figure.data if trace.fill is None]
    assert len(lines) == 4
    for line in lines:
        assert list(line.x) == site().z[16:48].tolist()
        assert all(math.isfinite(y) for y in line.y)


def test_the_history_is_accuracy_in_percent_against_the_epoch():
    figure = history_figure(HISTORY, kept=3)
    assert [trace.name for trace in figure.data] == ["ANN", "T = 4"]
    assert list(figure.data[1].x) == [1, 2, 3]
    assert list(figure.data[1].y) == [50.5, 51.0, 51.5]
    assert figure.layout.shapes[0].x0 == 3


@pytest.mark.parametrize("draw", [lambda: residual_figure({HOSTILE: gap()}),
                                  lambda: transfer_figure({HOSTILE: site()})])  # fmt: skip
def test_a_hostile_name_is_text(draw):
    words = draw().layout.annotations[0].text
    assert "<a" not in words
    assert "\u202e" not in words


def test_text_is_escaped_for_plotly():
    assert text("<b>&") == "&lt;b&gt;&amp;"


def test_no_sites_and_no_epochs_draw():
    assert not residual_figure({}).data
    assert not transfer_figure({}).data
    assert not history_figure([]).data
