"""Slow twins of `coterie.kernels.nmf`: a row's objective, and its minimum by trying every set of positive factors."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def equations(row: Array, factors: Array, ridge: float, zeros: bool) -> tuple[Array, Array]:
    """Matrix and right side, float64, of one row with NaN for what is not there."""
    y, values = factors.astype(np.float64), np.nan_to_num(row.astype(np.float64))
    if not zeros:
        y = y * ~np.isnan(row)[:, None]
    return y.T @ y + ridge * np.eye(factors.shape[1]), values @ y


def objective(row: Array, factors: Array, ridge: float, zeros: bool, x: Array) -> float:
    """The squared errors of one row, and its penalty."""
    errors = np.nan_to_num(row.astype(np.float64)) - factors.astype(np.float64) @ x
    if not zeros:
        errors = errors[~np.isnan(row)]
    return float(errors @ errors + ridge * x @ x)


def solve(matrix: Array, right: Array) -> Array:
    """The x >= 0 with the smallest ``x.A x - 2 right.x``: the best of all solutions with some coordinates 0."""
    k = len(right)
    best, least = np.zeros(k), 0.0
    for size in range(1, k + 1):
        for chosen in combinations(range(k), size):
            part = list(chosen)
            x = np.zeros(k)
            x[part] = np.linalg.lstsq(matrix[np.ix_(part, part)], right[part], rcond=None)[0]
            value = x @ matrix @ x - 2 * right @ x
            if (x >= 0).all() and value < least:
                best, least = x, value
    return best


def multiplied(matrix: Array, right: Array, x: Array) -> Array:
    """One multiplicative step."""
    below = matrix @ x
    return np.array([v * r / b if v * r > 0 else 0.0 for v, r, b in zip(x, right, below, strict=True)])
