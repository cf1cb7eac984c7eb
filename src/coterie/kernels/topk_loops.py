"""The compiled half of `topk`."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.heap import push, sort_best_first, worse
from coterie.kernels.jit import kernel

Array = np.ndarray[Any, np.dtype[Any]]


@kernel
def select_rows(scores: Array, indices: Array, values: Array, counts: Array) -> None:
    """Fill `indices` and `values` (n, k) with the k best finite entries of each row of `scores` (n, m)."""
    n, m = scores.shape
    k = indices.shape[1]
    unset = np.int32(m)  # ranks behind every real column
    for row in range(n):
        best_values, best_indices = values[row], indices[row]
        best_values[:] = -np.inf
        best_indices[:] = unset
        for column in range(m):
            value = scores[row, column]
            if value > -np.inf and worse(best_values[0], best_indices[0], value, column):
                push(best_values, best_indices, value, column)
        sort_best_first(best_values, best_indices)
        count = 0
        for place in range(k):
            if best_values[place] > -np.inf:
                count += 1
            else:
                best_indices[place] = -1
        counts[row] = count
