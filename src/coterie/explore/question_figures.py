"""The picture of questions to strangers: accuracy against how many were asked, and how many were answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from coterie.errors import DataError
from coterie.evaluation.metrics import parse
from coterie.explore.style import INK, MUTED, SERIES, SMALL, TEXT, headline, label_axes, new_axes, new_figure, plain
from coterie.scenarios.question_curve import QuestionCurve

_WIDE = 9.0
_LEAST_SPAN = 0.02  # of the largest value
_NAMES = {"popularity_variance": "popularity × variance"}


def question_curves(curve: QuestionCurve) -> Figure:
    """Each metric in a row of two panels: against questions asked, and against answers that people could give.

    A dashed line is what the model reaches when everything is told, where it is near enough. Axes begin near what is
    drawn, and say where: questions move most metrics by a few hundredths.
    """
    if not len(curve.table) or not curve.metrics:
        raise DataError("this curve is empty, so there is nothing to draw")
    strategies = curve.table["strategy"].unique(maintain_order=True).to_list()
    figure = new_figure(height=1.3 + 2.9 * len(curve.metrics), width=_WIDE)
    for row, metric in enumerate(curve.metrics):
        title = parse(metric).title
        panels: list[Axes] = []
        for column, (x, label) in enumerate((("asked", "questions asked"), ("answered", "answered, on average"))):
            axes = new_axes(figure, len(curve.metrics), 2, 2 * row + column + 1, grid="both")
            _lines(axes, curve, strategies, x, metric)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            label_axes(axes, label if row == len(curve.metrics) - 1 else "", "")
            panels.append(axes)
        low, high = _limits(curve, metric)
        for axes in panels:
            axes.set_ylim(low, high)
        panels[0].set_ylabel(f"{title}, from {low:.3g}" if low else title, fontsize=TEXT, color=INK)
        panels[1].tick_params(axis="y", labelleft=False)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.axes[1].legend(handles, names, frameon=False, fontsize=SMALL, labelcolor=INK, loc="best")
    headline(figure, *_says(curve))
    return figure


def _limits(curve: QuestionCurve, metric: str) -> tuple[float, float]:
    """Where the axis begins and ends: near what is drawn, with room above, and so that what makes next to no difference
    does not fill the picture."""
    drawn = curve.table[metric].to_numpy()
    if _is_near(curve, metric):
        drawn = np.append(drawn, curve.everything[metric])
    least, most = float(np.nanmin(drawn)), float(np.nanmax(drawn))
    span = max(most - least, _LEAST_SPAN * most, 1e-3)
    spare = (span - (most - least)) / 2
    return max(0.0, least - spare - 0.08 * span), most + spare + 0.14 * span


def _is_near(curve: QuestionCurve, metric: str) -> bool:
    """Whether what the model reaches when everything is told can be drawn beside the curves."""
    drawn, told = curve.table[metric].to_numpy(), curve.everything[metric]
    span = 2 * float(np.ptp(drawn))
    return bool(drawn.min() - span < told < drawn.max() + span)


def _lines(axes: Axes, curve: QuestionCurve, strategies: list[str], x: str, metric: str) -> None:
    for (colour, dash), strategy in zip(SERIES, strategies, strict=False):
        own = curve.table.filter(pl.col("strategy") == strategy)
        look: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": 2.0}
        axes.plot(own[x], own[metric], marker="o", markersize=3.5, label=_NAMES.get(strategy, strategy), **look)
    if _is_near(curve, metric):
        told = curve.everything[metric]
        axes.axhline(told, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            f"all told: {told:.3f}", (1, told), xycoords=("axes fraction", "data"), xytext=(-2, 3),
            textcoords="offset points", ha="right", va="bottom", fontsize=SMALL, color=MUTED,
        )  # fmt: skip
    axes.tick_params(labelsize=TEXT - 1)


def _says(curve: QuestionCurve) -> tuple[str, str]:
    metric = curve.metrics[0]
    larger = parse(metric).metric.larger_is_better
    last = curve.table.filter(pl.col("asked") == curve.table["asked"].max())
    best = last.sort(metric, descending=larger, maintain_order=True).row(0, named=True)
    name = _NAMES.get(best["strategy"], best["strategy"])
    title = parse(metric).title
    title = title if title[:2].isupper() else title[:1].lower() + title[1:]
    says = f"After {best['asked']} questions {name} is best by {title}"
    note = (
        f"{plain(curve.model)}, {curve.n_people:,} held-out people who can answer {curve.available:.0f} questions on "
        f"average{_sure(curve, metric)}"
    )
    return says, note


def _sure(curve: QuestionCurve, metric: str) -> str:
    """How sure it is that the best is better than the next best."""
    if not len(curve.versus):
        return ""
    rivals = curve.versus.filter(pl.col("metric") == metric).sort(pl.col("difference").abs(), maintain_order=True)
    other, p = rivals.row(0, named=True)["other"], rivals.row(0, named=True)["p"]
    return f"; against {_NAMES.get(other, other)} p {'< 0.01' if p < 0.01 else f'= {p:.2f}'}"
