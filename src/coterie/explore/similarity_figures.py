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
from coterie.errors import ParameterError
from coterie.explore.style import INK, MUTED, SERIES, SMALL, TEXT, headline, label_axes, new_axes, new_figure
from coterie.models.tables import id_list
from coterie.similarity import MEASURES, Reading, all_measures

Array = np.ndarray[Any, np.dtype[Any]]

_BINS = 24


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
    measured, others = [], []
    for user, row in zip(chosen, rows, strict=True):
        found, in_common = all_measures(x, user, reading, "users")
        shares = in_common > 0
        shares[row] = False
        measured.append(found)
        others.append(shares)
    figure = new_figure(height=5.4, width=8.6)
    for at, (name, measure) in enumerate(MEASURES.items(), 1):
        axes = new_axes(figure, 2, 3, at)
        values = [found[name][shared] for found, shared in zip(measured, others, strict=True)]
        edges = _edges(np.concatenate(values))
        for (colour, dash), of_user in zip(SERIES, values, strict=False):
            counts, _ = np.histogram(of_user, edges)
            share = 100 * counts / max(1, len(of_user))
            axes.stairs(share, edges, color=colour, linestyle=dash, linewidth=1.9)
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
        figure.axes[0].plot([], [], color=colour, linestyle=dash, linewidth=1.9, label=f"user {user} ({n:,} ratings)")
    figure.legend(loc="outside lower center", ncols=len(chosen), frameon=False, fontsize=SMALL, labelcolor=INK)
    reached = np.mean([shared.sum() / max(1, x.n_users - 1) for shared in others])
    names = f"user {chosen[0]} is" if len(chosen) == 1 else f"{len(chosen)} users are"
    headline(
        figure,
        f"How alike {names} to everyone else, by six measures",
        f"the {reading}'s reading; of the others, {reached:.0%} rated something in common and are counted here",
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


def _edges(values: Array) -> Array:
    """Bin edges over the finite values: equal widths, or a bin for each value where only a few occur."""
    finite = values[np.isfinite(values)]
    distinct = np.unique(np.round(finite, 6))
    if len(distinct) > _BINS:
        return np.linspace(finite.min(), finite.max(), _BINS + 1)
    if len(distinct) < 2:
        middle = distinct[0] if len(distinct) else 0.5
        return np.linspace(middle - 0.5, middle + 0.5, 4)
    between = (distinct[1:] + distinct[:-1]) / 2
    return np.concatenate([[2 * distinct[0] - between[0]], between, [2 * distinct[-1] - between[-1]]])
