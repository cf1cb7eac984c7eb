"""Pictures of a leaderboard: how good each model is, how sure that is, and what it costs."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from coterie.errors import DataError, ParameterError
from coterie.evaluation.estimates import Estimate
from coterie.evaluation.leaderboard import Leaderboard, Row
from coterie.evaluation.metrics import Measure
from coterie.explore.labels import Upright, name_points
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
_MANY = 10  # models from which on pictures are packed closer
_WIDE = 9.0  # inches, of a picture with several panels
_LINE = 30  # characters of a model's options in a line of its label
_ROW = 0.26  # inches, of a row where panels stand side by side
_LINE_HEIGHT = 0.17  # inches, of each further line of a label
_MEANINGS = ((BLUE, "leads"), (SKY, "within noise of it"), (QUIET, "behind it"))


def leaderboard_bars(board: Leaderboard, metric: str | None = None) -> Figure:
    """Each model's value of a metric (default: the first) with its 95 % interval; colours say who is within noise.

    Bars from zero where more is better; points where less is better, since zero is then out of reach.
    """
    measure, judged = _judged(board, metric)
    labels = [_label(board, row) for row, _ in judged]
    each = 0.4 if len(judged) <= _MANY else 0.3
    places, room = _rows(labels, each)
    figure = new_figure(height=1.75 + each * room)
    axes = new_axes(figure, grid="x")
    larger = measure.metric.larger_is_better
    for place, (_, estimate) in zip(places, judged, strict=True):
        _bar(axes, place, estimate, measure, _colour(estimate))
        end = max(estimate.value, estimate.high or estimate.value)
        _beside(axes, end, place, f"{estimate.value:.3f}")
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.7, room - 0.3)
    axes.margins(x=0.16)
    if larger:
        axes.set_xlim(left=0)
    label_axes(axes, _axis_title(measure), "")
    _legend(figure, [estimate for _, estimate in judged])
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
    rates = measure.metric.kind == "rating"
    answering = [row.predict_seconds if rates else row.recommend_seconds for row, _ in judged]
    seconds = np.array([(row.fit_seconds or 0) + (a or 0) for (row, _), a in zip(judged, answering, strict=True)])
    seconds = np.maximum(seconds, _SHORTEST)
    figure, axes = _points(board, measure, judged, seconds)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()
    low, high = 10.0 ** np.floor(np.log10(seconds.min()) - 0.05), 10.0 ** np.ceil(np.log10(seconds.max()) + 0.05)
    axes.set_xlim(low, high)
    axes.set_xlabel(f"training and {'predicting' if rates else 'recommending'} (seconds, log scale)")
    better = "upper" if measure.metric.larger_is_better else "lower"
    headline(
        figure, "What accuracy costs in time", f"best is the {better} left corner; lines are 95 % intervals over users"
    )
    _name_points(figure, axes, seconds, judged, board)
    return figure


def accuracy_against_popularity(board: Leaderboard, metric: str | None = None) -> Figure:
    """A metric (default: the first) against how popular the recommended items are (`Row.popularity`).

    Where it is known how popular the items are that the same people rated themselves, a line says so: models to its
    right recommend what is more popular than what people choose.
    """
    measure, found = _judged(board, metric)
    judged = [(row, estimate) for row, estimate in found if row.popularity is not None]
    if not judged:
        raise DataError("no model of this leaderboard recommended anything, so nobody knows how popular that is")
    shares = np.array([100 * (row.popularity or 0.0) for row, _ in judged])
    figure, axes = _points(board, measure, judged, shares)
    own = board.profile_popularity
    if own is not None:
        axes.axvline(100 * own, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    most = max(shares.max(), 100 * (own or 0.0))
    axes.set_xlim(-0.05 * most, 1.12 * most)
    axes.set_xlabel("people who rated a recommended item (mean share, %)")
    note = "further right: more of what everybody knows"
    if own is not None:
        note += "; the dashed line is what these people rated themselves"
    headline(figure, "Accurate, or merely popular?", note)
    _name_points(figure, axes, shares, judged, board, None if own is None else 100 * own)
    return figure


def group_bars(board: Leaderboard, by: str = "activity", metric: str | None = None) -> Figure:
    """A metric (default: the first) for each group of users, a panel a group, models in the order of the leaderboard.

    Parameters
    ----------
    by : str
        What users are grouped by; one of those that the leaderboard has.
    """
    measure = _measure(board, metric)
    grouped = board.groups_by_metric.get(measure.name, {})
    if not grouped.get(by):
        there = ", ".join(name for name, groups in grouped.items() if groups) or "none"
        raise DataError(f"this leaderboard has no groups by {by!r}; it has {there}")
    groups = grouped[by]
    rows = [row for row in board.rows if any(row.model in of_models for of_models in groups.values())]
    labels = [_label(board, row) for row in rows]
    places, room = _rows(labels, _ROW)
    figure = new_figure(height=1.75 + _ROW * room, width=_WIDE)
    panels: list[Axes] = []
    for at, (group, of_models) in enumerate(groups.items()):
        axes = new_axes(figure, 1, len(groups), at + 1, grid="x")
        for place, row in zip(places, rows, strict=True):
            if (estimate := of_models.get(row.model)) is not None:
                _bar(axes, place, estimate, measure, _colour(estimate))
        axes.set_title(plain(group), fontsize=TEXT, color=INK, loc="left")
        axes.set_yticks(places, labels if at == 0 else [""] * len(rows))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.7, room - 0.3)
        panels.append(axes)
    _same_scale(panels, from_zero=measure.metric.larger_is_better)
    label_axes(panels[len(panels) // 2], _axis_title(measure), "")
    _legend(figure, [estimate for of_models in groups.values() for estimate in of_models.values()])
    says = {
        "activity": "By how many ratings people have",
        "popularity": "By how popular the items are that people rate",
    }
    leaders = {next(label for label, e in of.items() if e.difference is None) for of in groups.values()}
    note = "the same model leads in every group" if len(leaders) == 1 else "not the same model leads in every group"
    if any(estimate.low is not None for of_models in groups.values() for estimate in of_models.values()):
        note += "; lines are 95 % intervals over users"
    headline(figure, says.get(by, f"By {by}"), note)
    return figure


def _rows(labels: list[str], each: float) -> tuple[Array, float]:
    """Where rows of a picture stand, float (n,), the first on top and the last at 0, and the room that all of them take
    where a row with a label of one line takes 1, which is `each` inches."""
    room = np.array([1 + _LINE_HEIGHT / each * label.count("\n") for label in labels])
    return room.sum() - 0.5 - (np.cumsum(room) - room / 2), float(room.sum())


def _points(board: Leaderboard, measure: Measure, judged: list[tuple[Row, Estimate]], x: Array) -> tuple[Figure, Axes]:
    """A picture with a dot and an interval for each model, its names still to come."""
    further = sum(_name(board, row).count("\n") for row, _ in judged)  # lines of names, which need room
    height = (4.4 if len(judged) <= _MANY else 5.6) + min(_LINE_HEIGHT * further, 2.0)
    figure = new_figure(height=height)
    axes = new_axes(figure, grid="both")
    for place, (at, (_, estimate)) in enumerate(zip(x, judged, strict=True)):
        look: dict[str, Any] = {"color": _colour(estimate), "zorder": 3 - place / len(judged)}  # the best on top
        if estimate.low is not None and estimate.high is not None:
            axes.plot([at, at], [estimate.low, estimate.high], linewidth=2, **look)
        axes.plot(at, estimate.value, "o", markersize=8, **look)
    axes.margins(y=0.12)
    label_axes(axes, "", _axis_title(measure))
    _legend(figure, [estimate for _, estimate in judged])
    return figure, axes


def _bar(axes: Axes, place: float, estimate: Estimate, measure: Measure, colour: str) -> None:
    """A bar from zero where more is better; a point where less is better, since zero is then out of reach."""
    larger = measure.metric.larger_is_better
    if larger:
        axes.barh(place, estimate.value, height=0.62, color=colour)
    else:
        axes.plot(estimate.value, place, "o", color=colour, markersize=9)
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [place, place], color=INK if larger else colour, linewidth=2)


def _same_scale(panels: list[Axes], from_zero: bool) -> None:
    low, high = min(axes.get_xlim()[0] for axes in panels), max(axes.get_xlim()[1] for axes in panels)
    for axes in panels:
        axes.set_xlim(0 if from_zero else low, high)
        axes.xaxis.set_major_locator(MaxNLocator(4))


def _measure(board: Leaderboard, metric: str | None) -> Measure:
    """The measure of that name, or the first."""
    measure = next((m for m in board.measures if metric in (None, m.name)), None)
    if measure is None:
        there = ", ".join(m.name for m in board.measures)
        raise ParameterError(f"the leaderboard has no metric {metric!r}; it has {there}")
    return measure


def _judged(board: Leaderboard, metric: str | None) -> tuple[Measure, list[tuple[Row, Estimate]]]:
    """The measure, and the rows that have it, best first."""
    measure = _measure(board, metric)
    found = [(row, estimate) for row in board.rows if (estimate := row.estimates.get(measure.name)) is not None]
    if not found:
        raise DataError(f"no model of this leaderboard has {measure.name}, so there is nothing to draw")
    sign = -1 if measure.metric.larger_is_better else 1
    return measure, sorted(found, key=lambda pair: sign * pair[1].value)


def _colour(estimate: Estimate) -> str:
    if estimate.difference is None:
        return BLUE
    return SKY if estimate.within_noise and estimate.low is not None else QUIET  # without an interval, behind is behind


def _legend(figure: Figure, estimates: list[Estimate]) -> None:
    """Only the meanings that occur, under the picture."""
    used = {_colour(estimate) for estimate in estimates}
    if len(used) < 2:
        return
    axes = figure.axes[0]
    for colour, meaning in _MEANINGS:
        if colour in used:
            axes.plot([], [], "s", color=colour, markersize=9, label=meaning)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL, labelcolor=INK, handletextpad=0.3)


def _axis_title(measure: Measure) -> str:
    arrow = "more is better" if measure.metric.larger_is_better else "less is better"
    return f"{measure.name} ({arrow})"


def _label(board: Leaderboard, row: Row) -> str:
    return plain(_name(board, row))


def _name(board: Leaderboard, row: Row) -> str:
    """The model's short name; where that has options, each goes on a line of its own."""
    name, bracket, _ = board.short_name(row).partition("(")
    options = replace(row, tuned=()).options if bracket else []  # those that tell it from others of that name
    return "\n".join([name, *(line for option in options for line in textwrap.wrap(option, _LINE))])


def _beside(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=SMALL, color=MUTED)


def _name_points(
    figure: Figure,
    axes: Axes,
    x: Array,
    judged: list[tuple[Row, Estimate]],
    board: Leaderboard,
    line: float | None = None,
) -> None:
    """A model's name beside its point, off the intervals and the vertical `line` where there is room."""
    lines: list[Upright] = [] if line is None else [(line, None, None)]
    lines += [(at, e.low, e.high) for at, (_, e) in zip(x, judged, strict=True) if e.low]
    y = np.array([estimate.value for _, estimate in judged])
    name_points(figure, axes, np.column_stack([x, y]), [_name(board, row) for row, _ in judged], lines)
