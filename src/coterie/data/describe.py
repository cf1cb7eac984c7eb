"""Describing a dataset: how many of everything, how dense, how unevenly spread."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from coterie.data.dataset import Dataset
from coterie.data.interactions import Array

QUANTILES = {"min": 0.0, "p10": 0.1, "p25": 0.25, "median": 0.5, "p75": 0.75, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True)
class Description:
    """Counts of a dataset; None where a table is absent.

    Attributes
    ----------
    movies, genres : int or None
        Items of the catalog, and the genres that occur among them.
    users, rated_movies, ratings : int or None
        Of the ratings.
    rating_min, rating_max, rating_mean : float or None
    tags : int or None
        Tags of the genome.
    tagging_users, taggings, unrefined_tags : int or None
        Users who tagged, their taggings, and the different texts among these, as typed.
    density : float or None
        Part of all (user, rated item) pairs that is rated.
    ratings_per_user, ratings_per_item : dict of str to float, or None
        Quantiles, over users and items with at least one rating.
    gini_users, gini_items : float or None
        How unevenly ratings are spread: 0 all alike, towards 1 all on one.
    first_time, last_time : int or None
        Unix seconds of the oldest and the latest rating whose time is known.
    """

    name: str
    movies: int | None = None
    users: int | None = None
    ratings: int | None = None
    rated_movies: int | None = None
    tags: int | None = None
    tagging_users: int | None = None
    taggings: int | None = None
    unrefined_tags: int | None = None
    genres: int | None = None
    rating_min: float | None = None
    rating_max: float | None = None
    rating_mean: float | None = None
    density: float | None = None
    ratings_per_user: dict[str, float] | None = None
    ratings_per_item: dict[str, float] | None = None
    gini_users: float | None = None
    gini_items: float | None = None
    first_time: int | None = None
    last_time: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything by name, as JSON values."""
        return asdict(self)

    def to_frame(self) -> pl.DataFrame:
        """A row a number: `what, value`; quantiles as ``ratings_per_user median`` and the like."""
        rows: list[tuple[str, float | None]] = []
        for what, value in self.to_dict().items():
            if isinstance(value, dict):
                rows += [(f"{what} {quantile}", at) for quantile, at in value.items()]
            elif what != "name":
                rows.append((what, None if value is None else float(value)))
        return pl.DataFrame(rows, schema={"what": pl.String, "value": pl.Float64}, orient="row")


def describe(dataset: Dataset) -> Description:
    """Count a dataset. Whatever it lacks is None."""
    counts: dict[str, Any] = {}
    if dataset.catalog is not None:
        catalog = dataset.catalog
        counts |= {"movies": len(catalog), "genres": len(catalog.genres), "tags": len(catalog.genome_tags) or None}
        if catalog.tags is not None:
            counts |= {
                "tagging_users": catalog.tags["user"].n_unique(),
                "taggings": len(catalog.tags),
                "unrefined_tags": catalog.tags["tag"].n_unique(),
            }
    if dataset.ratings is not None:
        counts |= _count_ratings(dataset)
    return Description(dataset.name, **counts)


def _count_ratings(dataset: Dataset) -> dict[str, Any]:
    x = dataset.interactions
    per_user, per_item = x.user_counts[x.user_counts > 0], x.item_counts[x.item_counts > 0]
    counts: dict[str, Any] = {"users": len(per_user), "ratings": x.nnz, "rated_movies": len(per_item)}
    if not x.nnz:
        return counts
    counts |= {
        "rating_min": x.scale[0],
        "rating_max": x.scale[1],
        "rating_mean": x.mean,
        "density": x.nnz / (len(per_user) * len(per_item)),
        "ratings_per_user": quantiles(per_user),
        "ratings_per_item": quantiles(per_item),
        "gini_users": gini(per_user),
        "gini_items": gini(per_item),
    }
    if x.timestamps is not None:
        known = x.timestamps[x.timestamps > 0]
        if len(known):
            counts |= {"first_time": int(known.min()), "last_time": int(known.max())}
    return counts


def quantiles(counts: Array) -> dict[str, float]:
    """The quantiles of `QUANTILES`, interpolated linearly."""
    return dict(zip(QUANTILES, np.quantile(counts, list(QUANTILES.values())).tolist(), strict=True))


def gini(counts: Array) -> float:
    r"""Gini coefficient of counts x in increasing order: $\sum_j (2j - n - 1) x_j / (n \sum_j x_j)$; 0 for none."""
    ordered = np.sort(counts).astype(np.float64)
    n, total = len(ordered), ordered.sum()
    if not total:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * total))
