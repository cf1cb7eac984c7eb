"""The compiled half of `nmf`."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.tiles import add_gram

Array = np.ndarray[Any, np.dtype[Any]]

# Rows of factors gathered before they are multiplied, so that they stay in the nearest cache.
_GATHERED = 128
_TINY = 1e-30


@kernel
def descend(
    matrix: Array, right: Array, x: Array, products: Array, passes: int, tolerance: float, multiplicative: bool
) -> float:
    """Lower ``x.A x - 2 right.x`` over x >= 0, from the x given; its value afterwards. All float64; `products` scratch.

    By exact minimisation over one coordinate after the other, or by multiplicative steps, `passes` times or until no
    coordinate moves by more than `tolerance` times the largest.
    """
    k = len(x)
    for _ in range(passes):
        largest, moved = 0.0, 0.0
        if multiplicative:
            for f in range(k):
                total = 0.0
                for g in range(k):
                    total += matrix[f, g] * x[g]
                products[f] = total
            for f in range(k):
                x[f] *= max(right[f], 0.0) / max(products[f], _TINY)
            continue
        for f in range(k):
            if matrix[f, f] <= _TINY:
                x[f] = 0.0
                continue
            total = 0.0
            for g in range(k):
                total += matrix[f, g] * x[g]
            better = max(x[f] + (right[f] - total) / matrix[f, f], 0.0)
            moved = max(moved, abs(better - x[f]))
            x[f] = better
            largest = max(largest, better)
        if moved <= tolerance * largest:
            break
    value = 0.0
    for f in range(k):
        total = 0.0
        for g in range(k):
            total += matrix[f, g] * x[g]
        value += x[f] * (total - 2.0 * right[f])
    return value


@kernel
def improve_range(
    indptr: Array, indices: Array, values: Array, fixed: Array, gram: Array, rights: Array, ridge: Array, floor: float,
    passes: int, tolerance: float, multiplicative: bool, out: Array,
) -> float:  # fmt: skip
    """`descend` for each row of `out` (n, k); the sum of the values.

    A row's matrix is `gram` (k, k) and its right side that of `rights` (n, k), where these are given; where `gram`
    is empty they are made of its entries. To the diagonal come the row's `ridge` and `floor` times its largest element.
    """
    n, k = out.shape
    gathered = np.zeros((_GATHERED, k), np.float32)
    single, matrix = np.empty((k, k), np.float32), np.empty((k, k))
    right, x, products = np.empty(k), np.empty(k), np.empty(k)
    value = 0.0
    for row in range(n):
        begin, end = indptr[row], indptr[row + 1]
        if begin == end:
            out[row, :] = 0
            continue
        if len(gram) > 0:
            matrix[:, :] = gram
            for f in range(k):
                right[f] = rights[row, f]
        else:
            single[:, :] = 0
            right[:] = 0
            for first in range(begin, end, _GATHERED):
                last = min(first + _GATHERED, end)
                for a in range(first, last):
                    source, target, v = fixed[indices[a]], gathered[a - first], values[a]
                    for f in range(k):
                        target[f] = source[f]
                        right[f] += v * source[f]
                add_gram(gathered, 0, last - first, single)
            for f in range(k):
                for g in range(f, k):
                    matrix[f, g] = matrix[g, f] = single[f, g]
        largest = 0.0
        for f in range(k):
            largest = max(largest, matrix[f, f])
            x[f] = out[row, f]
        for f in range(k):
            if matrix[f, f] > 0:
                matrix[f, f] += ridge[row] + floor * largest
        value += descend(matrix, right, x, products, passes, tolerance, multiplicative)
        for f in range(k):
            out[row, f] = x[f]
    return value
