"""Pictures of a leaderboard: how good each model is, how sure that is, and what it costs."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator

from coterie.errors import DataError, ParameterError
from coterie.evaluation.estimates import Estimate
from coterie.evaluation.leaderboard import Leaderboard, Row
from coterie.evaluation.metrics import Measure
from coterie.explore.style import (
    BLUE,
    INK,
    MUTED,
    QUIET,
    SKY,
    SMALL,
    TEXT,
    headline,
    label_axes,
    new_axes,
    new_figure,
    plain,
)

Array = np.ndarray[Any, np.dtype[Any]]

_SHORTEST = 1e-3  # seconds; what is quicker is drawn there
_Box = tuple[float, float, float, float]  # left, bottom, right, top, in points
_NAME = TEXT - 0.5  # size of a model's name beside its dot
_APART = 9.0  # points between the two
_LINE = 30  # characters of a model's options in a line of its label
_MEANINGS = ((BLUE, "leads"), (SKY, "within noise of it"), (QUIET, "behind it"))


def leaderboard_bars(board: Leaderboard, metric: str | None = None) -> Figure:
    """Each model's value of a metric (default: the first) with its 95 % interval; colours say who is within noise.

    Bars from zero where more is better; points where less is better, since zero is then out of reach.
    """
    measure, judged = _judged(board, metric)
    labels = [_label(board, row) for row, _ in judged]
    lines = max(label.count("\n") for label in labels)
    figure = new_figure(height=1.75 + (0.4 + 0.15 * lines) * len(judged))
    axes = new_axes(figure, grid="x")
    places = np.arange(len(judged))[::-1]
    larger = measure.metric.larger_is_better
    for place, (_, estimate) in zip(places, judged, strict=True):
        colour = _colour(estimate)
        if larger:
            axes.barh(place, estimate.value, height=0.62, color=colour)
        else:
            axes.plot(estimate.value, place, "o", color=colour, markersize=9)
        if estimate.low is not None and estimate.high is not None:
            axes.plot([estimate.low, estimate.high], [place, place], color=INK if larger else colour, linewidth=2)
        end = max(estimate.value, estimate.high or estimate.value)
        _beside(axes, end, place, f"{estimate.value:.3f}")
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.7, len(judged) - 0.3)
    axes.margins(x=0.16)
    if larger:
        axes.set_xlim(left=0)
    label_axes(axes, _axis_title(measure), "")
    _legend(axes, judged)
    best, *others = judged
    close = sum(estimate.within_noise for _, estimate in others)
    sure = any(estimate.low is not None for _, estimate in judged)
    rest = {0: "no other model is within noise", 1: "one other model is within noise"}.get(
        close, f"{close} other models are within noise"
    )
    note = f"{rest}; lines are 95 % intervals over users" if sure and others else ""
    headline(figure, f"{board.short_name(best[0])} is best by {measure.name}", note)
    return figure


def accuracy_against_time(board: Leaderboard, metric: str | None = None) -> Figure:
    """A metric (default: the first) against the seconds that training and answering (lists or ratings) took."""
    measure, judged = _judged(board, metric)
    figure = new_figure(height=4.4)
    axes = new_axes(figure, grid="both")
    rates = measure.metric.kind == "rating"
    answering = [row.predict_seconds if rates else row.recommend_seconds for row, _ in judged]
    seconds = np.array([(row.fit_seconds or 0) + (a or 0) for (row, _), a in zip(judged, answering, strict=True)])
    seconds = np.maximum(seconds, _SHORTEST)
    for place, (at, (_, estimate)) in enumerate(zip(seconds, judged, strict=True)):
        look: dict[str, Any] = {"color": _colour(estimate), "zorder": 3 - place / len(judged)}  # the best on top
        if estimate.low is not None and estimate.high is not None:
            axes.plot([at, at], [estimate.low, estimate.high], linewidth=2, **look)
        axes.plot(at, estimate.value, "o", markersize=8, **look)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()
    low, high = 10.0 ** np.floor(np.log10(seconds.min()) - 0.05), 10.0 ** np.ceil(np.log10(seconds.max()) + 0.05)
    axes.set_xlim(low, high)
    axes.margins(y=0.12)
    label_axes(
        axes, f"training and {'predicting' if rates else 'recommending'} (seconds, log scale)", _axis_title(measure)
    )
    _legend(axes, judged)
    says = "What accuracy costs in time"
    better = "upper" if measure.metric.larger_is_better else "lower"
    headline(figure, says, f"best is the {better} left corner; lines are 95 % intervals over users")
    values = np.array([estimate.value for _, estimate in judged])
    _name_points(figure, axes, seconds, values, [_label(board, row) for row, _ in judged])
    return figure


def _judged(board: Leaderboard, metric: str | None) -> tuple[Measure, list[tuple[Row, Estimate]]]:
    """The measure, and the rows that have it, best first."""
    measure = next((m for m in board.measures if metric in (None, m.name)), None)
    if measure is None:
        there = ", ".join(m.name for m in board.measures)
        raise ParameterError(f"the leaderboard has no metric {metric!r}; it has {there}")
    found = [(row, estimate) for row in board.rows if (estimate := row.estimates.get(measure.name)) is not None]
    if not found:
        raise DataError(f"no model of this leaderboard has {measure.name}, so there is nothing to draw")
    sign = -1 if measure.metric.larger_is_better else 1
    return measure, sorted(found, key=lambda pair: sign * pair[1].value)


def _colour(estimate: Estimate) -> str:
    if estimate.difference is None:
        return BLUE
    return SKY if estimate.within_noise and estimate.low is not None else QUIET  # without an interval, behind is behind


def _legend(axes: Axes, judged: list[tuple[Row, Estimate]]) -> None:
    """Only the meanings that occur, under the picture."""
    used = {_colour(estimate) for _, estimate in judged}
    if len(used) < 2:
        return
    for colour, meaning in _MEANINGS:
        if colour in used:
            axes.plot([], [], "s", color=colour, markersize=9, label=meaning)
    axes.figure.legend(
        loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL, labelcolor=INK, handletextpad=0.3
    )


def _axis_title(measure: Measure) -> str:
    arrow = "more is better" if measure.metric.larger_is_better else "less is better"
    return f"{measure.name} ({arrow})"


def _label(board: Leaderboard, row: Row) -> str:
    """The model's short name; where that has options, they go on lines of their own."""
    name, bracket, options = board.short_name(row).partition("(")
    return plain("\n".join([name, *textwrap.wrap(bracket + options, _LINE)]))


