"""The inverse of a large symmetric positive definite matrix in its own memory, the same bits at any number of threads.

LAPACK's inverse is as fast, but how it adds up depends on the threads of BLAS. Here every product is one of BLAS on
one thread, and which ones there are depends on the size of the matrix alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.blas import add_product, add_square, times_triangle, triangle_times
from coterie.kernels.parallel import blocks, one_blas_thread, run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 1152  # rows taken at once, few enough that what one thread does alone does not count
TILE = BLOCK // 3  # rows or columns of a product, for every thread to have some; a block is made of whole tiles


def invert_symmetric(matrix: Array) -> bool:
    r"""The lower triangle of a symmetric positive definite matrix becomes that of its inverse, in place.

    With rows in blocks, in three passes of :math:`n^3/3` operations each, as LAPACK's: the factor of Cholesky
    :math:`A = L L^\top`, its inverse :math:`W = L^{-1}`, and :math:`A^{-1} = W^\top W`,

    .. math::

        L_{ik} &= \bigl(A_{ik} - \textstyle\sum_{j < k} L_{ij} L_{kj}^\top\bigr) L_{kk}^{-\top}, \\
        W_{kj} &= -L_{kk}^{-1} \textstyle\sum_{j \le m < k} L_{km} W_{mj}, \\
        (A^{-1})_{ij} &= \textstyle\sum_{m \ge i} W_{mi}^\top W_{mj}.

    Beside the matrix it takes 4 bytes a row and row of a block.

    Parameters
    ----------
    matrix : float32 (n, n), C order
        What stands above the diagonal has no meaning, before and after.

    Returns
    -------
    bool
        Whether it is positive definite to this precision; where it is not, `matrix` is left half done.

    References
    ----------
    G. H. Golub and C. F. Van Loan, *Matrix Computations*, 4th edition, 2013, section 4.2.
    """
    rows = list(blocks(len(matrix), BLOCK))
    with one_blas_thread:
        if not all(_factorise(matrix, *block) for block in rows):
            return False
        for step in (_invert_factor, _multiply):
            for block in rows:
                step(matrix, *block)
    return True


def _factorise(matrix: Array, start: int, stop: int) -> bool:
    """The columns [start, stop) of L, those before being done; on the diagonal the inverse of their block of L."""
    from scipy.linalg.lapack import spotrf, strtri

    own, size = matrix[start:stop, :start], stop - start

    def subtract(a: int, b: int) -> None:
        rows, before = matrix[start + a : start + b], matrix[start + a : start + b, :start]
        width = min(a, size)
        add_product(rows[:, start : start + width], before, own[:width].T, -1)
        if a < size:  # on the diagonal
            add_square(rows[:, start + a : start + b], before, -1)

    def divide(a: int, b: int) -> None:
        times_triangle(matrix[stop + a : stop + b, start:stop], inverse.T)

    run_blocks(subtract, len(matrix) - start, TILE)
    factor, failed = spotrf(matrix[start:stop, start:stop].T, lower=0, clean=1)  # LAPACK counts by columns
    if failed or not np.isfinite(factor).all():
        return False
    transposed, failed = strtri(factor, lower=0)
    inverse = np.ascontiguousarray(transposed.T)
    matrix[start:stop, start:stop] = inverse
    run_blocks(divide, len(matrix) - stop, TILE)
    return not failed and bool(np.isfinite(inverse).all())


def _invert_factor(matrix: Array, start: int, stop: int) -> None:
    """The rows [start, stop) of W, those before being done."""
    own, inverse = np.empty((stop - start, start), np.float32), -matrix[start:stop, start:stop]

    def divide(a: int, b: int) -> None:
        own[:, a:b] = matrix[start:stop, a:b]
        triangle_times(inverse, own[:, a:b])

    def multiply(a: int, b: int) -> None:
        rows = matrix[start:stop, a:b]
        rows[:] = own[:, a:b]
        times_triangle(rows, matrix[a:b, a:b])
        add_product(rows, own[:, b:], matrix[b:start, a:b])

    run_blocks(divide, start, TILE)
    run_blocks(multiply, start, TILE)


def _multiply(matrix: Array, start: int, stop: int) -> None:
    """The rows [start, stop) of the inverse, which need those of W from `start` on."""
    triangle, below = matrix[start:stop, start:stop].copy(), matrix[stop:, start:stop]

    def multiply(a: int, b: int) -> None:
        first = max(a - start, 0)  # what is above the diagonal is left out
        rows, left = matrix[start + first : stop, a:b], below[:, first:].T
        triangle_times(triangle[first:, first:].T, rows)
        if a < start:
            add_product(rows, left, matrix[stop:, a:b])
        else:
            width = b - a
            add_square(rows[:width], left[:width])
            add_product(rows[width:], left[width:], left[:width].T)

    run_blocks(multiply, stop, TILE)
