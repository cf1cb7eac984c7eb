"""A picture of neighbours: who is nearest to a user or an item, and which of them are near one another."""

from __future__ import annotations

import textwrap
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset, as_dataset
from coterie.data.interactions import Axis, Interactions
from coterie.data.vocabulary import Id
from coterie.data.wording import counted
from coterie.errors import DataError, ParameterError
from coterie.explore.style import BLUE, INK, ORANGE, PAPER, SKY, SMALL, headline, new_axes, new_figure, plain
from coterie.measures import Measure, Reading, measure
from coterie.similarity import AgainstAll, pair

Array = np.ndarray[Any, np.dtype[Any]]

_MOST = 16  # neighbours whose names have room
_LINE = 24  # characters of a name in a line


def neighbor_graph(
    x: Interactions | Dataset,
    id: Id,
    catalog: Catalog | Dataset | None = None,
    axis: Axis = "items",
    n_neighbors: int = 12,
    similarity: str | Measure = "cosine",
    reading: Reading = "table",
    min_overlap: int = 5,
) -> Figure:
    """One item (or user) in the middle, the nearest around it, and thin lines between those that are near one another.

    Parameters
    ----------
    id : id
        Whose neighbours.
    axis : {"items", "users"}
    n_neighbors : int, 1 to 16
    similarity, reading
        One of the six measures of `coterie.similarity`.
    min_overlap : int, at least 1
        Fewest users (or items) that two must share to be neighbours.

    Notes
    -----
    Neighbours go around clockwise from the top, the nearest first. A line from the middle is the thicker the nearer
    they are; two neighbours are joined where they are nearer to each other than either is to the middle.
    """
    if not 1 <= n_neighbors <= _MOST:
        raise ParameterError(f"n_neighbors must be a whole number from 1 to {_MOST}, not {n_neighbors!r}")
    if min_overlap < 1:
        raise ParameterError(f"min_overlap must be at least 1, not {min_overlap!r}")
    found = measure(similarity) if isinstance(similarity, str) else similarity
    x, catalog = as_dataset(x).interactions, as_dataset(x if catalog is None else catalog).catalog
    ids, values = _nearest(x, id, axis, n_neighbors, found, reading, min_overlap)
    sign = 1.0 if found.larger_is_closer else -1.0
    joined = [
        (a, b)
        for a, b in combinations(range(len(ids)), 2)
        if sign * pair(x, ids[a], ids[b], found, reading, axis)
        > sign * (max if sign > 0 else min)(values[a], values[b])
    ]
    figure = new_figure(height=1.3 + 0.62 * max(4, (len(ids) + 1) // 2), width=7.4)
    axes = new_axes(figure, grid="")
    spots = _around(len(ids))
    for a, b in joined:
        axes.plot(*zip(spots[a], spots[b], strict=True), color=SKY, linewidth=0.9, alpha=0.75, zorder=1)
    _spokes(axes, spots, values, found)
    names = [_name(id, axis, catalog) for id in ids]
    _dots(axes, spots, names, values)
    axes.text(0, 0, _wrapped(_name(id, axis, catalog), 16), color=INK, fontsize=SMALL, fontweight="bold", **_MIDDLE)
    axes.set_xlim(-2.9, 2.9)
    axes.set_ylim(-1.12, 1.12)
    axes.set_axis_off()
    closer = "more is nearer" if found.larger_is_closer else "less is nearer"
    headline(
        figure,
        f"Nearest to {_name(id, axis, catalog)}",
        f"{found.name} of ratings ({closer}), clockwise from the top; thin lines join those that are nearer to each "
        "other than to it",
    )
    return figure


_MIDDLE: dict[str, Any] = {
    "ha": "center", "va": "center", "zorder": 4,
    "bbox": {"boxstyle": "round,pad=0.5", "facecolor": PAPER, "edgecolor": ORANGE, "linewidth": 1.8},
}  # fmt: skip


def _nearest(
    x: Interactions, id: Id, axis: Axis, n: int, found: Measure, reading: Reading, min_overlap: int
) -> tuple[list[Id], Array]:
    """Ids and values of the n nearest, the nearest first; ties go to the smaller row number."""
    known, rows = x.vocabulary(axis), x.rows(axis)
    row = known.index(id)
    part = slice(rows.indptr[row], rows.indptr[row + 1])
    values, shared = AgainstAll(x, found, reading, axis).measure(rows.indices[part], rows.values[part])
    others = np.flatnonzero((shared >= min_overlap) & (np.arange(len(known)) != row) & np.isfinite(values))
    if not len(others):
        one = axis[:-1]
        raise DataError(
            f"no other {one} shares {counted(min_overlap, 'rating')} with {one} {id!r}; choose another {one}, or call "
            "neighbor_graph with a lower min_overlap"
        )
    order = others[np.argsort(-values[others] if found.larger_is_closer else values[others], kind="stable")][:n]
    ids: list[Id] = known.ids[order].tolist()
    return ids, values[order]


def _around(n: int) -> Array:
    """float (n, 2): places on an ellipse, clockwise from the top right; evenly spaced in height, so that names
    beside them have the same room each."""
    right = (n + 1) // 2
    heights = np.concatenate([_steps(right), _steps(n - right)[::-1]])
    across = np.sqrt(np.maximum(1 - heights**2, 0)) * 0.75 + 0.25
    across[right:] *= -1
    return np.column_stack([across, heights])


def _steps(n: int) -> Array:
    """n heights from top to bottom, evenly, within -0.96 to 0.96."""
    return np.linspace(0.96, -0.96, n) if n > 1 else np.zeros(n)


def _spokes(axes: Axes, spots: Array, values: Array, found: Measure) -> None:
    """Lines from the middle, thicker for the nearer."""
    worst, best = values[-1], values[0]
    spread = abs(best - worst)
    for spot, value in zip(spots, values, strict=True):
        share = abs(value - worst) / spread if spread else 1.0
        axes.plot([0, spot[0]], [0, spot[1]], color=BLUE, linewidth=1.0 + 3.5 * share, alpha=0.9, zorder=2)


def _dots(axes: Axes, spots: Array, names: list[str], values: Array) -> None:
    """A dot, a name and a number for each neighbour."""
    for (px, py), name, value in zip(spots, names, values, strict=True):
        axes.plot(px, py, "o", color=BLUE, markersize=8, zorder=3)
        right = px > 0
        look: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": SMALL}
        look |= {"xytext": (10 if right else -10, 0), "ha": "left" if right else "right"}
        axes.annotate(f"{_wrapped(name, _LINE)}  {value:.2f}", (px, py), color=INK, **look)


def _name(id: Id, axis: Axis, catalog: Catalog | None) -> str:
    title = catalog.titles([id])[0] if catalog is not None and axis == "items" else None
    return title or f"{axis[:-1]} {id}"


def _wrapped(text: str, width: int) -> str:
    """At most two lines."""
    lines = textwrap.wrap(text, width, max_lines=2, placeholder=" …")
    return plain("\n".join(lines))
