"""Heat maps of few levels: cells of one colour, more or less of it, so that they follow light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from coterie.explore.style import BLUE, CELLS, INK, PAPER, SMALL

Array = np.ndarray[Any, np.dtype[Any]]

_PALEST = 0.12  # opacity of the lowest level that is drawn
_FULL = 0.75  # opacity from which on letters in a cell are of the paper's colour


def opacity(level: int, n_levels: int) -> float:
    """How much of the colour a cell of a level has: none at 0, all at `n_levels`."""
    return 0.0 if level <= 0 else _PALEST + (1 - _PALEST) * (level - 1) / max(n_levels - 1, 1)


def draw_cells(axes: Axes, levels: Array, n_levels: int, gap: float = 0.0) -> None:
    """Cells (n_rows, n_columns) of levels 0 (nothing) to `n_levels`; the first row is on top.

    Row r and column c have their middle at (c, r). Runs of one level in a row are one shape where there is no `gap`,
    which is a share of a cell.
    """
    n_rows, n_columns = levels.shape
    half = 0.5 - gap / 2
    for level in range(1, n_levels + 1):
        boxes = [
            (start - half, row - half, stop - 1 + half, row + half)
            for row in range(n_rows)
            for start, stop in _runs(levels[row] == level, joined=not gap)
        ]
        if boxes:
            path = Path.make_compound_path(*(_box(*box) for box in boxes))
            look: dict[str, Any] = {"facecolor": BLUE, "alpha": opacity(level, n_levels), "linewidth": 0}
            patch = PathPatch(path, antialiased=False, snap=True, gid=f"{CELLS}-{level}", **look)
            axes.add_artist(patch)  # not add_patch, which measures every corner to find limits that are set below
    axes.set_xlim(-0.5, n_columns - 0.5)
    axes.set_ylim(n_rows - 0.5, -0.5)


def write_in_cells(axes: Axes, levels: Array, n_levels: int, texts: Sequence[Sequence[str]], size: float) -> None:
    """A text in each cell, in a colour that can be read there."""
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            if text:
                strong = opacity(int(levels[row, column]), n_levels) >= _FULL
                look: dict[str, Any] = {"color": PAPER if strong else INK, "fontsize": size}
                written = axes.text(column, row, text, ha="center", va="center", **look)
                written.set_in_layout(False)  # it is inside the axes, and laying out hundreds takes long


def name_levels(figure: Figure, names: Sequence[str], title: str) -> None:
    """A legend below the picture: a swatch for each level from 1."""
    swatches = [
        Patch(facecolor=BLUE, alpha=opacity(level, len(names)), linewidth=0, label=name)
        for level, name in enumerate(names, 1)
    ]
    legend = figure.legend(
        handles=swatches,
        loc="outside lower center",
        ncols=len(names),
        frameon=False,
        fontsize=SMALL,
        title=title,
        title_fontsize=SMALL,
        labelcolor=INK,
        handlelength=1.2,
        handletextpad=0.4,
        columnspacing=1.0,
    )
    legend.get_title().set_color(INK)


def _runs(there: Array, joined: bool) -> list[tuple[int, int]]:
    """Where `there` is true, as (start, stop)."""
    if not joined:
        return [(int(at), int(at) + 1) for at in np.flatnonzero(there)]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _box(left: float, bottom: float, right: float, top: float) -> Path:
    return Path([(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)], closed=True)
