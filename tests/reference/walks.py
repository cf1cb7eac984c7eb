"""Slow twins of the walks: matrices of probabilities, multiplied, and cut to the largest a row and a column."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def transitions(dense: Array, alpha: float) -> tuple[Array, Array]:
    """Step probabilities to the power alpha: item to user (n_items, n_users) and user to item (n_users, n_items).

    `dense` (n_users, n_items) holds NaN for unrated.
    """
    rated = ~np.isnan(dense)
    values = np.nan_to_num(dense.astype(np.float64))
    to_users, to_items = np.zeros(dense.T.shape), np.zeros(dense.shape)
    for u, i in zip(*np.nonzero(rated), strict=True):
        to_users[i, u] = (1 / rated[:, i].sum()) ** alpha
        if values[u, i] > 0:
            to_items[u, i] = (values[u, i] / values[u].sum()) ** alpha
    return to_users, to_items


def largest(row: Array, k: int) -> Array:
    """The row with all but its k largest entries set to 0; ties go to the first."""
    out = np.zeros_like(row)
    for at in sorted(range(len(row)), key=lambda at: (-row[at], at))[:k]:
        out[at] = row[at]
    return out


def walk_weights(dense: Array, alpha: float, beta: float, k: int, normalize: bool) -> Array:
    """The whole matrix of weights, float32 (n_items, n_items)."""
    to_users, to_items = transitions(dense, alpha)
    weights = to_users @ to_items
    popularity = (~np.isnan(dense)).sum(axis=0)
    for j in range(len(weights)):
        weights[:, j] *= popularity[j] ** -beta if popularity[j] else 0.0
        weights[j, j] = 0.0
    weights = np.array([largest(row, k) for row in weights.astype(np.float32)])
    if normalize:
        for row in weights:
            row /= row.sum(dtype=np.float64) or 1.0
    return np.array([largest(column, k) for column in weights.T]).T
