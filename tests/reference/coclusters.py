"""Slow twins of co-clustering: loops over a dense matrix with NaN for unrated."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def cost(row: Array, own: float, column_means: Array, column_clusters: Array, levels: Array) -> float:
    """Squared error of a row in the cluster whose `levels` (n_column_clusters,) are given."""
    rated = [c for c in range(len(row)) if not np.isnan(row[c])]
    return sum((float(row[c]) - own - column_means[c] - levels[column_clusters[c]]) ** 2 for c in rated)


def sums(dense: Array, row_means: Array, column_means: Array, rows: Array, columns: Array, shape: Any) -> Array:
    """Of 1, rating, mean of its row and mean of its column over the ratings of each co-cluster."""
    out = np.zeros((4, *shape))
    for (r, c), rating in np.ndenumerate(dense):
        if not np.isnan(rating):
            out[:, rows[r], columns[c]] += 1, rating, row_means[r], column_means[c]
    return out
