"""Sparse profiles times a matrix of weights, dense or sparse: scores of many people."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import exact_kernel, kernel
from coterie.kernels.parallel import run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

# Columns of the weights that all profiles are multiplied with before the next: a popular row's part stays in cache.
PANEL = 1024
_ROWS = 32  # profiles a task where weights are sparse


def dense_sums(indptr: Array, columns: Array, values: Array, weights: Array) -> Array:
    """``X W`` for sparse rows X (n, m) and dense float32 W (m, k): float32 (n, k)."""
    out = np.empty((len(indptr) - 1, weights.shape[1]), np.float32)
    work = lambda low, high: add_dense_rows(low, high, indptr, columns, values, weights, out)  # noqa: E731
    run_blocks(work, weights.shape[1], PANEL)
    return out


@kernel
def add_dense_rows(
    low: int, high: int, indptr: Array, columns: Array, values: Array, weights: Array, out: Array
) -> None:
    """The columns [low, high) of all sums; four rows of weights at once, so that a sum is loaded a quarter as often."""
    for row in range(len(indptr) - 1):
        line = out[row, low:high]
        line[:] = 0
        a, end = indptr[row], indptr[row + 1]
        while a + 4 <= end:
            w0, w1 = weights[columns[a], low:high], weights[columns[a + 1], low:high]
            w2, w3 = weights[columns[a + 2], low:high], weights[columns[a + 3], low:high]
            v0, v1, v2, v3 = values[a], values[a + 1], values[a + 2], values[a + 3]
            for c in range(len(line)):
                line[c] = (((line[c] + v0 * w0[c]) + v1 * w1[c]) + v2 * w2[c]) + v3 * w3[c]
            a += 4
        while a < end:
            w0, v0 = weights[columns[a], low:high], values[a]
            for c in range(len(line)):
                line[c] += v0 * w0[c]
            a += 1


def sparse_sums(
    indptr: Array, columns: Array, values: Array, weight_ptr: Array, weight_columns: Array, weights: Array, width: int
) -> Array:
    """``X W`` for sparse rows X (n, m) and sparse W (m, width): float32 (n, width); NaN where no entry meets one."""
    out = np.empty((len(indptr) - 1, width), np.float32)

    def work(start: int, stop: int) -> None:
        add_sparse_rows(start, stop, indptr, columns, values, weight_ptr, weight_columns, weights, out)

    run_blocks(work, len(out), _ROWS)
    return out


@exact_kernel
def add_sparse_rows(
    start: int, stop: int, indptr: Array, columns: Array, values: Array,
    weight_ptr: Array, weight_columns: Array, weights: Array, out: Array,
) -> None:  # fmt: skip
    """The sums of the rows [start, stop)."""
    for row in range(start, stop):
        line = out[row]
        line[:] = np.nan
        for a in range(indptr[row], indptr[row + 1]):
            value = values[a]
            for b in range(weight_ptr[columns[a]], weight_ptr[columns[a] + 1]):
                column = weight_columns[b]
                before = line[column]
                line[column] = (np.float32(0) if np.isnan(before) else before) + value * weights[b]