def _beside(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=SMALL, color=MUTED)


def _name_points(figure: Figure, axes: Axes, x: Array, y: Array, names: list[str]) -> None:
    """A name beside each point: where it hides no other name and no point, as near as that allows."""
    figure.draw_without_rendering()  # settles the layout, so that places on paper are known
    points = axes.transData.transform(np.column_stack([x, y])) * 72 / figure.dpi
    frame = axes.get_window_extent()
    bottom, right, top = (edge * 72 / figure.dpi for edge in (frame.y0, frame.x1, frame.y1))
    taken = [(px - 5, py - 5, px + 5, py + 5) for px, py in points]
    for name, at, (px, py) in zip(names, zip(x, y, strict=True), points, strict=True):
        lines = name.splitlines()
        width = max(TextPath((0, 0), line, size=_NAME).get_extents().width for line in lines) + 2
        half = 0.6 * _NAME * len(lines)
        places = [
            (dx, dy)
            for dy in sorted(np.arange(-60.0, 61.0, 4.0), key=abs)
            for dx in (_APART, -_APART - width)
            if (px + dx + width < right or dx < 0) and bottom < py + dy - half and py + dy + half < top
        ]

        def box(place: tuple[float, float], px: float = px, py: float = py, w: float = width, h: float = half) -> _Box:
            return px + place[0], py + place[1] - h, px + place[0] + w, py + place[1] + h

        dx, dy = next((p for p in places if not any(_overlap(box(p), other) for other in taken)), (_APART, 0.0))
        taken.append(box((dx, dy)))
        look: dict[str, Any] = {
            "fontsize": _NAME,
            "color": INK,
            "va": "center",
            "ha": "left" if dx > 0 else "right",
        }
        text = axes.annotate(name, at, xytext=(dx if dx > 0 else -_APART, dy), textcoords="offset points", **look)
        text.set_in_layout(False)  # or the picture would be laid out anew


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
