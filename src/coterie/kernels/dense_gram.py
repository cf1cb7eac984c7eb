"""A whole Gram matrix XᵀX of sparse columns in one dense array, and triangles made whole.

The products come from the blocks and panels of `coterie.kernels.gram`, whose rows are the columns of X here: what many
of them share is multiplied densely by BLAS, the rest is scattered.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels import gram
from coterie.kernels.jit import kernel
from coterie.kernels.parallel import run_blocks, thread_count

Array = np.ndarray[Any, np.dtype[Any]]

ENTRIES = 500_000  # most entries of a block: popular ones would need large scratch arrays, to no gain in time
TILE = 64  # rows and columns of a triangle that are mirrored at once: 32 KB for both sides


def dense_gram(indptr: Array, columns: Array, values: Array, n: int) -> Array:
    """The lower triangle, diagonal included, of XᵀX for sparse X (m, n), columns increasing in a row.

    X is held once more beside the result, its columns numbered by rank; transposed there is only one block at a time.

    Returns
    -------
    float32 (n, n), C order; what stands above the diagonal means nothing.
    """
    lengths = np.bincount(columns, minlength=n)
    squares = np.bincount(columns, np.square(values, dtype=np.float64), minlength=n)
    order = np.argsort(-lengths, kind="stable").astype(np.int32)
    ranks = np.empty(n, np.int32)
    ranks[order] = np.arange(n, dtype=np.int32)
    out = np.empty((n, n), np.float32)
    # What the products are made of is let go before the other half of `out` is written to, and takes memory.
    store_products(in_ranks(indptr, ranks[columns], values, n), blocks_of_ranks(lengths[order]), order, out)
    run_blocks(lambda start, stop: name_columns(start, stop, order, out), n, TILE)
    run_blocks(lambda start, stop: fetch_rows(start, stop, ranks, out), n, TILE)
    np.einsum("ii->i", out)[:] = squares
    return out


def store_products(listed: tuple[Array, Array, Array], blocks: list[tuple[int, int]], order: Array, out: Array) -> None:
    """The products of each rank with the ranks before it, by rank, at the beginning of its row of `out`."""
    m = len(listed[0]) - 1
    waiting = iter(blocks)  # popular columns first: their blocks need most memory, and `out` takes none until written

    def work(_start: int, _stop: int) -> None:
        counts, slot = np.zeros(m, np.int32), np.full(m, -1, np.int32)
        for start, stop in waiting:
            block = np.arange(-start, stop - start, dtype=np.int32)  # rank `start` is the first row of the block
            ranked = gram.Ranked(block, *rows_of_ranks(start, stop, *listed), *listed)
            for low, high, scores in gram.panels_of_block(start, stop, ranked, counts, slot):
                store_panel(start, stop, low, high, scores, order, out)

    run_blocks(work, max(1, min(thread_count(), len(blocks))), 1)


def in_ranks(indptr: Array, ranks: Array, values: Array, n: int) -> tuple[Array, Array, Array]:
    """Sparse rows sorted by the new numbers of their columns: `column_ptr, ranks, column_values` of `gram.Ranked`."""
    import scipy.sparse as sp

    shape = (len(indptr) - 1, n)
    listed = sp.csr_matrix((values, ranks, indptr), shape=shape, copy=False).tocsc().tocsr()  # sorts in linear time
    return indptr, listed.indices.astype(np.int32, copy=False), listed.data


def blocks_of_ranks(lengths: Array) -> list[tuple[int, int]]:
    """Ranges [start, stop) of ranks with at most `gram.BLOCK` rows, and `ENTRIES` entries where a row has fewer."""
    before = np.concatenate([[0], np.cumsum(lengths)])
    found = []
    start = 0
    while start < len(lengths):
        fit = int(np.searchsorted(before, before[start] + ENTRIES, side="right")) - 1
        stop = min(max(fit, start + 1), start + gram.BLOCK, len(lengths))
        found.append((start, stop))
        start = stop
    return found


@kernel
def rows_of_ranks(
    start: int, stop: int, column_ptr: Array, ranks: Array, column_values: Array
) -> tuple[Array, Array, Array]:
    """The ranks [start, stop) as sparse rows of their own, of what each column lists: indptr, columns, values."""
    n_columns = len(column_ptr) - 1
    indptr, first = np.zeros(stop - start + 1, np.int64), np.empty(n_columns, np.int64)
    for c in range(n_columns):
        end = column_ptr[c + 1]
        first[c] = at = column_ptr[c] + gram.count_before(ranks[column_ptr[c] : end], start)
        while at < end and ranks[at] < stop:
            indptr[ranks[at] - start + 1] += 1
            at += 1
    for row in range(stop - start):
        indptr[row + 1] += indptr[row]
    columns, values = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    cursor = indptr[:-1].copy()
    for c in range(n_columns):
        at, end = first[c], column_ptr[c + 1]
        while at < end and ranks[at] < stop:
            row = ranks[at] - start
            columns[cursor[row]], values[cursor[row]] = c, column_values[at]
            cursor[row] += 1
            at += 1
    return indptr, columns, values


@kernel
def store_panel(start: int, stop: int, low: int, high: int, scores: Array, order: Array, out: Array) -> None:
    """Keep the products of each rank in [start, stop) with the ranks of the panel before it, by rank, in its row."""
    for i in range(max(start, low), stop):
        row, line = out[order[i]], scores[i - start]
        for j in range(low, min(high, i)):
            row[j] = line[j - low]


@kernel
def name_columns(start: int, stop: int, order: Array, out: Array) -> None:
    """Bring what `store_panel` kept by rank to where it belongs in the row.

    What belongs into the other's row, below the diagonal, is fetched by `fetch_rows` later.
    """
    kept = np.empty(stop, np.float32)
    for i in range(start, stop):
        row = out[order[i]]
        for j in range(i):
            kept[j] = row[j]
        for j in range(i):
            row[order[j]] = kept[j]


@kernel
def fetch_rows(start: int, stop: int, ranks: Array, out: Array) -> None:
    """What the rows [start, stop) lack below the diagonal, because the other has the later rank, a tile at a time."""
    width = stop - start
    for first in range(0, stop, width):
        for row in range(max(start, first + 1), stop):
            own, line = ranks[row], out[row]
            for column in range(first, min(first + width, row)):
                if ranks[column] > own:
                    line[column] = out[column, row]


def mirror(triangle: Array, scale: Array) -> None:
    """Make ``T diag(scale)`` of the lower triangle of a symmetric T (n, n), in its place; the diagonal is left."""
    run_blocks(lambda start, stop: mirror_rows(start, stop, triangle, scale), len(triangle), TILE)


@kernel
def mirror_rows(start: int, stop: int, triangle: Array, scale: Array) -> None:
    """`mirror` of the rows [start, stop): what is left of the diagonal goes above it too, a tile at a time."""
    width = stop - start
    for first in range(0, stop, width):
        for row in range(max(start, first + 1), stop):
            own = scale[row]
            for column in range(first, min(first + width, row)):
                value = triangle[row, column]
                triangle[row, column] = value * scale[column]
                triangle[column, row] = value * own
