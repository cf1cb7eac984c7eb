"""A whole Gram matrix X Xᵀ of sparse rows in one dense array, and triangles made whole.

The products come from the blocks and panels of `coterie.kernels.gram`: columns that many rows share are multiplied
densely by BLAS, the rest is scattered.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels import gram
from coterie.kernels.jit import kernel
from coterie.kernels.parallel import run_blocks, thread_count

Array = np.ndarray[Any, np.dtype[Any]]

ENTRIES = 2_000_000  # most entries of a block: the popular rows' scratch arrays would be large
TILE = 64  # rows and columns of a triangle that are mirrored at once: 32 KB for both sides


def dense_gram(indptr: Array, columns: Array, values: Array, n_columns: int) -> Array:
    """The lower triangle, diagonal included, of X Xᵀ for sparse rows X (n, m), columns increasing in a row.

    Returns
    -------
    float32 (n, n), C order; what stands above the diagonal means nothing.
    """
    n = len(indptr) - 1
    out = np.empty((n, n), np.float32)
    ranked = gram.rank_rows(indptr, columns, values, n_columns)
    found = blocks_of_ranks(np.diff(indptr)[ranked.order])
    waiting = iter(found)  # popular rows first: their blocks need most memory, and `out` takes none until written

    def work(_start: int, _stop: int) -> None:
        counts, slot = np.zeros(n_columns, np.int32), np.full(n_columns, -1, np.int32)
        for start, stop in waiting:
            for low, high, scores in gram.panels_of_block(start, stop, ranked, counts, slot):
                store_panel(start, stop, low, high, scores, ranked.order, out)
            name_columns(start, stop, ranked.order, out)

    run_blocks(work, max(1, min(thread_count(), len(found))), 1)
    ranks = np.empty(n, np.int32)
    ranks[ranked.order] = np.arange(n, dtype=np.int32)
    run_blocks(lambda start, stop: fetch_rows(start, stop, ranks, out), n, TILE)
    store_squares(indptr, values, out)
    return out


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


@kernel
def store_squares(indptr: Array, values: Array, out: Array) -> None:
    """Write the sum of squares of each row on the diagonal."""
    for row in range(len(indptr) - 1):
        total = 0.0
        for a in range(indptr[row], indptr[row + 1]):
            total += np.float64(values[a]) * np.float64(values[a])
        out[row, row] = total


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
