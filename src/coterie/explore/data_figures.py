"""Pictures of how ratings are spread: over people and items, and over the matrix of both."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from coterie.data.dataset import Dataset, as_dataset
from coterie.data.describe import gini
from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.explore.cells import draw_cells, name_levels
from coterie.explore.style import MUTED, SERIES, SMALL, TEXT, headline, label_axes, new_axes, new_figure

Array = np.ndarray[Any, np.dtype[Any]]

_LINE_POINTS = 400  # more people or items than this are thinned
_MOST_CELLS = 200  # a side of the picture of the matrix; smaller ones could not be told apart
_UNEVEN = 0.25  # Gini's index from which on it is uneven
_ALIKE = 0.02  # difference of two indices that says nothing
_BLOCK = 1 << 17  # ratings counted at once: what is made of them stays in the cache
#: Levels of density: the share of a cell's pairs that is rated, from which on a level begins.
DENSITIES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
_DENSITY_NAMES = ("below 0.1", "0.1", "0.3", "1", "3", "10", "30 or more")


def lorenz_curves(x: Interactions | Dataset) -> Figure:
    r"""The share of all ratings that the least rated items, and the quietest users, hold together; with Gini's index.

    Those with ratings in increasing order of them, :math:`x_1 \le \dots \le x_n`: the curve goes through
    :math:`(k / n, \sum_{j \le k} x_j / \sum_j x_j)`, and Gini's index is twice the area between it and the diagonal
    (Lorenz 1905, Gini 1912): 0 where all have as many ratings, towards 1 where one has all of them.
    """
    x = _ratings(x)
    figure = new_figure(height=4.0)
    axes = new_axes(figure, grid="both")
    axes.plot([0, 100], [0, 100], color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2, label="all alike")
    indices = {}
    for (colour, dash), (name, counts) in zip(
        SERIES, (("items", x.item_counts), ("users", x.user_counts)), strict=False
    ):
        ordered = np.sort(counts[counts > 0])
        shares = np.concatenate([[0.0], np.cumsum(ordered) / ordered.sum()])
        at = np.unique(np.round(np.linspace(0, len(ordered), min(len(ordered) + 1, _LINE_POINTS))).astype(int))
        indices[name] = gini(ordered)
        look: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": 2.2}
        axes.plot(100 * at / len(ordered), 100 * shares[at], label=f"{name}, Gini {indices[name]:.2f}", **look)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=TEXT, labelcolor="linecolor", loc="upper left")
    label_axes(axes, "items or users, fewest ratings first (%)", "their share of the ratings (%)")
    headline(
        figure,
        _how_even(indices["items"], indices["users"]),
        "the further below the diagonal, the more of the ratings a few hold",
    )
    return figure


def _how_even(items: float, users: float) -> str:
    """Gini's indices of items and users in words."""
    most, (more, less) = max(items, users), ("items", "users") if items >= users else ("users", "items")
    if most < 0.005:
        return "Ratings are spread evenly"
    if abs(items - users) < _ALIKE:
        return f"Ratings are spread {'rather ' if most < _UNEVEN else 'un'}evenly, over items as over users"
    if most < _UNEVEN:
        return f"Ratings are spread rather evenly, less so over {more} than over {less}"
    return f"Ratings are spread most unevenly over {more}"


def ratings_matrix(x: Interactions | Dataset, cells: int = 60) -> Figure:
    """The matrix of ratings as a picture of its density: busy users above, popular items to the left.

    Parameters
    ----------
    cells : int, 1 to 200
        Cells along a side, with about as many users, or items, in each (fewer where there are fewer).
    """
    if not 1 <= cells <= _MOST_CELLS:
        raise ParameterError(f"cells must be a whole number from 1 to {_MOST_CELLS}, not {cells!r}")
    x = _ratings(x)
    user_cell, users_in = _ranked_cells(x.user_counts, cells)
    item_cell, items_in = _ranked_cells(x.item_counts, cells)
    density = _rated(x, user_cell, item_cell, (len(users_in), len(items_in))) / np.outer(users_in, items_in)
    levels = np.where(density > 0, np.searchsorted(DENSITIES, density, "right"), 0)
    figure = new_figure(height=5.4)
    axes = new_axes(figure, grid="")
    draw_cells(axes, levels, len(DENSITIES))
    _rank_ticks(axes.set_xticks, items_in)
    _rank_ticks(axes.set_yticks, users_in)
    axes.tick_params(labelsize=SMALL)
    label_axes(axes, "items by number of ratings, the most first (rank)", "users, the busiest first (rank)")
    name_levels(figure, _DENSITY_NAMES, "share of pairs rated (%)")
    whole = x.nnz / (users_in.sum() * items_in.sum())
    empty, corner = f"{(density == 0).mean():.0%}", users_in[0] * items_in[0]  # one pair alone is no corner
    headline(
        figure,
        f"{_percent(whole)} of the matrix of ratings is filled",
        f"in the busiest corner {_percent(float(density[0, 0]))}; {empty} of the cells here have no rating at all"
        if corner > 1
        else f"{empty} of the cells here have no rating",
    )
    return figure


def _rated(x: Interactions, user_cell: Array, item_cell: Array, shape: tuple[int, int]) -> Array:
    """Ratings in each cell, int64 of the shape. Of many users at a time, as many as have about `_BLOCK` ratings."""
    rated, first_code = np.zeros(shape[0] * shape[1], np.int64), user_cell * shape[1]
    starts = np.searchsorted(x.indptr, np.arange(0, x.nnz, _BLOCK))
    for start, stop in pairwise(np.unique([0, *starts.tolist(), x.n_users]).tolist()):
        code = np.repeat(first_code[start:stop], x.user_counts[start:stop])
        code += item_cell[x.indices[x.indptr[start] : x.indptr[stop]]]
        rated += np.bincount(code, minlength=len(rated))
    return rated.reshape(shape)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{100 * share:.2g}%"


def _ranked_cells(counts: Array, cells: int) -> tuple[Array, Array]:
    """The cell of each user (or item) by its rank, int64 (n,), and how many each cell has; -1 without ratings."""
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    cells = min(cells, len(order))
    of_rank = np.arange(len(order)) * cells // len(order)
    cell = np.full(len(counts), -1)
    cell[order] = of_rank
    return cell, np.bincount(of_rank)


def _rank_ticks(set_ticks: Any, inside: Array) -> None:
    """Marks between cells, where ranks end: the first, and four or five more; below cells, where each is one rank."""
    if inside.max() == 1:
        at = np.arange(0, len(inside), max(1, len(inside) // 4))
        set_ticks(at, [f"{rank + 1:,}" for rank in at])
        return
    ends = np.concatenate([[0], np.cumsum(inside)])
    step = max(1, len(inside) // 4)
    at = np.arange(0, len(inside) + 1, step)
    if len(inside) < 2 * step:
        at = np.array([0, len(inside)])
    set_ticks(at - 0.5, [f"{max(ends[n], 1):,}" for n in at])


def _ratings(data: Interactions | Dataset) -> Interactions:
    x = as_dataset(data).interactions
    if not x.nnz:
        raise DataError("there are no ratings to draw")
    return x
