"""The compiled half of `least_squares`."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.least_squares import UNCERTAIN
from coterie.kernels.positive import eliminate, substitute
from coterie.kernels.tiles import add_gram, fetch_row

Array = np.ndarray[Any, np.dtype[Any]]

# Rows of factors gathered before they are multiplied, so that they stay in the nearest cache.
_GATHERED = 128
# Entries between asking for a row of factors and reading it.
_AHEAD = 12
_UNCERTAIN = np.float32(UNCERTAIN)


@kernel
def solve_range(
    indptr: Array, indices: Array, values: Array, fixed: Array, base: Array, ridge: Array, offsets: Array,
    scalars: Array, plain: bool, free: bool, biased: bool, columns: int, out: Array, sums: Array,
) -> int:  # fmt: skip
    """Solve the rows of `out` exactly; adds to `sums` what `Progress` says. The first row that has no unique solution
    is given back, else -1.

    `plain`: all weights are 1. `free`: the base is zero. `biased`: after the unknowns of the first `columns` of `fixed`
    comes one whose column is all ones; all weights are then 1, and the base is zero.
    """
    n, k = len(out), fixed.shape[1]
    gathered = np.zeros((_GATHERED, k), np.float32)
    matrix, scaled = np.empty((k, k), np.float32), np.empty((k, k), np.float32)
    sides, pivots = np.empty((2, k), np.float32), np.empty(k, np.float32)
    right, border = sides[0], sides[1]
    w0, w1, t0, t1 = scalars[0], scalars[1], scalars[2], scalars[3]
    shifted = len(offsets) > 0
    for row in range(n):
        begin, end = indptr[row], indptr[row + 1]
        out[row, :] = 0
        if begin == end:
            continue
        sides[:, :] = 0
        squares = total = 0.0
        if free:
            matrix[:, :] = 0
        else:
            matrix[:, :] = base
        for first in range(begin, end, _GATHERED):
            last = min(first + _GATHERED, end)
            for a in range(first, last):
                fetch_row(fixed, indices[min(a + _AHEAD, end - 1)], k)
                j, v = indices[a], values[a]
                weight = w0 + w1 * v
                coefficient = t0 + t1 * v
                if shifted:
                    coefficient -= weight * offsets[j]
                squares += coefficient * coefficient
                total += coefficient
                source, target = fixed[j], gathered[a - first]
                if biased:
                    for f in range(k):
                        target[f] = source[f]
                        right[f] += coefficient * source[f]
                        border[f] += source[f]
                elif plain:
                    for f in range(k):
                        target[f] = source[f]
                        right[f] += coefficient * source[f]
                else:
                    root = np.sqrt(weight)
                    for f in range(k):
                        target[f] = root * source[f]
                        right[f] += coefficient * source[f]
            add_gram(gathered, 0, last - first, matrix)
        for f in range(k):
            matrix[f, f] += ridge[row] if f < columns else np.float32(1)
            pivots[f] = _UNCERTAIN * matrix[f, f]
        if not eliminate(matrix, scaled, sides, pivots):
            return row
        gain = 0.0
        for f in range(k):
            gain += right[f] * right[f] * pivots[f]
        if biased:  # the bias is the last unknown, and the border is its column
            pivot, rest = np.float64(end - begin) + ridge[row], total
            floor = _UNCERTAIN * pivot
            for f in range(k):
                pivot -= border[f] * border[f] * pivots[f]
                rest -= border[f] * right[f] * pivots[f]
            if not pivot > floor:
                return row
            bias = rest / pivot
            gain += bias * rest
            out[row, columns] = bias
            for f in range(k):
                right[f] -= np.float32(bias) * border[f]
        substitute(matrix, scaled, right)
        for f in range(columns):
            out[row, f] = right[f]
        sums[0] += squares
        sums[1] += gain
    return -1


@kernel
def refine_rows(
    indptr: Array, indices: Array, values: Array, fixed: Array, base: Array, ridge: Array, offsets: Array,
    scalars: Array, steps: int, out: Array, sums: Array,
) -> None:  # fmt: skip
    """`steps` steps of conjugate gradients for each row, from what `out` holds; adds to `sums` what `Progress` says.

    The gathered factors of a row stay near the processor, as they are used once a step.
    """
    n, k = out.shape
    longest = 1
    for row in range(n):
        longest = max(longest, indptr[row + 1] - indptr[row])
    gathered = np.empty((longest, k), np.float32)
    residual = np.empty(k, np.float32)
    direction = np.empty(k, np.float32)
    product = np.empty(k, np.float32)
    w0, w1, t0, t1 = scalars[0], scalars[1], scalars[2], scalars[3]
    shifted = len(offsets) > 0
    for row in range(n):
        begin, end = indptr[row], indptr[row + 1]
        x, lam = out[row], ridge[row]
        if begin == end:
            x[:] = 0
            continue
        _times(base, x, product)
        squares = gain = np.float64(0)
        for f in range(k):
            residual[f] = -product[f] - lam * x[f]
        for a in range(begin, end):
            fetch_row(fixed, indices[min(a + _AHEAD, end - 1)], k)
            j, v = indices[a], values[a]
            source, target = fixed[j], gathered[a - begin]
            dot = np.float32(0)
            for f in range(k):
                target[f] = source[f]
                dot += source[f] * x[f]
            weight = w0 + w1 * v
            factor = t0 + t1 * v
            if shifted:
                factor -= weight * offsets[j]
            squares += factor * factor
            gain += factor * dot
            factor -= weight * dot
            for f in range(k):
                residual[f] += factor * source[f]
        norm = np.float64(0)
        for f in range(k):
            gain += x[f] * residual[f]
            direction[f] = residual[f]
            norm += np.float64(residual[f]) * residual[f]
        for _ in range(steps):
            if norm == 0:
                break
            _times(base, direction, product)
            for f in range(k):
                product[f] += lam * direction[f]
            for a in range(begin, end):
                target = gathered[a - begin]
                dot = np.float32(0)
                for f in range(k):
                    dot += target[f] * direction[f]
                dot *= w0 + w1 * values[a]
                for f in range(k):
                    product[f] += dot * target[f]
            curvature = np.float64(0)
            for f in range(k):
                curvature += np.float64(direction[f]) * product[f]
            if not curvature > 0:
                break
            gain += norm * (norm / curvature)
            step, after = np.float32(norm / curvature), np.float64(0)
            for f in range(k):
                x[f] += step * direction[f]
                residual[f] -= step * product[f]
                after += np.float64(residual[f]) * residual[f]
            ratio = np.float32(after / norm)
            norm = after
            for f in range(k):
                direction[f] = residual[f] + ratio * direction[f]
        sums[0] += squares
        sums[1] += gain


@kernel
def solve_blocks(
    indptr: Array, indices: Array, values: Array, fixed: Array, base: Array, ridge: Array, offsets: Array,
    scalars: Array, size: int, unknowns: int, out: Array, sums: Array,
) -> int:  # fmt: skip
    """For each row one exact solution for every `size` unknowns (whole vectors) in turn, given the others as `out`
    has them; adds to `sums` what `Progress` says. The first row that has no unique solution is given back, else -1.

    A row's factors are gathered once, times the square roots of their weights, and so are the targets, divided by
    them. Weights are above 0.
    """
    n, k = out.shape
    size = min(size, k)
    longest = 1
    for row in range(n):
        longest = max(longest, indptr[row + 1] - indptr[row])
    gathered = np.empty((longest, k), np.float32)
    left = np.empty(longest, np.float32)  # what the scores leave of the targets
    matrix, scaled = np.empty((size, size), np.float32), np.empty((size, size), np.float32)
    sides, pivots = np.zeros((2, size), np.float32), np.empty(size, np.float32)
    right, step = sides[0], np.zeros(size, np.float32)
    product = np.empty(k, np.float32)
    w0, w1, t0, t1 = scalars[0], scalars[1], scalars[2], scalars[3]
    shifted = len(offsets) > 0
    for row in range(n):
        begin, end = indptr[row], indptr[row + 1]
        x, lam = out[row], ridge[row]
        if begin == end:
            x[:] = 0
            continue
        squares = gain = np.float64(0)
        for a in range(begin, end):
            fetch_row(fixed, indices[min(a + _AHEAD, end - 1)], k)
            j, v = indices[a], values[a]
            weight, coefficient = w0 + w1 * v, t0 + t1 * v
            if shifted:
                coefficient -= weight * offsets[j]
            squares += coefficient * coefficient
            root = np.sqrt(weight)
            source, target = fixed[j], gathered[a - begin]
            dot = np.float32(0)
            for f in range(k):
                target[f] = root * source[f]
                dot += target[f] * x[f]
            wanted = coefficient / root
            left[a - begin] = wanted - dot
            gain += (2 * wanted - dot) * dot
        _times(base, x, product)
        for f in range(k):
            gain -= x[f] * (product[f] + lam * x[f])
        before = -1  # where the last block began, whose step the scores do not have yet
        for first in range(0, k, size):
            if first + size > k:
                first = k - size  # the last block goes over factors that were solved already
            for f in range(size):
                right[f] = -lam * x[first + f]
                for g in range(size):
                    matrix[f, g] = base[first + f, first + g]
            for g in range(k):
                factor, line = x[g], base[g, first:]
                for f in range(size):
                    right[f] -= factor * line[f]
            for part in range(0, end - begin, _GATHERED):
                stop = min(part + _GATHERED, end - begin)
                for a in range(part, stop):
                    if before >= 0:
                        old = gathered[a, before:]
                        dot = np.float32(0)
                        for f in range(size):
                            dot += old[f] * step[f]
                        left[a] -= dot
                    source, missing = gathered[a, first:], left[a]
                    for f in range(size):
                        right[f] += missing * source[f]
                add_gram(gathered[part:], first, stop - part, matrix)
            for f in range(size):
                matrix[f, f] += lam if first + f < unknowns else np.float32(1)
                pivots[f] = _UNCERTAIN * matrix[f, f]
            if not eliminate(matrix, scaled, sides, pivots):
                return row
            for f in range(size):
                gain += right[f] * right[f] * pivots[f]
            substitute(matrix, scaled, right)
            for f in range(size):
                step[f] = right[f]
                x[first + f] += right[f]
            before = first
        sums[0] += squares
        sums[1] += gain
    return -1


@kernel
def _times(matrix: Array, vector: Array, out: Array) -> None:
    """``out = matrix @ vector`` for a symmetric matrix: rows are added up, which vectorises."""
    k = len(vector)
    out[:] = 0
    for g in range(k):
        factor, row = vector[g], matrix[g]
        for f in range(k):
            out[f] += factor * row[f]
