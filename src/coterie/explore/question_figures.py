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
_NAMES = {"popularity_variance": "popularity × variance"}


def question_curves(curve: QuestionCurve) -> Figure:
    """Each metric in a row of two panels: against questions asked, and against answers that people could give.

    A band is the 95 % interval over people of the best strategy at the end; a line at the side what the model reaches
    when everything is told.
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
            label_axes(axes, label if row == len(curve.metrics) - 1 else "", title if column == 0 else "")
            panels.append(axes)
        low, high = min(a.get_ylim()[0] for a in panels), max(a.get_ylim()[1] for a in panels)
        for axes in panels:
            axes.set_ylim(low, high)
        panels[1].tick_params(axis="y", labelleft=False)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.axes[1].legend(handles, names, frameon=False, fontsize=SMALL, labelcolor=INK, loc="best")
    headline(figure, *_says(curve))
    return figure


def _lines(axes: Axes, curve: QuestionCurve, strategies: list[str], x: str, metric: str) -> None:
    last = curve.table["asked"].to_numpy().max()
    end = curve.table.filter(pl.col("asked") == last)
    larger = parse(metric).metric.larger_is_better
    best = end.sort(metric, descending=larger, maintain_order=True)["strategy"][0]
    for (colour, dash), strategy in zip(SERIES, strategies, strict=False):
        own = curve.table.filter(pl.col("strategy") == strategy)
        look: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": 2.0}
        axes.plot(own[x], own[metric], marker="o", markersize=3.5, label=_NAMES.get(strategy, strategy), **look)
        if strategy == best:
            axes.fill_between(
                own[x].to_numpy(), own[f"{metric}_low"].to_numpy(), own[f"{metric}_high"].to_numpy(), color=colour,
                alpha=0.12, linewidth=0,
            )  # fmt: skip
    told = curve.everything[metric]
    drawn = curve.table.select(f"{metric}_low", f"{metric}_high").to_numpy()
    span = float(np.ptp(drawn)) or 1.0
    if drawn.min() - span < told < drawn.max() + span:
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
    says = f"After {best['asked']} questions {name} is best by {parse(metric).title}"
    note = (
        f"{plain(curve.model)}, {curve.n_people:,} held-out people who can answer {curve.available:.0f} questions on "
        "average; the band is the 95 % interval of the best strategy"
    )
    return says, note
