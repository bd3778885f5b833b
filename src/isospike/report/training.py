"""The figures of a training run.

Residual histogram per site with the Gaussian fit, phi(T) against a(z), accuracy during training:
the figures of Huang et al. 2024. Each function returns a plotly figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from isospike.report.text import visible
from isospike.train.gap import Gap
from isospike.train.transfer import HIGH, LOW, Transfer

# Those of page/page.css, light; the page exchanges them in the dark.
BLUE, ORANGE, GREEN, SOFT = "#17407c", "#e0650a", "#1c9c91", "#5a6270"
BAND = "rgba(28, 156, 145, 0.25)"
COLOURS = (ORANGE, GREEN, "#b93fd4", "#574810", "#176782", "#7a2548", "#4a2df0")
MINUS, SIGMA = "\N{MINUS SIGN}", "\N{GREEK SMALL LETTER SIGMA}"
COLUMNS, HEIGHT = 4, 200  # of the small multiples, one per site; pixels of a row


def residual_figure(gaps: Mapping[str, Gap]) -> go.Figure:
    """Share of the values of (a - phi(T)) / theta per bin, and what N(mean, sigma) would put there,
    for every site."""
    titles = {path: f"{SIGMA} {gap.sigma / gap.theta:.3f} θ" for path, gap in gaps.items()}
    figure = _grid(titles, f"(a {MINUS} φ) / θ", "share")
    reach = max((_reach(gap) for gap in gaps.values()), default=1.0)
    for place, gap in zip(_places(gaps), gaps.values(), strict=True):
        share = gap.counts / gap.n
        x = torch.linspace(-reach, reach, 121, dtype=torch.float64)
        said = f"mean {gap.mean:.4f}, excess kurtosis {_number(gap.kurtosis)}"
        bars = go.Bar(
            x=gap.bins.tolist(), y=share.tolist(), marker_color=BLUE, name="measured",
            hovertext=said, width=1 / gap.grid,
        )  # fmt: skip
        fit = go.Scatter(
            x=x.tolist(), y=gap.fit(x).tolist(), mode="lines", name="Gaussian fit",
            line={"color": ORANGE, "width": 1.5}, hoverinfo="skip",
        )  # fmt: skip
        _add(figure, [bars, fit], place)
    # Most values are in the middle bin; how the tails differ from the Gaussian's is seen in logs.
    figure.update_yaxes(type="log", range=[-4.5, 0.1], dtick=2, exponentformat="power")
    return figure.update_xaxes(range=[-reach, reach]).update_layout(bargap=0)


def transfer_figure(transfers: Mapping[str, Transfer]) -> go.Figure:
    """phi(T), mean and one standard deviation around it, and a(z), against z, for every site; all
    in units of theta."""
    figure = _grid(dict.fromkeys(transfers, ""), "z / θ", "output / θ")
    for place, site in zip(_places(transfers), transfers.values(), strict=True):
        seen = site.counts > 0
        z, mean, std, clean = (v[seen] for v in (site.z, site.mean, site.std, site.clean))
        around = go.Scatter(
            x=[*z.tolist(), *z.flip(0).tolist()],
            y=[*(mean + std).tolist(), *(mean - std).flip(0).tolist()],
            fill="toself", fillcolor=BAND, line={"width": 0}, mode="lines", name="φ ± one s.d.",
            hoverinfo="skip",
        )  # fmt: skip
        lines = [
            go.Scatter(x=z.tolist(), y=y.tolist(), mode="lines", name=name,
                       line={"color": colour, "width": 1.8, "dash": dash})
            for name, y, colour, dash in (
                ("φ(T)", mean, GREEN, "solid"), ("a(z)", clean, BLUE, "dot"),
            )
        ]  # fmt: skip
        _add(figure, [around, *lines], place)
    return figure.update_xaxes(range=[LOW, HIGH]).update_yaxes(range=[-0.1, 1.1])


def history_figure(history: Sequence[Mapping[str, Any]], kept: int | None = None) -> go.Figure:
    """Validation accuracy of the ANN and after each T against the epoch; `kept`: the epoch whose
    network was kept. history: the rows of DIR/training.json."""
    figure = go.Figure()
    readings = list(dict.fromkeys(name for row in history for name in row["correct"]))
    for number, reading in enumerate(readings):
        rows = [row for row in history if reading in row["correct"]]
        ann = reading == "ann"
        figure.add_scatter(
            x=[row["epoch"] for row in rows],
            y=[100 * row["correct"][reading] / row["of"] for row in rows],
            name="ANN" if ann else text(f"T = {reading}"),
            mode="lines+markers",
            line={"color": SOFT if ann else COLOURS[(number - 1) % len(COLOURS)],
                  "dash": "dash" if ann else "solid"},
        )  # fmt: skip
    if kept is not None:
        figure.add_vline(x=kept, line={"color": SOFT, "width": 1, "dash": "dot"},
                         annotation={"text": "kept", "font": {"color": SOFT}})  # fmt: skip
    few = len(history) <= 12
    figure.update_xaxes(title="epoch", dtick=1 if few else None)
    figure.update_yaxes(title="validation accuracy (%)")
    return figure.update_layout(**_layout(420))


def text(name: object) -> str:
    """Foreign text for plotly, which reads a little HTML in its texts."""
    return escape(visible(str(name)), quote=False)


def _grid(titles: Mapping[str, str], x: str, y: str) -> go.Figure:
    """Small multiples, one per site, with shared axes."""
    rows = max(1, math.ceil(len(titles) / COLUMNS))
    heads = [f"{_short(path)}<br>{note}" for path, note in titles.items()]
    height = HEIGHT * rows + 110
    shared: Any = "all"  # plotly's own annotation says bool
    figure = make_subplots(
        rows, COLUMNS, shared_xaxes=shared, shared_yaxes=shared, subplot_titles=heads,
        vertical_spacing=min(60 / height, 1 / rows), horizontal_spacing=0.02,
    )  # fmt: skip
    figure.update_annotations(font_size=12).update_layout(**_layout(height))
    figure.update_yaxes(title=y, col=1, title_standoff=4)
    # The lowest of each column says the axis; under a column that is shorter no row follows.
    for column in range(1, COLUMNS + 1):
        last = rows if column <= (len(titles) - 1) % COLUMNS + 1 else rows - 1
        if last:
            figure.update_xaxes(
                title=x, showticklabels=True, row=last, col=column, title_standoff=4
            )
    for place in range(len(titles), rows * COLUMNS):
        blank = {"row": rows, "col": place % COLUMNS + 1, "visible": False}
        figure.update_xaxes(**blank).update_yaxes(**blank)
    return figure


def _layout(height: int) -> dict[str, Any]:
    return {
        "height": height, "template": "plotly_white",
        "margin": {"l": 60, "r": 15, "t": 60, "b": 50},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "top", "yref": "container"},
    }  # fmt: skip


def _add(figure: go.Figure, traces: Sequence[Any], place: tuple[int, int]) -> None:
    """One entry per kind of trace in the legend."""
    for trace in traces:
        trace.update(legendgroup=trace.name, showlegend=place == (1, 1))
        figure.add_trace(trace, *place)


def _places(sites: Mapping[str, Any]) -> list[tuple[int, int]]:
    return [(k // COLUMNS + 1, k % COLUMNS + 1) for k in range(len(sites))]


def _reach(gap: Gap) -> float:
    """Where nearly all values are: the x axis; at least two bins to each side."""
    used = gap.bins[gap.counts > gap.n / 1000].abs()
    return min(1.0, max([2 / gap.grid, *used.tolist()])) + 0.5 / gap.grid


def _short(path: str, most: int = 26) -> str:
    path = visible(path)
    return escape(path if len(path) <= most else f"…{path[1 - most :]}", quote=False)


def _number(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.2f}"
