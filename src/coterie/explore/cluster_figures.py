"""A map of items: near ones have features alike; once coloured by genre, once by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath

from coterie.content.clusters import Clusters
from coterie.content.features import ItemFeatures
from coterie.content.judging import SCORES, GenreRule, genre_labels
from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset, as_dataset
from coterie.errors import DataError
from coterie.explore.places import MapMethod, check_method, places
from coterie.explore.style import (
    COLOURS,
    INK,
    MUTED,
    PAPER,
    QUIET,
    SMALL,
    TEXT,
    WIDTH,
    families,
    headline,
    new_axes,
    new_figure,
    no_scale,
    plain,
)

Array = np.ndarray[Any, np.dtype[Any]]

# Colours that the colour-blind can tell apart, and markers, so that they need not be; the last three repeat colours.
_HUES = ("blue", "orange", "green", "purple", "amber", "sky", "ink")
_LOOKS = tuple((COLOURS[_HUES[n % len(_HUES)]].light, marker) for n, marker in enumerate("os^DvPX<>*"))
_LONGEST = 26  # letters of a name in a legend, so that mostly two stand side by side
_MARKER = 32.0  # points that a legend's marker takes, with the gaps around it
_PANEL = np.array([72 * WIDTH - 30, 210.0])  # points that a panel is about wide and high
_MOST = 2000  # dots that can still be seen one by one


def cluster_map(
    features: ItemFeatures,
    clusters: Clusters,
    catalog: Catalog | Dataset,
    names: Sequence[Sequence[str]] | None = None,
    rule: GenreRule = "rarest",
    method: MapMethod = "tsne",
    random_state: int = 0,
) -> Figure:
    """Items placed so that those with features alike are near, coloured by genre above and by cluster below.

    The ten most frequent genres and clusters have colours; every cluster's number stands at its middle, where there is
    room for it.

    Parameters
    ----------
    features : ItemFeatures
        What the clusters were made from, as they were clustered (`ClusterItems.space`).
    names : sequence of words for each cluster, or None
        As `Clusters.telling` gives them.
    rule : {"rarest", "first", "each"}
        Which genre an item has, see `genre_labels`; with "each", the first listed is shown.
    method : {"tsne", "pca"}
        t-SNE (van der Maaten and Hinton 2008) keeps neighbours together and says nothing of large distances; principal
        components are a shadow of the whole.
    random_state : int
        Seed of the 2,000 items that are drawn where there are more, and of t-SNE.
    """
    check_method(method)
    known = as_dataset(catalog).catalog
    if known is None:
        raise DataError("nothing is known about genres; load a dataset whose catalog has them")
    genres = genre_labels(known, clusters.items, rule)
    inside, first = np.unique(genres.rows, return_index=True)
    has = clusters.labels[inside] >= 0
    rows, of_genre = inside[has], genres.labels[first][has]
    if len(rows) < 3:
        raise DataError(f"a map needs 3 items or more with a cluster and a genre; there are {len(rows)}")
    agreement = SCORES["ami"](of_genre, clusters.labels[rows])
    n = len(rows)
    if n > _MOST:
        drawn = np.sort(np.random.default_rng(random_state).choice(n, _MOST, replace=False))
        rows, of_genre = rows[drawn], of_genre[drawn]
    at = places(features.matrix[rows], method, random_state)
    figure = new_figure()
    lines = _panel(new_axes(figure, 2, 1, 1, grid=""), at, of_genre, list(genres.names), "by genre")
    called = [_cluster_name(c, names) for c in range(clusters.n_clusters)]
    below = new_axes(figure, 2, 1, 2, grid="")
    lines += _panel(below, at, clusters.labels[rows], called, "by cluster")
    _name_in_place(below, at, clusters.labels[rows], names)
    figure.set_size_inches(WIDTH, 8 + 0.2 * lines)
    how = "t-SNE" if method == "tsne" else "principal components"
    drawn_of = f"{len(rows):,} of {n:,} items, drawn at random" if n > len(rows) else f"{n:,} items"
    headline(
        figure,
        _says(agreement, clusters.n_clusters),
        f"agreement with genres (AMI) {agreement:.3f}, where chance is 0 and sameness 1; {drawn_of}, placed by {how}",
    )
    return figure


def _says(agreement: float, n: int) -> str:
    if agreement < 0.1:
        return f"The {n} clusters know next to nothing of genres"
    if agreement < 0.3:
        return f"The {n} clusters know a little of genres"
    return f"The {n} clusters follow genres in part" if agreement < 0.7 else f"The {n} clusters follow genres"


def _cluster_name(cluster: int, names: Sequence[Sequence[str]] | None) -> str:
    """Its number, and as many of the words that tell of it as a legend has room for."""
    telling = names[cluster] if names is not None else ()
    if not telling:
        return f"cluster {cluster}"
    called = f"{cluster}: {telling[0]}"
    for word in telling[1:]:
        if len(called) + 2 + len(word) > _LONGEST:
            break
        called += f", {word}"
    return called


def _panel(axes: Axes, at: Array, labels: Array, names: list[str], title: str) -> int:
    """Dots of the most frequent labels in colour, the others in grey below them; how many lines the legend has."""
    counts = np.bincount(labels, minlength=len(names))
    shown = [int(label) for label in np.argsort(-counts, kind="stable")[: len(_LOOKS)] if counts[label]]
    others = ~np.isin(labels, shown)
    if others.any():
        axes.scatter(
            at[others, 0],
            at[others, 1],
            s=7,
            color=QUIET,
            alpha=0.6,
            linewidths=0,
            label=f"others ({others.sum():,})",
        )
    for (colour, marker), label in zip(_LOOKS, shown, strict=False):
        of = labels == label
        called = plain(names[label] if len(names[label]) <= _LONGEST else names[label][: _LONGEST - 2] + " …")
        look: dict[str, Any] = {"color": colour, "marker": marker, "label": f"{called} ({of.sum():,})"}
        axes.scatter(at[of, 0], at[of, 1], s=13, alpha=0.85, linewidths=0, **look)
    axes.set_title(title, loc="left", fontsize=TEXT, fontweight="bold", color=INK)
    no_scale(axes)
    return _legend(axes, others_last=bool(others.any()))


def _legend(axes: Axes, others_last: bool) -> int:
    """A legend below the panel in as many columns as fit into the picture; how many lines it has."""
    handles, written = axes.get_legend_handles_labels()
    order = [*range(len(handles))[1:], 0] if others_last else [*range(len(handles))]
    room = 72 * WIDTH - 10
    columns = int(np.clip(room // (max(map(_width, written)) + _MARKER), 1, 3))
    axes.legend(
        [handles[n] for n in order],
        [written[n] for n in order],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=columns,
        frameon=False,
        fontsize=SMALL,
        labelcolor=MUTED,
        markerscale=1.8,
        handletextpad=0.2,
        columnspacing=1.2,
    )
    return -(-len(handles) // columns)


def _width(text: str) -> float:
    """Points that a small text is wide."""
    font = FontProperties(family=list(families()), size=SMALL)
    return float(TextPath((0, 0), text, size=SMALL, prop=font).get_extents().width)


def _name_in_place(axes: Axes, at: Array, labels: Array, names: Sequence[Sequence[str]] | None) -> None:
    """Each cluster's number upon one of its middle dots, where no other number stands; its first word with it if there
    is room."""
    low, span = at.min(axis=0), np.ptp(at, axis=0)
    points = (at - low) / np.where(span > 0, span, 1) * _PANEL
    boxes: dict[int, tuple[Array, Array]] = {}

    def box(text: str, middle: Array) -> tuple[Array, Array]:
        return middle, np.array([_width(text) / 2 + 1.5, SMALL / 2])

    def free(cluster: int, wanted: tuple[Array, Array]) -> bool:
        others = (other for c, other in boxes.items() if c != cluster)
        return not any((abs(wanted[0] - o[0]) < wanted[1] + o[1]).all() for o in others)

    for cluster in np.argsort(-np.bincount(labels), kind="stable").tolist():
        own = points[labels == cluster]
        distances = ((own - np.median(own, axis=0)) ** 2).sum(axis=1) if len(own) else np.empty(0)
        for dot in np.argsort(distances, kind="stable"):
            if free(cluster, wanted := box(str(cluster), own[dot])):
                boxes[cluster] = wanted
                break
    for cluster, (middle, _) in boxes.items():
        text = str(cluster)
        if names is not None and names[cluster]:
            longer = f"{cluster} {plain(names[cluster][0])}"
            wanted = box(longer, middle)
            inside = wanted[1][0] <= middle[0] <= _PANEL[0] - wanted[1][0]
            if inside and free(cluster, wanted):
                text, boxes[cluster] = longer, wanted
        x, y = low + middle / _PANEL * span
        axes.text(
            x, y, text, ha="center", va="center", fontsize=SMALL, color=INK,
            path_effects=[withStroke(linewidth=2.5, foreground=PAPER)],
        )  # fmt: skip
