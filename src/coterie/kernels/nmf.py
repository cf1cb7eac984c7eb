"""Non-negative least squares, one small problem a row: what non-negative factorisation and folding in are made of.

For each row u with entries (j, v_j), the x >= 0 that minimises

    sum_j (v_j - x.y_j)^2 + ridge_u |x|^2,

the sum over the row's entries, or over all columns with zeros where there is no entry. The second needs the entries
only for the right side ``sum_j v_j y_j``; the matrix ``sum_j y_j y_j'`` is then the same for all rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from coterie.kernels.parallel import run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

# Up to this many rows NumPy answers, so that serving one person never waits for a compiler.
_FEW_ROWS = 16
_TASK = 256  # rows a task; popular items make long rows
_RANGE = 4096  # rows multiplied at once
# Added to the diagonal, times its largest element, so that there is a solution to compute where the ridge is 0.
_FLOOR = 1e-6
# Passes over the coordinates between two looks at whether the positive ones are found, and the most looks.
_PASSES, _TRIES = 8, 200


class Problem(NamedTuple):
    """What all rows share.

    Attributes
    ----------
    fixed : float32 (n_columns, k)
        y_j in the rows.
    gram : float64 (k, k) or None
        `gram_of` them where what has no entry is a zero; None where only entries count.
    """

    fixed: Array
    gram: Array | None = None


def gram_of(fixed: Array) -> Array:
    """``sum y y'`` over all rows of `fixed` (n, k), float64 (k, k)."""

    def part(start: int, stop: int) -> Array:
        rows = fixed[start:stop].astype(np.float64)
        return np.asarray(rows.T @ rows)

    k = fixed.shape[1]
    return np.asarray(sum(run_blocks(part, len(fixed), _RANGE), np.zeros((k, k))))


def width(k: int) -> int:
    """k, rounded up to what `improve` takes: whole vectors."""
    from coterie.kernels.tiles import NARROW

    return -(-k // NARROW) * NARROW


def improve(
    problem: Problem, indptr: Array, indices: Array, values: Array, ridge: Array, out: Array, *,
    passes: int, multiplicative: bool = False, tries: int = 0, floor: float = 0.0,
) -> float:  # fmt: skip
    """Bring every row's x closer to its solution, in place; what that makes of the sum of all rows' objectives.

    Parameters
    ----------
    problem : Problem
        With a width that `width` gives, as `out` (n, k) has. Rows without entries become 0.
    passes, multiplicative, tries, floor
        See `nmf_loops.descend` and `nmf_loops.improve_range`.

    Returns
    -------
    float
        The sum of the objectives, less the sum of all squared entries.
    """
    from coterie.kernels.nmf_loops import improve_range
    from coterie.kernels.sparse_products import Sparse, times

    n, k = out.shape
    rows = Sparse.of(indptr, indices, values, len(problem.fixed))
    gram, rights = np.zeros((0, k)), np.zeros((n, 0), np.float32)
    if problem.gram is not None:
        gram, rights = problem.gram, times(rows, problem.fixed)

    def work(start: int, stop: int) -> float:
        return float(
            improve_range(
                rows.indptr[start : stop + 1], rows.indices, rows.values, problem.fixed, gram, rights[start:stop],
                ridge[start:stop], floor, passes, multiplicative, tries, out[start:stop],
            )
        )  # fmt: skip

    return sum(run_blocks(work, n, _TASK))


def solve(problem: Problem, indptr: Array, indices: Array, values: Array, ridge: Array) -> Array:
    """The solutions of all rows, float32 (n, k). Rows without entries are zero.

    The problems are convex, so that it does not matter how they are solved: a few rows by NumPy, many by `improve`.
    """
    n, k = len(indptr) - 1, problem.fixed.shape[1]
    if n > _FEW_ROWS:
        padding = ((0, 0), (0, width(k) - k))
        out = np.zeros((n, width(k)), np.float32)
        gram = None if problem.gram is None else np.pad(problem.gram, (0, width(k) - k))
        padded = Problem(np.pad(problem.fixed, padding), gram)
        improve(padded, indptr, indices, values, ridge, out, passes=_PASSES, tries=_TRIES, floor=_FLOOR)
        return np.ascontiguousarray(out[:, :k])
    out = np.zeros((n, k), np.float32)
    for row in range(n):
        part = slice(indptr[row], indptr[row + 1])
        if part.start == part.stop:
            continue
        y = problem.fixed[indices[part]].astype(np.float64)
        matrix = y.T @ y if problem.gram is None else problem.gram
        used = np.flatnonzero(matrix.diagonal() > 0)
        matrix = matrix[np.ix_(used, used)]
        matrix[np.diag_indices(len(used))] += ridge[row] + _FLOOR * matrix.max(initial=0)
        out[row, used] = solve_nonnegative(matrix, (values[part].astype(np.float64) @ y)[used])
    return out


def solve_nonnegative(matrix: Array, right: Array) -> Array:
    """The x >= 0 that minimises ``x.A x - 2 right.x``, A positive definite, by active sets.

    R. Bro and S. de Jong, "A fast non-negativity-constrained least squares algorithm", J. Chemometrics 11, 1997.
    """
    x, free = np.zeros(len(right)), np.zeros(len(right), bool)
    small = 1e-12 * np.abs(right).max(initial=0)
    for _ in range(10 * len(x)):  # far more than it takes; rounding may make it go round in circles
        slope = np.where(free, -np.inf, right - matrix @ x)
        if slope.max() <= small:
            break
        free[slope.argmax()] = True
        while True:
            best = np.zeros(len(x))
            best[free] = np.linalg.solve(matrix[np.ix_(free, free)], right[free])
            below = np.flatnonzero(free & (best <= 0))
            if not len(below):
                break
            steps = x[below] / (x[below] - best[below])  # how far towards the best until one is 0
            x += steps.min() * (best - x)
            free[below[steps.argmin()]] = False
            x[~free] = 0
        x = best
    return x
