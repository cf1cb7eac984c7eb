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
# A coordinate at 0 belongs there where this little could be gained by moving it, against the largest right side.
_SLACK = 1e-12


@kernel
def descend(matrix: Array, right: Array, x: Array, products: Array, passes: int, multiplicative: bool) -> float:
    """Lower ``x.A x - 2 right.x`` over x >= 0, from the x given; its value afterwards. All float64; `products` scratch.

    `passes` times, by exact minimisation over one coordinate after the other, or by a multiplicative step.
    """
    k = len(x)
    for _ in range(passes):
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
            x[f] = max(x[f] + (right[f] - total) / matrix[f, f], 0.0)
    value = 0.0
    for f in range(k):
        total = 0.0
        for g in range(k):
            total += matrix[f, g] * x[g]
        value += x[f] * (total - 2.0 * right[f])
    return value


@kernel
def settle(matrix: Array, right: Array, x: Array, lower: Array, best: Array) -> bool:
    """Whether the positive coordinates of x are those of the minimum; x then becomes it, solved exactly.

    `lower` (k, k) and `best` (k,) are scratch.
    """
    chosen, size, scale = np.empty(len(x), np.int32), 0, 0.0
    for f in range(len(x)):
        scale = max(scale, abs(right[f]))
        if x[f] > 0:
            chosen[size] = f
            size += 1
    for i in range(size):  # Cholesky factor, and forward substitution beside it
        best[i] = right[chosen[i]]
        for j in range(i + 1):
            total = matrix[chosen[i], chosen[j]]
            for c in range(j):
                total -= lower[i, c] * lower[j, c]
            if j < i:
                lower[i, j] = total / lower[j, j]
                best[i] -= lower[i, j] * best[j]
            elif total <= _TINY:
                return False
            else:
                lower[i, i] = np.sqrt(total)
                best[i] /= lower[i, i]
    for i in range(size - 1, -1, -1):
        for c in range(i + 1, size):
            best[i] -= lower[c, i] * best[c]
        best[i] /= lower[i, i]
        if best[i] <= 0:
            return False
    for f in range(len(x)):
        if x[f] == 0:
            slope = right[f]
            for i in range(size):
                slope -= matrix[f, chosen[i]] * best[i]
            if slope > _SLACK * scale:
                return False
    for i in range(size):
        x[chosen[i]] = best[i]
    return True


@kernel
def improve_range(
    indptr: Array, indices: Array, values: Array, fixed: Array, gram: Array, rights: Array, ridge: Array, floor: float,
    passes: int, multiplicative: bool, tries: int, out: Array,
) -> float:  # fmt: skip
    """`descend` for each row of `out` (n, k), up to `tries` times more until it may `settle`; the sum of the values.

    A row's matrix is `gram` (k, k) and its right side that of `rights` (n, k), where these are given; where `gram`
    is empty they are made of its entries. To the diagonal come the row's `ridge` and `floor` times its largest element.
    """
    n, k = out.shape
    gathered = np.zeros((_GATHERED, k), np.float32)
    single, matrix, lower = np.empty((k, k), np.float32), np.empty((k, k)), np.empty((k, k))
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
        value += descend(matrix, right, x, products, passes, multiplicative)
        for _ in range(tries):
            if settle(matrix, right, x, lower, products):
                break
            descend(matrix, right, x, products, passes, multiplicative)
        for f in range(k):
            out[row, f] = x[f]
    return value
