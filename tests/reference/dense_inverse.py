"""Slow twin of `coterie.kernels.dense_inverse`: elimination by Gauss and Jordan, an element at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def invert_symmetric(matrix: Array) -> Array:
    """The inverse of a positive definite matrix, float64 (n, n)."""
    n = len(matrix)
    left, right = matrix.astype(np.float64), np.eye(n)
    for k in range(n):
        pivot = left[k, k]
        left[k], right[k] = left[k] / pivot, right[k] / pivot
        for i in range(n):
            if i != k:
                factor = left[i, k]
                left[i] = left[i] - factor * left[k]
                right[i] = right[i] - factor * right[k]
    return right
