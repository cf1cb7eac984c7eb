"""Pictures of ratings: one function a figure, each returns a `matplotlib.figure.Figure`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from coterie.data.catalog import Catalog
from coterie.data.counting import distinct, tally
from coterie.data.dataset import Dataset, as_dataset
from coterie.data.interactions import Interactions
from coterie.data.wording import counted
from coterie.errors import DataError
from coterie.explore.style import (
    BLUE,
    ORANGE,
    SERIES,
    TEXT,
    THOUSANDS,
    headline,
    label_axes,
    new_axes,
    new_figure,
    ranked_bars,
)

Array = np.ndarray[Any, np.dtype[Any]]

_DISTINCT_BARS = 21  # more distinct ratings than this are binned
_BELOW_ONE = 0.8  # where logarithmic axes begin
_DAY = 86400  # seconds
_MOST_DAYS = 1 << 20  # from which on it's wasteful to have a number for each; of times in seconds, there are fewer
_LINE_POINTS = 400  # more ranks than this are thinned, evenly on the log scale


def rating_histogram(x: Interactions | Dataset) -> Figure:
    """How often each rating was given, in per cent of all ratings, and the mean."""
    x = _ratings(x)
    values, counts = distinct(x.values)
    figure = new_figure()
    axes = new_axes(figure)
    if len(values) > _DISTINCT_BARS:
        counts, edges = np.histogram(x.values, bins=20)
        centres, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    else:
        centres, width = values.astype(float), float(np.diff(values).min()) if len(values) > 1 else 1.0
    axes.bar(centres, 100 * counts / x.nnz, width=0.86 * width, color=BLUE)
    if len(values) <= _DISTINCT_BARS:
        axes.set_xticks(centres, [f"{value:g}" for value in centres])
    axes.yaxis.set_major_locator(MaxNLocator(6))
    label_axes(axes, "rating", "share of ratings (%)")
    if len(values) == 1:
        axes.set_xlim(centres[0] - 2, centres[0] + 2)
        headline(figure, f"Every rating is {values[0]:g}", f"{counted(x.nnz, 'time')} who and what, but not how much")
        return figure
    axes.axvline(x.mean, color=ORANGE, linestyle="--", linewidth=1.8)
    most = centres[int(counts.argmax())]
    axes.margins(y=0.14)
    side, gap = ("right", -5) if most > x.mean else ("left", 5)
    axes.annotate(
        f"mean {x.mean:.2f}",
        (x.mean, 1),
        xycoords=("data", "axes fraction"),
        xytext=(gap, -4),
        textcoords="offset points",
        ha=side,
        va="top",
        color=ORANGE,
        fontsize=TEXT,
    )
    binned = len(values) > _DISTINCT_BARS
    by = f"{counted(x.nnz, 'rating')} by {counted(x.n_users, 'user')}"
    headline(figure, _most_frequent(centres[counts == counts.max()], len(centres), binned), by)
    return figure


def _most_frequent(most: Array, n: int, binned: bool) -> str:
    """Which of n ratings (or bins of them) were given most often, in words."""
    if len(most) == 1:
        return f"The most frequent rating is {'about ' if binned else ''}{most[0]:g}"
    if len(most) == n:
        return "All ratings are equally frequent"
    if binned or len(most) > 3:
        return "No single rating is the most frequent"
    named = [f"{rating:g}" for rating in most]
    return f"The most frequent ratings are {', '.join(named[:-1])} and {named[-1]}"


def genre_bars(catalog: Catalog | Dataset | None) -> Figure:
    """How many titles each genre has."""
    catalog = as_dataset(catalog).catalog
    if catalog is None or not catalog.genres:
        raise DataError("nothing is known about genres; load a dataset whose catalog has them")
    counts = catalog.items["genres"].explode().drop_nulls().value_counts(sort=True)
    counts = counts.sort(["count", "genres"], descending=[False, True])
    names, heights = counts["genres"].to_list(), counts["count"].to_list()
    figure = ranked_bars(names, heights, "titles")
    says = f"{names[-1]} is the most frequent genre" if len(names) > 1 else f"All genres are {names[0]}"
    headline(figure, says, f"{len(catalog):,} titles; a title may have several genres")
    return figure


def long_tail(x: Interactions | Dataset) -> Figure:
    """Ratings of each item and of each user against their rank, both axes logarithmic."""
    x = _ratings(x)
    counted = (("items", x.item_counts), ("users", x.user_counts))
    figure = new_figure()
    axes = new_axes(figure, grid="both")
    for (colour, dash), (name, counts) in zip(SERIES[:2], counted, strict=True):
        ranked = np.sort(counts[counts > 0])[::-1]
        at = _thinned(len(ranked))
        look: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": 2.2}
        axes.plot(at + 1, ranked[at], marker="o", markevery=[0], markersize=4, label=name, **look)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(THOUSANDS)
    axes.yaxis.set_major_formatter(THOUSANDS)
    axes.minorticks_off()
    for set_limits, limits in ((axes.set_xlim, axes.get_xlim()), (axes.set_ylim, axes.get_ylim())):
        set_limits(max(limits[0], _BELOW_ONE), max(limits[1], 2.0))  # there is no rank 0, and nobody is shown with 0
    axes.legend(frameon=False, fontsize=TEXT, labelcolor="linecolor", loc="lower left")
    label_axes(axes, "rank (1 has the most ratings)", "ratings")
    (n_items, items), (n_users, users) = (_top_tenth(counts) for counts in (x.item_counts, x.user_counts))
    says = f"{'A tenth of the items' if n_items >= 10 else 'The most rated item'} holds {items:.0%} of the ratings"
    note = f"and the busiest {'tenth of the users' if n_users >= 10 else 'user'} gave {users:.0%} of them"
    headline(
        figure,
        says if n_items > 1 else "All ratings are of one item",
        note if n_users > 1 else "and by one user",
    )
    return figure


def ratings_over_time(x: Interactions | Dataset) -> Figure:
    """How many ratings were given in each year, month or day, whichever suits the span."""
    x = _ratings(x)
    if x.timestamps is None:
        raise DataError("these ratings have no timestamps, so there is no picture of them over time")
    days = (int(x.timestamps.max()) - int(x.timestamps.min())) // _DAY
    dates, of_day = _by_day(x.timestamps)
    unit, word = ("Y", "year") if days > 5 * 365 else ("M", "month") if days > 100 else ("D", "day")
    periods = dates.astype(f"datetime64[{unit}]")
    first, last = periods.min().astype(int), periods.max().astype(int)
    every = np.arange(first, last + 2).astype(periods.dtype)  # one more, for the end of the last period
    counts = np.zeros(len(every) - 1, np.int64)
    np.add.at(counts, (periods - periods.min()).astype(int), of_day)
    starts = every.astype("datetime64[s]")
    figure = new_figure()
    axes = new_axes(figure)
    widths = np.diff(starts).astype(float) / _DAY
    positions = starts[:-1].astype(float) / _DAY  # matplotlib counts days since 1970 too
    axes.bar(positions, counts, width=0.86 * widths, align="edge", color=BLUE)
    axes.xaxis_date()
    locator = AutoDateLocator(minticks=2, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_formatter(THOUSANDS)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    label_axes(axes, "when the rating was given (UTC)", f"ratings per {word}")
    first, last = (datetime.fromtimestamp(int(t), UTC) for t in (x.timestamps.min(), x.timestamps.max()))
    form = {"year": "%Y", "month": "%B %Y", "day": "%d %B %Y"}[word]
    busiest = starts[int(counts.argmax())].astype("datetime64[s]").item().strftime(form).removeprefix("0")
    begin, end = (f"{moment:{form}}".removeprefix("0") for moment in (first, last))
    within = "on" if word == "day" else "in"
    span = f"from {begin} to {end}" if begin != end else f"{within} {begin}"
    headline(figure, f"Ratings {span}", f"the most in one {word}: {counts.max():,} {within} {busiest}")
    return figure


def _by_day(times: Array) -> tuple[Array, Array]:
    """The days with ratings, as dates, and how many each has: there are few, and longer periods are made of them."""
    first, last = int(times.min()) // _DAY, int(times.max()) // _DAY
    if last - first >= _MOST_DAYS:
        days, counts = distinct(times // _DAY)
    else:
        counts = tally(times, last - first + 1, lambda part: part // _DAY - first)
        days = np.flatnonzero(counts)
        counts, days = counts[days], days + first
    return days.astype("datetime64[D]"), counts


def _ratings(data: Interactions | Dataset) -> Interactions:
    x = as_dataset(data).interactions
    if not x.nnz:
        raise DataError("there are no ratings to draw")
    return x


def _thinned(n: int) -> Array:
    """Places 0 .. n-1, all of them or about `_LINE_POINTS`, evenly on a log scale, with both ends."""
    if n <= _LINE_POINTS:
        return np.arange(n)
    return np.unique(np.round(np.geomspace(1, n, _LINE_POINTS)).astype(np.int64)) - 1


def _top_tenth(counts: Array) -> tuple[int, float]:
    """How many have ratings, and the share that the tenth with the most of them holds (at least one of them)."""
    ranked = np.sort(counts[counts > 0])[::-1]
    return len(ranked), float(ranked[: -(-len(ranked) // 10)].sum() / ranked.sum())
