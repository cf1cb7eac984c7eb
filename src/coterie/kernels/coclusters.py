"""Assigning the rows of a ratings matrix to clusters, given the clusters of its columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import kernel

Array = np.ndarray[Any, np.dtype[Any]]

#: What is added up over the ratings of each co-cluster: 1, rating, mean of its row, mean of its column.
SUMS = 4


@kernel
def assign_rows(
    start: int, stop: int, indptr: Array, columns: Array, values: Array, row_means: Array, column_means: Array,
    column_clusters: Array, levels: Array, moves: bool, row_clusters: Array, sums: Array,
) -> None:  # fmt: skip
    """Give each of the rows [start, stop) the cluster g with the least squares of ``x - levels[g, h]``.

    For a rating in a column of cluster h, x is what it is above the means of its row and its column. Ties go to the
    first cluster; with `moves` false, rows stay where they are. `row_clusters` int32 (n,) is changed in place; `sums`
    float64 (SUMS, n_row_clusters, n_column_clusters), zero before, takes the sums over the co-clusters' ratings.
    """
    n_row_clusters, n_column_clusters = levels.shape
    counts, excess = np.empty(n_column_clusters), np.empty(n_column_clusters)
    ratings, means = np.empty(n_column_clusters), np.empty(n_column_clusters)
    for row in range(start, stop):
        counts[:] = 0.0
        excess[:] = 0.0
        ratings[:] = 0.0
        means[:] = 0.0
        own = row_means[row]
        for a in range(indptr[row], indptr[row + 1]):
            h = column_clusters[columns[a]]
            rating, mean = np.float64(values[a]), column_means[columns[a]]
            counts[h] += 1.0
            ratings[h] += rating
            means[h] += mean
            excess[h] += rating - own - mean
        best = row_clusters[row]
        if moves:
            least = np.inf
            for g in range(n_row_clusters):
                cost = 0.0
                for h in range(n_column_clusters):
                    cost += levels[g, h] * (counts[h] * levels[g, h] - 2.0 * excess[h])
                if cost < least:
                    least = cost
                    best = g
            row_clusters[row] = best
        for h in range(n_column_clusters):
            sums[0, best, h] += counts[h]
            sums[1, best, h] += ratings[h]
            sums[2, best, h] += counts[h] * own
            sums[3, best, h] += means[h]
