"""The compiled half of `least_squares`."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.least_squares import UNCERTAIN
from coterie.kernels.tiles import LANES, add_gram, subtract_gram

Array = np.ndarray[Any, np.dtype[Any]]

# Rows of factors gathered before they are multiplied, so that they stay in the nearest cache.
_GATHERED = 128
_UNCERTAIN = np.float32(UNCERTAIN)


@kernel
def solve_range(
    indptr: Array, indices: Array, values: Array, fixed: Array, base: Array, ridge: Array, offsets: Array,
    scalars: Array, plain: bool, free: bool, unknowns: int, out: Array, sums: Array,
) -> int:  # fmt: skip
    """Solve the rows of `out` exactly; adds to `sums` what `Progress` says. The first row that has no unique solution
    is given back, else -1.

    `plain`: all weights are 1. `free`: the base is zero, so a row without entries has the solution 0.
    """
    n, k = out.shape
    gathered = np.zeros((_GATHERED, k), np.float32)
    matrix = np.empty((k, k), np.float32)
    right = np.empty(k, np.float32)
    kept, floors = np.empty(k, np.float32), np.empty(k, np.float32)
    w0, w1, t0, t1 = scalars[0], scalars[1], scalars[2], scalars[3]
    shifted = len(offsets) > 1
    for row in range(n):
        begin, end = indptr[row], indptr[row + 1]
        if begin == end:
            out[row, :] = 0
            continue
        right[:] = 0
        squares = 0.0
        if free:
            matrix[:, :] = 0
        else:
            matrix[:, :] = base
        for first in range(begin, end, _GATHERED):
            last = min(first + _GATHERED, end)
            for a in range(first, last):
                j, v = indices[a], values[a]
                weight = w0 + w1 * v
                coefficient = t0 + t1 * v
                if shifted:
                    coefficient -= weight * offsets[j]
                squares += coefficient * coefficient
                source, target = fixed[j], gathered[a - first]
                if plain:
                    for f in range(k):
                        target[f] = source[f]
                        right[f] += coefficient * source[f]
                else:
                    root = np.sqrt(weight)
                    for f in range(k):
                        target[f] = root * source[f]
                        right[f] += coefficient * source[f]
            add_gram(gathered, last - first, matrix)
        for f in range(k):
            matrix[f, f] += ridge[row] if f < unknowns else np.float32(1)
            kept[f] = right[f]
            floors[f] = _UNCERTAIN * matrix[f, f]
        if not solve_positive(matrix, right, floors):
            return row
        gain = 0.0
        for f in range(k):
            out[row, f] = right[f]
            gain += right[f] * kept[f]
        sums[0] += squares
        sums[1] += gain
    return -1


@kernel
def solve_positive(matrix: Array, right: Array, floors: Array) -> bool:
    """Solve ``matrix @ x = right`` in place (x takes the place of `right`); False where a pivot is at most its floor.

    The upper triangle of `matrix` (k, k), k a whole number of vectors, becomes U with matrix = U'U, the inverses of
    its diagonal on the diagonal: a panel of rows at a time, and what follows it is brought up to date in tiles.
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
    for p in range(k - 1, -1, -1):
        upper, rest = matrix[p, p + 1 :], right[p + 1 :]
        total = np.float32(0)
        for c in range(k - 1 - p):
            total += upper[c] * rest[c]
        right[p] = (right[p] - total) * matrix[p, p]
    return True


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
    shifted = len(offsets) > 1
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

    The scores of a row's entries are kept and brought up to date after every block.
    """
    n, k = out.shape
    size = min(size, k)
    longest = 1
    for row in range(n):
        longest = max(longest, indptr[row + 1] - indptr[row])
    gathered = np.empty((_GATHERED, size), np.float32)
    scores = np.empty(longest, np.float32)
    factors = np.empty(longest, np.float32)
    matrix = np.empty((size, size), np.float32)
    right = np.empty(size, np.float32)
    kept, floors = np.empty(size, np.float32), np.empty(size, np.float32)
    w0, w1, t0, t1 = scalars[0], scalars[1], scalars[2], scalars[3]
    shifted = len(offsets) > 1
    for row in range(n):
        begin, end = indptr[row], indptr[row + 1]
        x, lam = out[row], ridge[row]
        if begin == end:
            x[:] = 0
            continue
        squares, gain = 0.0, 0.0
        for a in range(begin, end):
            j, v = indices[a], values[a]
            source = fixed[j]
            dot = np.float32(0)
            for f in range(k):
                dot += source[f] * x[f]
            scores[a - begin] = dot
            factor = t0 + t1 * v
            if shifted:
                factor -= (w0 + w1 * v) * offsets[j]
            factors[a - begin] = factor
            squares += factor * factor
            gain += factor * dot + (factor - (w0 + w1 * v) * dot) * dot
        for f in range(k):  # x.(b - Ax), the part of it that the entries do not carry
            total = np.float32(0)
            for g in range(k):
                total += base[f, g] * x[g]
            gain -= x[f] * (total + lam * x[f])
        for first in range(0, k, size):
            last = min(first + size, k)
            width = last - first
            if width < size:  # the last block may be narrower
                first, width = k - size, size
                last = k
            for f in range(width):
                total = np.float32(0)
                for g in range(k):
                    total += base[first + f, g] * x[g]
                right[f] = -total - lam * x[first + f]
                for g in range(width):
                    matrix[f, g] = base[first + f, first + g]
            for begin_part in range(begin, end, _GATHERED):
                end_part = min(begin_part + _GATHERED, end)
                for a in range(begin_part, end_part):
                    source, target = fixed[indices[a]], gathered[a - begin_part]
                    weight = w0 + w1 * values[a]
                    root = np.sqrt(weight)
                    factor = factors[a - begin] - weight * scores[a - begin]
                    for f in range(width):
                        target[f] = root * source[first + f]
                        right[f] += factor * source[first + f]
                add_gram(gathered, end_part - begin_part, matrix)
            for f in range(width):
                matrix[f, f] += lam if first + f < unknowns else np.float32(1)
                kept[f] = right[f]
                floors[f] = _UNCERTAIN * matrix[f, f]
            if not solve_positive(matrix, right, floors):
                return row
            for f in range(width):
                x[first + f] += right[f]
                gain += right[f] * kept[f]
            if last < k:
                for a in range(begin, end):
                    source = fixed[indices[a]]
                    dot = np.float32(0)
                    for f in range(width):
                        dot += source[first + f] * right[f]
                    scores[a - begin] += dot
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
