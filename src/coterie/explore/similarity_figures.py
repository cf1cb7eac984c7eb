"""How alike people are: the six measures of one person to everybody else, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from coterie.data.dataset import Dataset, as_dataset
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Id
from coterie.data.wording import counted
from coterie.errors import ParameterError
from coterie.explore.style import INK, MUTED, SERIES, SMALL, TEXT, headline, label_axes, new_axes, new_figure, plain
from coterie.models.tables import id_list
from coterie.similarity import MEASURES, Measure, Reading, all_measures

Array = np.ndarray[Any, np.dtype[Any]]

_BINS = 24
_LINE = 1.9  # points
_READINGS = {
    "table": "means are of all that each has rated, and distances as they are",
    "notebook": "means and distances are over what both have rated, Chebyshev's in shares of the scale",
}


def similarity_panel(
    x: Interactions | Dataset, users: Iterable[Id] | Id | None = None, reading: Reading = "notebook"
) -> Figure:
    """Distributions of the six measures between each chosen user and all others who rated something they rated.

    Parameters
    ----------
    users : one to five user ids, or None for a quiet, a typical and a busy one
    reading : {"table", "notebook"}
        Which reading of the measures, see `coterie.similarity`.
    """
    x = as_dataset(x).interactions
    chosen = quiet_typical_busy(x) if users is None else id_list(users)
    if not 1 <= len(chosen) <= len(SERIES):
        raise ParameterError(
            f"users must be one to {len(SERIES)} ids, so that lines can be told apart; got {len(chosen)}"
        )
    rows = x.users.indices(chosen)
    measured = all_measures(x, chosen, reading, "users")
    others = [found.shared > 0 for found in measured]
    for shares, row in zip(others, rows, strict=True):
        shares[row] = False
    undefined = [found.uncorrelated[shares] for found, shares in zip(measured, others, strict=True)]
    figure = new_figure(height=5.4, width=8.6)
    for at, (name, measure) in enumerate(MEASURES.items(), 1):
        axes = new_axes(figure, 2, 3, at)
        values = [found.values[name][shared] for found, shared in zip(measured, others, strict=True)]
        edges = _edges(np.concatenate(values), *_range(measure, reading, x))
        shown = [100 * np.histogram(of_user, edges)[0] / max(1, len(of_user)) for of_user in values]
        for place, ((colour, dash), share) in enumerate(zip(SERIES, shown, strict=False)):
            covered = sum(np.array_equal(share, later) for later in shown[place + 1 :])  # wider, to be seen below those
            axes.stairs(share, edges, color=colour, linestyle=dash, linewidth=_LINE * (1 + covered))
        title = name.capitalize() + (f" {measure.alias.upper()}" if measure.alias != name else "")
        axes.set_title(title, loc="left", fontsize=TEXT, fontweight="bold", color=INK)
        closer = "larger = closer" if measure.larger_is_closer else "smaller = closer"
        axes.set_title(closer, loc="right", fontsize=SMALL - 1, color=MUTED)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_ylim(bottom=0)
        label_axes(axes, "", "share of others (%)" if at in (1, 4) else "")
    for (colour, dash), user, row in zip(SERIES, chosen, rows, strict=False):
        n = int(x.user_counts[row])
        figure.axes[0].plot(
            [], [], color=colour, linestyle=dash, linewidth=_LINE, label=plain(f"user {user} ({counted(n, 'rating')})")
        )
    figure.legend(loc="outside lower center", ncols=len(chosen), frameon=False, fontsize=SMALL, labelcolor=INK)
    reached = np.mean([shared.sum() / max(1, x.n_users - 1) for shared in others])
    names = f"user {chosen[0]} is" if len(chosen) == 1 else f"{len(chosen)} users are"
    headline(
        figure,
        f"How alike {names} to everyone else, by six measures",
        f"the {reading}'s reading: {_READINGS[reading]}; of the others, {reached:.0%} rated something in common and "
        f"are counted here{_without_pearson(undefined)}",
    )
    return figure


def quiet_typical_busy(x: Interactions | Dataset) -> list[Id]:
    """Users at the 10th, 50th and 90th percentile of activity (fewer where there are fewer users)."""
    x = as_dataset(x).interactions
    rated = np.flatnonzero(x.user_counts)
    ordered = rated[np.argsort(x.user_counts[rated], kind="stable")]
    places = np.unique(np.round(np.array([0.1, 0.5, 0.9]) * (len(ordered) - 1)).astype(int))
    found: list[Id] = x.users.ids[ordered[places]].tolist()
    return found


def _without_pearson(undefined: list[Array]) -> str:
    """For how many of those who share something Pearson is 0 for want of a correlation, in words."""
    if not any(there.any() for there in undefined):
        return ""
    each = [f"{there.mean():.0%}" if len(there) else "0%" for there in undefined]
    shares = each[0] if len(set(each)) == 1 else f"{', '.join(each[:-1])} and {each[-1]}"
    return f"; Pearson is 0 by definition for {shares} of these, for one of the two rated all of it alike"


def _range(measure: Measure, reading: Reading, x: Interactions) -> tuple[float, float]:
    """Between what the values of a measure can be."""
    if measure.larger_is_closer:
        return (-1.0 if measure.name == "pearson" or (x.scale[0] < 0 and measure.name == "cosine") else 0.0), 1.0
    return 0.0, 1.0 if measure.name == "chebyshev" and reading == "notebook" else float("inf")


def _edges(values: Array, low: float, high: float) -> Array:
    """Bin edges over the finite values: equal widths, or a bin for each value where only a few occur; none of them
    outside what is possible."""
    finite = np.clip(values[np.isfinite(values)], low, high)  # a cosine may be above 1 by rounding
    distinct = np.unique(np.round(finite, 6))
    if len(distinct) > _BINS:
        return np.linspace(finite.min(), finite.max(), _BINS + 1)
    if len(distinct) < 2:
        reach = 2 * distinct[0] if len(distinct) and distinct[0] > 0 else 1.0
        return np.linspace(low, high if np.isfinite(high) else reach, _BINS + 1)
    between = (distinct[1:] + distinct[:-1]) / 2
    first, last = 2 * distinct[0] - between[0], 2 * distinct[-1] - between[-1]
    return np.concatenate([[max(first, low)], between, [min(last, high)]])
