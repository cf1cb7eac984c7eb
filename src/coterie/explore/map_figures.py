"""A map of items: near ones are alike by a model's factors, the genome, tags or titles; the best-known have names."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from coterie.content.features import ItemFeatures
from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset, as_dataset
from coterie.data.interactions import Interactions
from coterie.errors import CapabilityError, DataError, ParameterError
from coterie.explore.labels import name_points
from coterie.explore.places import MapMethod, check_method, places
from coterie.explore.style import (
    BLUE,
    QUIET,
    SMALL,
    headline,
    new_axes,
    new_figure,
    no_scale,
)
from coterie.models.base import Recommender

Array = np.ndarray[Any, np.dtype[Any]]

_MOST = 1500  # dots that can still be seen one by one
_REACH = 80.0  # points; how far a name may be moved from its dot
_WORDS = {
    "genome": "the tag genome",
    "tags": "the tags people gave",
    "titles": "the words of their titles",
}
_LINE = 22  # characters of a title in a line


def item_map(
    x: Interactions | Dataset,
    by: Recommender | ItemFeatures,
    catalog: Catalog | Dataset | None = None,
    method: MapMethod | None = None,
    n_items: int = 1000,
    n_titles: int = 30,
    random_state: int = 0,
    name: str | None = None,
) -> Figure:
    r"""The most rated items, placed so that those that are alike are near; the best-known have their titles.

    Parameters
    ----------
    x : Interactions or Dataset
    by : Recommender or ItemFeatures
        A fitted model with factors, or features with a row for each item of `x` (genome, tags, titles). Features, and
        what a model makes of items, are compared by their cosine: rows have length 1.
    method : {"pca", "tsne"} or None
        Principal components are quick, and a shadow of the whole; t-SNE (van der Maaten and Hinton 2008) keeps
        neighbours together and says nothing of large distances. None: t-SNE for sparse features, of which components
        show a few odd items and a heap, components for all else.
    n_items : int, 3 to 1500
        Dots: the most rated of the items of which something is known.
    n_titles : int, at least 0
        Titles to write, the most rated first; those that find no room beside their dot are left out.
    random_state : int
        Seed of t-SNE.
    name : str or None
        What to call a model; None: its name.

    Notes
    -----
    Two items are alike to a model whose predictions go up and down together over all users. With factors :math:`p_u`
    and :math:`q_i` the part of the prediction that differs by user is :math:`p_u^\top q_i`, and the inner product of
    two items over all users is :math:`q_i^\top C q_j` with :math:`C = \sum_u p_u p_u^\top / n`. So items stand at
    :math:`C^{1/2} q_i`, whatever the scale or the rotation of the factors.

    Raises
    ------
    DataError
        Something is known of fewer than 3 rated items.
    CapabilityError
        The model has no factors.
    """
    if method is not None:
        check_method(method)
    if not 3 <= n_items <= _MOST:
        raise ParameterError(f"n_items must be a whole number from 3 to {_MOST:,}, not {n_items!r}")
    x, catalog = as_dataset(x).interactions, as_dataset(x if catalog is None else catalog).catalog
    features = _of_model(by, x) if isinstance(by, Recommender) else by
    if features.matrix.shape[0] != x.n_items:
        raise DataError(f"features of {features.matrix.shape[0]:,} items do not fit ratings of {x.n_items:,} items")
    known = np.flatnonzero(features.known & (x.item_counts > 0))
    if len(known) < 3:
        raise DataError(f"a map needs 3 rated items or more of which something is known; there are {len(known)}")
    rows = known[np.argsort(-x.item_counts[known], kind="stable")][:n_items]
    method = method or ("pca" if isinstance(features.matrix, np.ndarray) else "tsne")
    at = places(features.unit_rows(rows), method, random_state)
    if not np.ptp(at, axis=0).any():
        raise DataError(
            f"all {len(rows):,} items are alike by {_source(by, features, name)}, so a map has one place only"
        )
    figure = new_figure(height=6.2, width=7.4)
    axes = new_axes(figure, grid="")
    named = rows[:n_titles]
    axes.scatter(at[n_titles:, 0], at[n_titles:, 1], s=9, color=QUIET, alpha=0.75, linewidths=0, label="items")
    blue = axes.scatter(at[:n_titles, 0], at[:n_titles, 1], s=20, color=BLUE, linewidths=0, label="the best-known")
    no_scale(axes)
    axes.margins(0.09, 0.05)
    what = _source(by, features, name)
    how = "t-SNE" if method == "tsne" else "principal components"
    n_known = (
        f"the {len(rows):,} most rated of {len(known):,} items" if len(rows) < len(known) else f"{len(rows):,} items"
    )
    headline(
        figure,
        f"A map of items by {what}",
        f"near means alike; {n_known}, in blue the best-known that have room for a name; placed by {how}",
    )
    if len(named):
        titles = _titles(x, named, catalog)
        written = name_points(figure, axes, at[:n_titles], titles, size=SMALL - 1.5, apart=7.0, reach=_REACH, halo=True)
        blue.set_facecolor([BLUE if place in written else QUIET for place in range(len(named))])
    return figure


def _source(by: Recommender | ItemFeatures, features: ItemFeatures, name: str | None) -> str:
    if isinstance(by, Recommender):
        return f"what {name or by.name} makes of ratings"
    return _WORDS.get(features.source, features.source or "their features")


def _of_model(model: Recommender, x: Interactions) -> ItemFeatures:
    """float32 (n_items, n_factors): the square root of the users' second moments, times the items' factors."""
    items, users = getattr(model, "item_factors_", None), getattr(model, "user_factors_", None)
    if items is None or users is None:
        raise CapabilityError(f"{type(model).__name__} has no factors to make a map from; take SVD, ALS or NMF")
    moments = (users.T @ users).astype(np.float64) / max(len(users), 1)
    values, vectors = np.linalg.eigh(moments)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    placed = np.zeros((x.n_items, items.shape[1]), np.float32)
    rows = model.train_.items.indices(x.items.ids, missing="skip")
    placed[rows >= 0] = items[rows[rows >= 0]] @ root
    return ItemFeatures(tuple(f"factor {n + 1}" for n in range(items.shape[1])), np.nan_to_num(placed), "factors")


def _titles(x: Interactions, rows: Array, catalog: Catalog | None) -> list[str]:
    ids = x.items.ids[rows].tolist()
    titles = [None] * len(ids) if catalog is None else catalog.titles(ids).to_list()
    named = [title or f"item {id}" for id, title in zip(ids, titles, strict=True)]
    return ["\n".join(textwrap.wrap(name, _LINE, max_lines=2, placeholder=" …")) for name in named]
