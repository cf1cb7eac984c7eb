"""Draws of Gibbs sampling: rows of factors given the other side, and the weights of implicit feedback."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.parallel import run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

# Rows of a block. The schedule is the same for any number of threads.
_BLOCK = 128
# Ratings that are added to the normal equations together, so that these are read and written less often.
_TOGETHER = 4
# Design rows are padded to a multiple of this many float32, the width of vector units.
_LANES = 8
# The weights of implicit feedback are drawn in about so many blocks of columns.
_COLUMN_BLOCKS = 4


@kernel
def add_products(
    first: int, last: int, columns: Array, values: Array, design: Array, offsets: Array, scales: Array,
    x: Array, e: Array, gram: Array, target: Array,
) -> float:  # fmt: skip
    """Set ``gram = Σ x xᵀ`` and ``target = Σ e x`` over the entries [first, last) of a row; gives ``Σ e²``.

    x is the row of `design` (m, w) that an entry's column names, e its value less that column's offset times its scale.
    `gram` is float32 (d, w), `target` (w,); `x` (4, w) and `e` (4,) are room to work in.
    """
    d, width = gram.shape
    gram[:] = 0
    target[:] = 0
    squares = 0.0
    for start in range(first, last, _TOGETHER):
        for t in range(_TOGETHER):
            if start + t < last:
                column = columns[start + t]
                e[t] = (values[start + t] - offsets[column]) * scales[column]
                squares += np.float64(e[t]) * np.float64(e[t])
                for c in range(width):
                    x[t, c] = design[column, c]
            else:
                e[t] = 0
                for c in range(width):
                    x[t, c] = 0
        for a in range(d):
            x0, x1, x2, x3 = x[0, a], x[1, a], x[2, a], x[3, a]
            for c in range(width):
                gram[a, c] += x0 * x[0, c] + x1 * x[1, c] + x2 * x[2, c] + x3 * x[3, c]
        e0, e1, e2, e3 = e[0], e[1], e[2], e[3]
        for c in range(width):
            target[c] += e0 * x[0, c] + e1 * x[1, c] + e2 * x[2, c] + e3 * x[3, c]
    return squares


@kernel
def factorize(a: Array) -> None:
    """Put the Cholesky factor L of the symmetric `a` (d, d) in its lower half, with 1 / L_kk in the diagonal."""
    for i in range(len(a)):
        for j in range(i):
            total = a[i, j]
            for k in range(j):
                total -= a[i, k] * a[j, k]
            a[i, j] = total * a[j, j]
        total = a[i, i]
        for k in range(i):
            total -= a[i, k] * a[i, k]
        a[i, i] = 1.0 / np.sqrt(total)


@kernel
def solve(a: Array, noise: Array, y: Array) -> None:
    """Put ``L⁻ᵀ (L⁻¹ y + noise)`` in `y` (d,), for L from `factorize`: a mean and a draw about it in one."""
    d = len(y)
    for i in range(d):
        total = y[i]
        for k in range(i):
            total -= a[i, k] * y[k]
        y[i] = total * a[i, i]
    for i in range(d - 1, -1, -1):
        total = y[i] + noise[i]
        for k in range(i + 1, d):
            total -= a[k, i] * y[k]
        y[i] = total * a[i, i]


@kernel
def trace_of_solved(a: Array, root: Array, y: Array) -> float:
    """The trace of ``(L Lᵀ)⁻¹ R Rᵀ``, which is ``‖L⁻¹ R‖²``, for lower R = `root` (d, d); `y` (d,) is room."""
    d, squares = len(y), 0.0
    for column in range(d):
        for i in range(column, d):
            total = root[i, column]
            for k in range(column, i):
                total -= a[i, k] * y[k]
            y[i] = total * a[i, i]
            squares += y[i] * y[i]
    return squares


@kernel
def draw_block(
    start: int, stop: int, indptr: Array, columns: Array, values: Array, design: Array, offsets: Array, scales: Array,
    means: Array, precision: Array, root: Array, alphas: Array, shape: float, rounds: int,
    noise: Array, out: Array, errors: Array,
) -> None:  # fmt: skip
    """The rows [start, stop) of `draw_rows`."""
    d, width = means.shape[1], design.shape[1]
    gram, target = np.empty((d, width), np.float32), np.empty(width, np.float32)
    x, e = np.empty((_TOGETHER, width), np.float32), np.empty(_TOGETHER, np.float32)
    a, y, room = np.empty((d, d), np.float64), np.empty(d, np.float64), np.empty(d, np.float64)
    for row in range(start, stop):
        first, last = indptr[row], indptr[row + 1]
        squares = add_products(first, last, columns, values, design, offsets, scales, x, e, gram, target)
        alpha, error = alphas[row], 0.0
        for turn in range(rounds + 1):
            for i in range(d):
                total = alpha * target[i]
                for k in range(d):
                    total += precision[i, k] * means[row, k]
                    a[i, k] = precision[i, k] + alpha * gram[i, k]
                y[i] = total
            factorize(a)
            solve(a, noise[row], y)
            error = squares
            for i in range(d):
                product = 0.0
                for k in range(d):
                    product += gram[i, k] * y[k]
                error += y[i] * (product - 2.0 * target[i])
            error = max(error, 0.0)
            if turn < rounds:
                open_error = (d - trace_of_solved(a, root, room)) / alpha  # tr(A⁻¹ gram)
                alpha = (
                    alphas[row]
                    * (shape + 0.5 * (last - first))
                    / (shape + 0.5 * alphas[row] * (error + max(open_error, 0.0)))
                )
        out[row] = y
        errors[row] = error


def draw_rows(
    indptr: Array, columns: Array, values: Array, others: Array, scales: Array, means: Array, precision: Array,
    alphas: Array, noise: Array, out: Array, shape: float = 1.0, rounds: int = 0,
) -> Array:  # fmt: skip
    """Draw each row's vector v from its distribution given its ratings r_j of others' vectors z_j.

    The last entry of a vector is a bias: ``r_j ~ N(v_b + z_jb + Σ_k v_k z_jk, 1 / (α β_j))``, so with
    ``x_j = (z_j1, .., z_j,d-1, 1)``, ``e_j = r_j - z_jb`` and the prior ``N(m, Λ⁻¹)``

        A = Λ + α Σ β_j x_j x_jᵀ = L Lᵀ,   v = A⁻¹ (Λ m + α Σ β_j e_j x_j) + L⁻ᵀ noise.

    With `rounds` and no noise, α itself is taken to be unknown, ``α / α_0 ~ Gamma(shape, shape)`` for the given
    α_0: as often the mean v is followed by the expectation of α that the n ratings of the row then give,

        α = α_0 (shape + n / 2) / (shape + α_0 E / 2),   E = Σ β_j (e_j - x_j·v)² + tr(A⁻¹ Σ β_j x_j x_jᵀ).

    Parameters
    ----------
    indptr, columns, values : compressed rows (n, m)
    others : float32 (m, d)
    scales : float32 (m,)
        ``sqrt(β_j)``.
    means : float32 (n, d)
        The prior mean of each row.
    precision : float64 (d, d)
        Λ.
    alphas : float64 (n,)
        α, or α_0, of each row.
    noise : float32 (n, d)
        Standard normal; zeros give the mean of the distribution.
    out : float32 (n, d)
        Takes the draws.
    shape : float
    rounds : int

    Returns
    -------
    float64 (n,): each row's ``Σ β_j (e_j - x_j·v)²`` with its new vector.
    """
    m, d = others.shape
    design = np.zeros((m, -(-d // _LANES) * _LANES), np.float32)
    design[:, : d - 1] = others[:, :-1] * scales[:, None]
    design[:, d - 1] = scales
    offsets, root = np.ascontiguousarray(others[:, -1]), np.linalg.cholesky(precision)
    errors = np.empty(len(out), np.float64)

    def work(start: int, stop: int) -> None:
        draw_block(
            start, stop, indptr, columns, values, design, offsets, scales, means, precision, root, alphas,
            shape, rounds, noise, out, errors,
        )  # fmt: skip

    run_blocks(work, len(out), _BLOCK)
    return errors


@kernel
def draw_columns(
    indptr: Array, rows: Array, scales: Array, means: Array, precisions: Array, noise: Array,
    residuals: Array, weights: Array, sums: Array,
) -> None:  # fmt: skip
    """Some columns of `draw_weights`; `sums` (columns,) is room to work in."""
    n_columns = weights.shape[1]
    for j in range(len(weights)):
        sums[:] = 0
        squares = np.float32(0.0)
        for entry in range(indptr[j], indptr[j + 1]):
            row = rows[entry]
            scale = scales[row]
            squares += scale * scale
            for k in range(n_columns):
                sums[k] += scale * residuals[row, k]
        for k in range(n_columns):
            precision = squares + precisions[k]
            mean = (sums[k] + squares * weights[j, k] + precisions[k] * means[k]) / precision
            drawn = mean + noise[j, k] / np.sqrt(precision)
            sums[k] = drawn - weights[j, k]
            weights[j, k] = drawn
        for entry in range(indptr[j], indptr[j + 1]):
            row = rows[entry]
            scale = scales[row]
            for k in range(n_columns):
                residuals[row, k] -= scale * sums[k]


def draw_weights(
    indptr: Array, rows: Array, scales: Array, means: Array, precisions: Array, noise: Array,
    residuals: Array, weights: Array,
) -> None:  # fmt: skip
    """Draw one weight vector y_j after the other given all the rest, in place.

    Row u of `residuals` is ``t_u - s_u Σ_{j in u} y_j``, of unit variance in each column; j's rows are
    ``rows[indptr[j]:indptr[j + 1]]``. With the prior ``y_jk ~ N(means_k, 1/precisions_k)`` and
    ``c_j = Σ_u s_u²`` over the rows of j,

        y_jk ~ N((Σ_u s_u residual_uk + c_j y_jk + precisions_k means_k) / (c_j + precisions_k),
                 1 / (c_j + precisions_k)).

    Parameters
    ----------
    indptr, rows : int64 (m + 1,), int32 (nnz,)
    scales : float32 (n,)
        s_u.
    means, precisions : float32 (d,)
    noise : float32 (m, d)
        Standard normal.
    residuals, weights : float32 (n, d), (m, d)
        Changed in place. Columns do not depend on each other: threads share them out.
    """
    d = weights.shape[1]

    def work(start: int, stop: int) -> None:
        own = slice(start, stop)
        drawn, left = np.ascontiguousarray(weights[:, own]), np.ascontiguousarray(residuals[:, own])
        draw_columns(
            indptr, rows, scales, means[own], precisions[own], np.ascontiguousarray(noise[:, own]),
            left, drawn, np.empty(stop - start, np.float32),
        )  # fmt: skip
        residuals[:, own], weights[:, own] = left, drawn

    run_blocks(work, d, max(1, -(-d // _COLUMN_BLOCKS)))
