"""Slow twin of `coterie.kernels.dense_gram`: every product by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def dense_gram(dense: Array) -> Array:
    """X Xᵀ, float64 (n, n), of a matrix with NaN for unrated."""
    filled = np.nan_to_num(dense.astype(np.float64))
    return np.array([[float(x @ y) for y in filled] for x in filled]).reshape(len(dense), len(dense))


def mirror(triangle: Array, scale: Array) -> Array:
    """``T diag(scale)`` of the lower triangle of T; the diagonal is left."""
    out = triangle.copy()
    for i in range(len(out)):
        for j in range(len(out)):
            if i != j:
                out[i, j] = triangle[max(i, j), min(i, j)] * scale[j]
    return out
