"""The compiled half of `least_squares`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.least_squares import UNCERTAIN
from coterie.kernels.tiles import LANES, add_gram, fetch_row, subtract_gram

Array = np.ndarray[Any, np.dtype[Any]]

# Rows of factors gathered before they are multiplied, so that they stay in the nearest cache.
_GATHERED = 128
# Entries between asking for a row of factors and reading it.
_AHEAD = 12
_UNCERTAIN = np.float32(UNCERTAIN)


@kernel
def solve_range(
    indptr: Array, indices: Array, values: Array, fixed: Array, base: Array, ridge: Array, offsets: Array,
    scalars: Array, plain: bool, free: bool, ones: bool, unknowns: int, out: Array, sums: Array,
) -> int:  # fmt: skip
    """Solve the rows of `out` exactly; adds to `sums` what `Progress` says. The first row that has no unique solution
    is given back, else -1.

    `plain`: all weights are 1. `free`: the base is zero, so a row without entries has the solution 0. `ones`: the last
    unknown's column is all ones, those before it are whole vectors, all weights are 1, and the base is zero.
    """
    n, k = out.shape
    if ones:
        k = unknowns - 1
    gathered = np.zeros((_GATHERED, k), np.float32)
    matrix = np.empty((k, k), np.float32)
    right, border = np.empty(k, np.float32), np.empty(k, np.float32)
    kept, floors = np.empty(k, np.float32), np.empty(k, np.float32)
    w0, w1, t0, t1 = scalars[0], scalars[1], scalars[2], scalars[3]
    shifted = len(offsets) > 0
    for row in range(n):
        begin, end = indptr[row], indptr[row + 1]
        out[row, :] = 0
        if begin == end:
            continue
        right[:] = 0
        border[:] = 0
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
                if ones:
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
            matrix[f, f] += ridge[row] if f < unknowns else np.float32(1)
            kept[f] = right[f]
            floors[f] = _UNCERTAIN * matrix[f, f]
        if not factorize(matrix, right, floors):
            return row
        gain = 0.0
        if ones:
            pivot = np.float32(end - begin) + ridge[row]
            bias = eliminate(matrix, right, border, np.float32(total), pivot, _UNCERTAIN * pivot)
            if math.isnan(bias):
                return row
            out[row, k] = bias
            gain += bias * total
        substitute(matrix, right)
        for f in range(k):
            out[row, f] = right[f]
            gain += right[f] * kept[f]
        sums[0] += squares
        sums[1] += gain
    return -1


@kernel
def solve_positive(matrix: Array, right: Array, floors: Array) -> bool:
    """Solve ``matrix @ x = right`` in place (x takes the place of `right`); False where a pivot is at most its floor.
    The upper triangle of `matrix` becomes as `factorize` says."""
    if not factorize(matrix, right, floors):
        return False
    substitute(matrix, right)
    return True


@kernel
def factorize(matrix: Array, right: Array, floors: Array) -> bool:
    """The upper triangle of `matrix` (k, k), k a whole number of vectors, becomes U with matrix = U'U, the inverses of
    its diagonal on the diagonal, and `right` (k,) the y with U'y = right; False where a pivot is at most its floor.

    A panel of rows at a time, and what follows it is brought up to date in tiles.
    """
    k = matrix.shape[0]
    for panel in range(0, k, LANES):
        for p in range(panel, panel + LANES):
            pivot = matrix[p, p]
            if not pivot > floors[p]:
                return False
            inverse = np.float32(1) / np.sqrt(pivot)
            upper = matrix[p, panel:]
            width = k - panel
            for c in range(width):
                upper[c] *= inverse
            solved = right[p] * inverse
            right[p] = solved
            for q in range(p + 1, panel + LANES):
                factor = upper[q - panel]
                lower = matrix[q, panel:]
                right[q] -= factor * solved
                for c in range(width):
                    lower[c] -= factor * upper[c]
            matrix[p, p] = inverse
        after = panel + LANES
        if after < k:
            for p in range(panel, after):
                solved, upper, rest = right[p], matrix[p, after:], right[after:]
                for c in range(k - after):
                    rest[c] -= solved * upper[c]
            subtract_gram(matrix, panel, LANES, after)
    return True


@kernel
def eliminate(matrix: Array, right: Array, border: Array, total: Any, corner: Any, floor: Any) -> Any:
    """The last unknown of ``[[U'U, border], [border', corner]]``, whose right side ends in `total`; NaN where its pivot
    is at most its floor.

    In: `matrix` and `right` as `factorize` leaves them. Out: `right` without what the last unknown explains.
    """
    k = len(border)
    pivot, rest = corner, total
    for p in range(k):
        border[p] *= matrix[p, p]
        solved, upper, later = border[p], matrix[p, p + 1 :], border[p + 1 :]
        for c in range(k - 1 - p):
            later[c] -= solved * upper[c]
        pivot -= solved * solved
        rest -= solved * right[p]
    if not pivot > floor:
        return math.nan
    last = rest / pivot
    for p in range(k):
        right[p] -= last * border[p]
    return last


@kernel
def substitute(matrix: Array, right: Array) -> None:
    """Solve ``U x = right`` in place, `matrix` as `factorize` leaves it."""
    k = matrix.shape[0]
    for p in range(k - 1, -1, -1):
        upper, rest = matrix[p, p + 1 :], right[p + 1 :]
        total = np.float32(0)
        for c in range(k - 1 - p):
            total += upper[c] * rest[c]
        right[p] = (right[p] - total) * matrix[p, p]


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
        norm = np.float32(0)
        for f in range(k):
            gain += x[f] * residual[f]
            direction[f] = residual[f]
            norm += residual[f] * residual[f]
        for _ in range(steps):
            if norm < 1e-20:
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
            curvature = np.float32(0)
            for f in range(k):
                curvature += direction[f] * product[f]
            if not curvature > 0:
                break
            step = norm / curvature
            gain += step * norm
            after = np.float32(0)
            for f in range(k):
                x[f] += step * direction[f]
                residual[f] -= step * product[f]
                after += residual[f] * residual[f]
            ratio = after / norm
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
    matrix = np.empty((size, size), np.float32)
    right = np.empty(size, np.float32)
    step = np.zeros(size, np.float32)
    kept, floors = np.empty(size, np.float32), np.empty(size, np.float32)
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
                kept[f] = right[f]
                floors[f] = _UNCERTAIN * matrix[f, f]
            if not solve_positive(matrix, right, floors):
                return row
            for f in range(size):
                step[f] = right[f]
                x[first + f] += right[f]
                gain += right[f] * kept[f]
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
