"""Sparse profiles times a matrix of weights, as `row_sums`, for a few people and by NumPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def few_sparse_sums(
    indptr: Array, columns: Array, values: Array, weight_ptr: Array, weight_columns: Array, weights: Array, width: int
) -> Array:
    """``X W`` for sparse rows X (n, m) and sparse W (m, width): float32 (n, width); NaN where no entry meets one."""
    n = len(indptr) - 1
    starts = weight_ptr[columns].astype(np.intp)
    lengths = weight_ptr[columns + 1] - starts
    met = np.repeat(starts + lengths - np.cumsum(lengths), lengths)  # a row of W after the other, entry by entry
    met += np.arange(len(met))
    places = weight_columns.take(met)
    if n > 1:
        places = places + np.repeat(np.repeat(np.arange(n), np.diff(indptr)) * width, lengths)
    sums = np.full(n * width, np.nan, np.float32)
    sums[places] = 0
    np.add.at(sums, places, np.repeat(values, lengths) * weights.take(met))  # in the order in which `row_sums` adds
    return sums.reshape(n, width)


def few_dense_sums(indptr: Array, columns: Array, values: Array, weights: Array) -> Array:
    """``X W`` for sparse rows X (n, m) and dense float32 W (m, width): a row of W at a time, without a copy."""
    from scipy.linalg.blas import saxpy

    sums = np.zeros((len(indptr) - 1, weights.shape[1]), np.float32)
    for row, line in enumerate(sums):
        for entry in range(indptr[row], indptr[row + 1]):
            saxpy(weights[columns[entry]], line, a=values[entry])
    return sums
