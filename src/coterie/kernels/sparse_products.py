"""Products of a sparse matrix and a dense block, sixteen columns at a time.

A row of sixteen float32 numbers is 64 bytes, one read from memory, so an entry of the sparse matrix costs one read and
one multiply-add, and nothing is gained by the order of the columns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.parallel import equal_work, run_blocks
from coterie.kernels.tiles import NARROW, add_row, fetch_row

Array = np.ndarray[Any, np.dtype[Any]]

# Parts into which rows are cut for a Gram product. Each has a sum of its own and the sums are added in order, so that
# the number of threads does not matter; more threads than parts are of no use.
_PARTS = 8
_ROWS = 1024  # rows a task where rows are independent
# Entries between asking for a row of the block and reading it.
_AHEAD = 8


class Sparse(NamedTuple):
    """Compressed rows of a matrix X (n, n_columns), columns increasing and unique in a row."""

    indptr: Array  # int64 (n + 1,)
    indices: Array  # int32 (nnz,)
    values: Array  # float32 (nnz,)
    n_columns: int

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @classmethod
    def of(cls, indptr: Array, indices: Array, values: Array, n_columns: int) -> Sparse:
        """With the arrays as kernels take them: typed, contiguous and read-only."""
        typed = zip((indptr, indices, values), (np.int64, np.int32, np.float32), strict=True)
        arrays = [np.ascontiguousarray(array, kind).view() for array, kind in typed]
        for array in arrays:
            array.flags.writeable = False
        return cls(arrays[0], arrays[1], arrays[2], n_columns)

    def transposed(self) -> Sparse:
        """The columns as rows."""
        import scipy.sparse as sp

        matrix = sp.csr_matrix((self.values, self.indices, self.indptr), shape=(self.n_rows, self.n_columns)).tocsc()
        return Sparse.of(matrix.indptr, matrix.indices, matrix.data, self.n_rows)


@kernel
def multiply_rows(
    start: int, stop: int, indptr: Array, indices: Array, values: Array, block: Array, out: Array, column: int
) -> None:
    """``out[start:stop, column : column + NARROW] = X[start:stop] @ block``; `block` float32 (n_columns, NARROW)."""
    last = indptr[stop] - 1
    for row in range(start, stop):
        sums = out[row, column : column + NARROW]
        sums[:] = 0
        for a in range(indptr[row], indptr[row + 1]):
            fetch_row(block, indices[min(a + _AHEAD, last)], NARROW)
            add_row(values[a : a + 1], block[indices[a]], sums)


@kernel
def add_gram_product(start: int, stop: int, indptr: Array, indices: Array, values: Array, pairs: Array) -> None:
    """``right += X[start:stop].T @ X[start:stop] @ left``, `pairs` float32 (n_columns, 2 NARROW) being (left, right).

    Side by side, because what one row needs of `left` it then adds to at the same places of `right`.
    """
    product, last = np.empty(NARROW, np.float32), indptr[stop] - 1
    for row in range(start, stop):
        product[:] = 0
        for a in range(indptr[row], indptr[row + 1]):
            fetch_row(pairs, indices[min(a + _AHEAD, last)], 2 * NARROW)
            add_row(values[a : a + 1], pairs[indices[a]], product)
        for a in range(indptr[row], indptr[row + 1]):
            add_row(values[a : a + 1], product, pairs[indices[a], NARROW:])


def aligned(n: int, width: int) -> Array:
    """Zeros, float32 (n, width), from an address at which a row of `NARROW` is read at once."""
    raw = np.zeros(4 * n * width + 64, np.uint8)
    offset = -raw.ctypes.data % 64
    return raw[offset : offset + 4 * n * width].view(np.float32).reshape(n, width)


def times(matrix: Sparse, dense: Array) -> Array:
    """``X @ dense``, float32 (n, k), for `dense` (n_columns, k)."""
    k = dense.shape[1]
    width = -(-k // NARROW) * NARROW
    out = aligned(matrix.n_rows, width)
    block = aligned(matrix.n_columns, NARROW)
    indptr, indices, values, _ = matrix
    for column in range(0, width, NARROW):
        part = dense[:, column : column + NARROW]
        block[:, : part.shape[1]] = part
        block[:, part.shape[1] :] = 0

        def work(start: int, stop: int, column: int = column) -> None:
            multiply_rows(start, stop, indptr, indices, values, block, out, column)

        run_blocks(work, matrix.n_rows, _ROWS)
    return out[:, :k]


class GramProduct:
    """``X.T @ (X @ block)`` in one pass over X, without its transpose."""

    def __init__(self, matrix: Sparse) -> None:
        self.matrix = matrix
        self._bounds = equal_work(matrix.indptr, _PARTS)
        self._pairs = [aligned(matrix.n_columns, 2 * NARROW) for _ in range(_PARTS)]

    def __call__(self, block: Array) -> Array:
        """float32 (n_columns, NARROW), for `block` of the same shape."""
        indptr, indices, values, m = self.matrix

        def work(part: int, _: int) -> None:
            pairs = self._pairs[part]
            pairs[:, :NARROW], pairs[:, NARROW:] = block, 0
            add_gram_product(self._bounds[part], self._bounds[part + 1], indptr, indices, values, pairs)

        run_blocks(work, _PARTS, 1)
        total = np.empty((m, NARROW), np.float32)

        def add(start: int, stop: int) -> None:
            np.sum([pairs[start:stop, NARROW:] for pairs in self._pairs], axis=0, out=total[start:stop])

        run_blocks(add, m, 4096)
        return total
