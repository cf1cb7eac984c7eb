"""A map of items: near ones have features alike; once coloured by genre, once by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coterie.content.clusters import Clusters
from coterie.content.features import ItemFeatures
from coterie.content.judging import SCORES, GenreRule, genre_labels
from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset, as_dataset
from coterie.errors import DataError
from coterie.explore.places import MapMethod, check_method, places
from coterie.explore.style import (
    INK,
    MUTED,
    QUIET,
    SERIES,
    SMALL,
    TEXT,
    headline,
    new_axes,
    new_figure,
    no_scale,
    plain,
)

Array = np.ndarray[Any, np.dtype[Any]]

_MARKERS = "os^Dv"  # so that colours need not be told apart
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
    figure = new_figure(height=9.2)
    _panel(new_axes(figure, 2, 1, 1, grid=""), at, of_genre, list(genres.names), "by genre")
    called = [_cluster_name(c, names) for c in range(clusters.n_clusters)]
    _panel(new_axes(figure, 2, 1, 2, grid=""), at, clusters.labels[rows], called, "by cluster")
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
    telling = ", ".join(names[cluster]) if names is not None else ""
    return f"{cluster}: {telling}" if telling else f"cluster {cluster}"


def _panel(axes: Axes, at: Array, labels: Array, names: list[str], title: str) -> None:
    """Dots of the five most frequent labels in colour, the others in grey below them."""
    counts = np.bincount(labels, minlength=len(names))
    shown = [int(label) for label in np.argsort(-counts, kind="stable")[: len(SERIES)] if counts[label]]
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
    for (colour, _), marker, label in zip(SERIES, _MARKERS, shown, strict=False):
        of = labels == label
        called = plain(names[label] if len(names[label]) <= 34 else names[label][:32] + " …")
        look: dict[str, Any] = {"color": colour, "marker": marker, "label": f"{called} ({of.sum():,})"}
        axes.scatter(at[of, 0], at[of, 1], s=13, alpha=0.85, linewidths=0, **look)
    axes.set_title(title, loc="left", fontsize=TEXT, fontweight="bold", color=INK)
    no_scale(axes)
    handles, written = axes.get_legend_handles_labels()
    order = [*range(len(handles))[1:], 0] if others.any() else [*range(len(handles))]
    axes.legend(
        [handles[n] for n in order],
        [written[n] for n in order],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=2,
        frameon=False,
        fontsize=SMALL,
        labelcolor=MUTED,
        markerscale=1.8,
        handletextpad=0.2,
        columnspacing=1.2,
    )
