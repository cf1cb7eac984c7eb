"""A whole Gram matrix XᵀX of sparse columns in one dense array, and triangles made whole.

Columns of X are numbered by rank, the longest first, and are taken in blocks: to `coterie.kernels.gram`, whose kernels
are used here, they are rows, and the rows of X columns. What many of a block share is multiplied densely by BLAS,
the rest is scattered over whole rows of the result, which are at hand here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels import gram
from coterie.kernels.jit import kernel
from coterie.kernels.parallel import run_blocks, thread_count

Array = np.ndarray[Any, np.dtype[Any]]

ENTRIES = 1_000_000  # most entries of a block, 12 bytes each
ROWS = 4096  # rows of X that are sorted at once
SCATTER_COST = 60.0  # as in `coterie.kernels.gram`; whole rows are scattered over faster than panels
TILE = 64  # rows and columns of a triangle that are mirrored at once: 32 KB for both sides


def dense_gram(indptr: Array, columns: Array, values: Array, n: int) -> Array:
    """The lower triangle, diagonal included, of XᵀX for sparse X (m, n), columns increasing in a row.

    X is held once more beside the result, its columns numbered by rank; transposed there is only one block at a time.

    Returns
    -------
    float32 (n, n), C order; what stands above the diagonal means nothing.
    """
    lengths, squares = np.zeros(n, np.int64), np.zeros(n, np.float64)
    sum_columns(columns, values, lengths, squares)
    order = np.argsort(-lengths, kind="stable").astype(np.int32)
    ranks = np.empty(n, np.uint16 if n <= 1 << 16 else np.int32)  # they are read again and again
    ranks[order] = np.arange(n)
    out = np.empty((n, n), np.float32)
    # What the products are made of is let go before the other half of `out` is written to, and takes memory.
    store_products(in_ranks(indptr, columns, values, ranks), blocks_of_ranks(lengths[order]), order, out)
    run_blocks(lambda start, stop: name_columns(start, stop, order, out), n, TILE)
    run_blocks(lambda start, stop: fetch_rows(start, stop, ranks, out), n, TILE)
    np.einsum("ii->i", out)[:] = squares
    return out


@kernel
def sum_columns(columns: Array, values: Array, lengths: Array, squares: Array) -> None:
    """Count the entries of each column, and add up their squares."""
    for a in range(len(columns)):
        lengths[columns[a]] += 1
        squares[columns[a]] += np.float64(values[a]) * np.float64(values[a])


def in_ranks(indptr: Array, columns: Array, values: Array, ranks: Array) -> tuple[Array, Array, Array]:
    """Sparse rows sorted by the ranks of their columns: `column_ptr, ranks, column_values` of `gram.Ranked`."""
    listed, listed_values = np.empty(len(columns), ranks.dtype), np.empty(len(columns), np.float32)

    def sort(start: int, stop: int) -> None:
        sort_rows(start, stop, indptr, columns, values, ranks, listed, listed_values)

    run_blocks(sort, len(indptr) - 1, ROWS)
    return indptr, listed, listed_values


@kernel
def sort_rows(
    start: int, stop: int, indptr: Array, columns: Array, values: Array, ranks: Array, listed: Array,
    listed_values: Array,
) -> None:  # fmt: skip
    """Sort the entries of the rows [start, stop) by rank: counted into ranks, and from there back into rows."""
    first, last = indptr[start], indptr[stop]
    ends = np.zeros(len(ranks) + 1, np.int64)
    for a in range(first, last):
        ends[ranks[columns[a]] + 1] += 1
    for rank in range(len(ranks)):
        ends[rank + 1] += ends[rank]
    rows, kept = np.empty(last - first, np.int32), np.empty(last - first, np.float32)
    for row in range(start, stop):
        for a in range(indptr[row], indptr[row + 1]):
            at = ends[ranks[columns[a]]]
            ends[ranks[columns[a]]] = at + 1  # where the rank begins becomes where it ends
            rows[at], kept[at] = row - start, values[a]
    cursor = indptr[start:stop].copy()
    at = 0
    for rank in range(len(ranks)):
        while at < ends[rank]:
            to = cursor[rows[at]]
            cursor[rows[at]] = to + 1
            listed[to], listed_values[to] = rank, kept[at]
            at += 1


def store_products(listed: tuple[Array, Array, Array], blocks: list[tuple[int, int]], order: Array, out: Array) -> None:
    """The products of each rank with the ranks before it, by rank, at the beginning of its row of `out`."""
    m = len(listed[0]) - 1
    waiting = iter(blocks)  # each thread meets its blocks in the order of ranks, as `rows_of_ranks` wants

    def work(_start: int, _stop: int) -> None:
        counts, slot, cursor = np.zeros(m, np.int32), np.full(m, -1, np.int32), listed[0][:-1].copy()
        for start, stop in waiting:
            store_block(start, stop, listed, counts, slot, cursor, order, out)

    run_blocks(work, max(1, min(thread_count(), len(blocks))), 1)


def store_block(
    start: int, stop: int, listed: tuple[Array, Array, Array], counts: Array, slot: Array, cursor: Array, order: Array,
    out: Array,
) -> None:  # fmt: skip
    """`store_products` of the ranks [start, stop). `counts` and `slot` are those of `gram.choose_dense`."""
    column_ptr, ranks, column_values = listed
    indptr, columns, values, places = rows_of_ranks(start, stop, *listed, cursor)
    block = np.arange(stop - start, dtype=np.int32)
    chosen = gram.choose_dense(
        block, indptr, columns, column_ptr, ranks, stop, counts, slot, SCATTER_COST, gram.FILL_COST
    )
    scatter_rows(start, indptr, columns, values, places, slot, *listed, order, out)
    entry, buffer = indptr[:-1].copy(), np.empty(min(gram.CHUNK, len(chosen)) * gram.PANEL, np.float32)
    for first in range(0, len(chosen), gram.CHUNK):
        some = chosen[first : first + gram.CHUNK]
        end = chosen[first + gram.CHUNK] if first + gram.CHUNK < len(chosen) else len(slot)
        left = np.empty((len(block), len(some)), np.float32)
        gram.densify_block(block, indptr, columns, values, slot, entry, first, end, left)
        at = column_ptr[some]
        for low in range(0, stop, gram.PANEL):
            high = min(low + gram.PANEL, stop)
            right = buffer[: len(some) * (high - low)].reshape(len(some), high - low)
            gram.densify_panel(some, at, column_ptr, ranks, column_values, low, high, right)
            add_panel(start, stop, low, high, left @ right, order, out)


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
    start: int, stop: int, column_ptr: Array, ranks: Array, column_values: Array, cursor: Array
) -> tuple[Array, Array, Array, Array]:
    """The ranks [start, stop) as sparse rows of their own, of what each column lists: indptr, columns, values, places.

    Places are where in the column's list an entry is. `cursor` int64 (m,) is where in each list a rank from `start` on
    is looked for; it moves on to `stop`.
    """
    n_columns = len(column_ptr) - 1
    indptr = np.zeros(stop - start + 1, np.int64)
    for c in range(n_columns):
        at, end = cursor[c], column_ptr[c + 1]
        while at < end and ranks[at] < start:
            at += 1
        cursor[c] = at
        while at < end and ranks[at] < stop:
            indptr[ranks[at] - start + 1] += 1
            at += 1
    for row in range(stop - start):
        indptr[row + 1] += indptr[row]
    n = indptr[-1]
    columns, values, places = np.empty(n, np.int32), np.empty(n, np.float32), np.empty(n, np.int32)
    free = indptr[:-1].copy()
    for c in range(n_columns):
        at, end = cursor[c], column_ptr[c + 1]
        while at < end and ranks[at] < stop:
            to = free[ranks[at] - start]
            free[ranks[at] - start] = to + 1
            columns[to], values[to], places[to] = c, column_values[at], at - column_ptr[c]
            at += 1
        cursor[c] = at
    return indptr, columns, values, places


@kernel
def scatter_rows(
    start: int, indptr: Array, columns: Array, values: Array, places: Array, slot: Array, column_ptr: Array,
    ranks: Array, column_values: Array, order: Array, out: Array,
) -> None:  # fmt: skip
    """Set the products of each rank of a block with the ranks before it to what the columns without a slot give."""
    for line in range(len(indptr) - 1):
        row = out[order[start + line]]
        row[: start + line] = 0
        for a in range(indptr[line], indptr[line + 1]):
            if slot[columns[a]] >= 0:
                continue
            first, value = column_ptr[columns[a]], values[a]
            for at in range(first, first + places[a]):
                row[ranks[at]] += value * column_values[at]


@kernel
def add_panel(start: int, stop: int, low: int, high: int, products: Array, order: Array, out: Array) -> None:
    """Add a panel's products (rows, panel) of each rank in [start, stop) with the ranks before it."""
    for i in range(max(start, low), stop):
        row, line = out[order[i]], products[i - start]
        for j in range(low, min(high, i)):
            row[j] += line[j - low]


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
