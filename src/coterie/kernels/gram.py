"""Top-k of a Gram matrix X Xᵀ without ever holding it: dense columns through BLAS, the rest scattered.

Rows are numbered by rank (longest first) and taken in blocks against panels of the ranks at or before them,
so each pair is computed once and offered to both rows. Within a block a column is *dense* where multiplying
zeros at BLAS speed is cheaper than scattering its entries one by one. A block, its panel of scores and the
panel's dense columns stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from coterie.kernels.heap import push, sort_best_first, worse
from coterie.kernels.jit import inlined, kernel
from coterie.kernels.parallel import run_blocks, thread_count

Array = np.ndarray[Any, np.dtype[Any]]
#: A block of ranks [start, stop) as its products with panels of ranks [low, high): low, high, products.
Panels = Callable[[int, int], Iterator[tuple[int, int, Array]]]
#: Told now and then what share of the work has been done since.
Watch = Callable[[float], None]

BLOCK = 384  # rows a block
PANEL = 1536  # ranks a panel: a block's scores against it are 2.4 MB
CHUNK = 4096  # dense columns multiplied at once
# One scattered entry costs as much as this many multiply-adds in BLAS, and as this many zeros filled.
SCATTER_COST = 140.0
FILL_COST = 8.0
# Neighbour lists of all threads together; more threads than fit are not used.
_LISTS_BYTES = 2 << 30
_TINY = np.float32(1e-30)  # less than any similarity of rows that share something


class Ranked(NamedTuple):
    """A sparse matrix whose rows have ranks by length, longest first (ties by row number)."""

    order: Array  # int32 (n,): row number of each rank
    indptr: Array  # int64 (n + 1,): the rows as they were given
    columns: Array  # int32 (nnz,)
    values: Array  # float32 (nnz,)
    column_ptr: Array  # int64 (m + 1,)
    ranks: Array  # int32 (nnz,): the ranks that have each column, increasing
    column_values: Array  # float32 (nnz,)


def rank_rows(indptr: Array, columns: Array, values: Array, n_columns: int) -> Ranked:
    """Give rows ranks by length and list, for each column, the ranks that have it."""
    order = np.argsort(-np.diff(indptr), kind="stable").astype(np.int32)
    column_ptr = np.zeros(n_columns + 1, np.int64)
    ranks, column_values = np.empty(len(columns), np.int32), np.empty(len(columns), np.float32)
    list_ranks(indptr, columns, values, order, column_ptr, ranks, column_values)
    return Ranked(order, indptr, columns, values, column_ptr, ranks, column_values)


@kernel
def list_ranks(
    indptr: Array, columns: Array, values: Array, order: Array, column_ptr: Array, ranks: Array, column_values: Array
) -> None:
    """Fill `column_ptr` (zero before), `ranks` and `column_values`: a counting sort of the entries by column."""
    for a in range(len(columns)):
        column_ptr[columns[a] + 1] += 1
    for c in range(len(column_ptr) - 1):
        column_ptr[c + 1] += column_ptr[c]
    cursor = column_ptr[:-1].copy()
    for rank in range(len(order)):
        row = order[rank]
        for a in range(indptr[row], indptr[row + 1]):
            at = cursor[columns[a]]
            cursor[columns[a]] = at + 1
            ranks[at], column_values[at] = rank, values[a]


@inlined
def count_before(ranks: Array, stop: int) -> int:
    """How many of the increasing `ranks` are before `stop`."""
    low, high = 0, len(ranks)
    while low < high:
        middle = (low + high) // 2
        if ranks[middle] < stop:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def choose_dense(
    block: Array, indptr: Array, columns: Array, column_ptr: Array, ranks: Array, stop: int,
    counts: Array, slot: Array, scatter_cost: float, fill_cost: float,
) -> Array:  # fmt: skip
    """Columns worth multiplying densely for the rows `block`, whose ranks end at `stop`: int32, increasing.

    Sets `slot` of every column of the block to its number among the chosen, or -1. `counts` int32 (m,) is
    scratch: zero before and after.
    """
    for row in block:
        for a in range(indptr[row], indptr[row + 1]):
            counts[columns[a]] += 1
    chosen = np.empty(len(counts), np.int32)
    n_chosen = 0
    dense_cost = float(stop) * (len(block) + fill_cost)
    for column in range(len(counts)):
        count = counts[column]
        if count == 0:
            continue
        counts[column] = 0
        listed = column_ptr[column + 1] - column_ptr[column]
        if scatter_cost * count * listed > dense_cost:
            listed = count_before(ranks[column_ptr[column] : column_ptr[column + 1]], stop)
        if scatter_cost * count * listed > dense_cost:
            slot[column] = n_chosen
            chosen[n_chosen] = column
            n_chosen += 1
        else:
            slot[column] = -1
    return chosen[:n_chosen]


@kernel
def densify_block(
    block: Array, indptr: Array, columns: Array, values: Array, slot: Array, cursor: Array, low: int, stop: int,
    out: Array,
) -> None:  # fmt: skip
    """`out` (rows, chunk): the block's values in the dense columns before column `stop`, numbered from `low`.

    `cursor` int64 (rows,) is where each row goes on; it moves on to `stop`.
    """
    out[:] = 0
    for line in range(len(block)):
        a, end = cursor[line], indptr[block[line] + 1]
        while a < end and columns[a] < stop:
            if slot[columns[a]] >= 0:
                out[line, slot[columns[a]] - low] = values[a]
            a += 1
        cursor[line] = a


@kernel
def densify_panel(
    chosen: Array, cursor: Array, column_ptr: Array, ranks: Array, column_values: Array, low: int, high: int, out: Array
) -> None:
    """`out` (columns, panel): the dense columns' values at ranks [low, high); `cursor` moves on to `high`."""
    for c in range(len(chosen)):
        line = out[c]
        line[:] = 0
        at, end = cursor[c], column_ptr[chosen[c] + 1]
        while at < end and ranks[at] < high:
            line[ranks[at] - low] = column_values[at]
            at += 1
        cursor[c] = at


@kernel
def scatter_panel(
    block: Array, start: int, indptr: Array, columns: Array, values: Array, slot: Array, cursor: Array,
    column_ptr: Array, ranks: Array, column_values: Array, low: int, high: int, scores: Array,
) -> None:  # fmt: skip
    """Add the sparse columns' products to `scores` (rows, panel); `cursor` (block's entries) moves on to `high`."""
    entry = -1
    for line in range(len(block)):
        row, score = block[line], scores[line]
        before = min(high, start + line)  # only ranks before the row's own
        for a in range(indptr[row], indptr[row + 1]):
            entry += 1
            column = columns[a]
            if slot[column] >= 0:
                continue
            at, end, value = cursor[entry], column_ptr[column + 1], values[a]
            while at < end and ranks[at] < before:
                score[ranks[at] - low] += value * column_values[at]
                at += 1
            cursor[entry] = at


@inlined
def similarity(score: float, size_i: float, size_j: float, jaccard: bool) -> np.float32:
    """Cosine from a dot product and two norms, or Jaccard from an overlap and two lengths."""
    return np.float32(score / (size_i + size_j - score if jaccard else size_i * size_j))


@kernel
def offer_panel(
    start: int, stop: int, low: int, high: int, scores: Array, size: Array, scale: Array, jaccard: bool, order: Array,
    best: Array, best_rows: Array, limit: Array,
) -> None:  # fmt: skip
    """Offer each pair (rank i of the block, earlier rank j of the panel) to both rows' lists of neighbours.

    `size` float64 (n,) are norms or lengths, `scale` float32 (n,) their inverses or themselves. `limit` (n,) is
    the worst similarity that may still enter a row's list. Pairs are first tested in float32, many at a time,
    with a margin for rounding; those few that pass are computed exactly and rounded once, so that equal
    similarities are equal whichever way they were added up.
    """
    step, margin = 32, np.float32(1.00001)
    near = np.empty(step, np.float32)
    for i in range(max(start, low), stop):
        line, scale_i, size_i = scores[i - start], scale[i], size[i]
        own, own_rows = best[i], best_rows[i]
        for first in range(low, min(high, i), step):
            width = min(step, min(high, i) - first)
            for c in range(width):
                score = line[first - low + c]
                other = scale[first + c]
                near[c] = margin * (score / max(scale_i + other - score, _TINY) if jaccard else score * scale_i * other)
            own_limit = limit[i]
            hits = 0
            for c in range(width):
                hits += (near[c] >= limit[first + c]) | (near[c] >= own_limit)
            if hits == 0:
                continue
            for c in range(width):
                j = first + c
                if near[c] < limit[i] and near[c] < limit[j]:
                    continue
                value = similarity(np.float64(line[j - low]), size_i, size[j], jaccard)
                if value >= limit[i] and worse(own[0], own_rows[0], value, order[j]):
                    push(own, own_rows, value, order[j])
                    limit[i] = max(own[0], limit[i])
                if value >= limit[j] and worse(best[j, 0], best_rows[j, 0], value, order[i]):
                    push(best[j], best_rows[j], value, order[i])
                    limit[j] = max(best[j, 0], limit[j])


@kernel
def merge_lists(
    start: int, stop: int, lists: Array, lists_rows: Array, order: Array, out: Array, out_rows: Array
) -> None:
    """Merge all threads' lists (t, n, k) of the ranks [start, stop) into `out` (n, k) by row number, best first."""
    n_threads, _, k = lists.shape
    for rank in range(start, stop):
        best, rows = lists[0, rank], lists_rows[0, rank]
        for t in range(1, n_threads):
            for c in range(k):
                value, row = lists[t, rank, c], lists_rows[t, rank, c]
                if value > 0 and worse(best[0], rows[0], value, row):
                    push(best, rows, value, row)
        sort_best_first(best, rows)
        for c in range(k):
            out[order[rank], c] = best[c]
            out_rows[order[rank], c] = rows[c] if best[c] > 0 else -1


def top_k_gram(
    indptr: Array, columns: Array, values: Array, n_columns: int, size: Array, jaccard: bool, k: int,
    watch: Watch = lambda more: None,
) -> tuple[Array, Array]:  # fmt: skip
    """The k most similar other rows of each row of a sparse non-negative matrix X (n, m), columns increasing in a row.

    ``s_ij = (X Xᵀ)_ij / (size_i size_j)``, the cosine where `size` (n,) are the norms; or with `jaccard`, for X
    of ones and the row lengths as `size`, ``s_ij = c / (size_i + size_j - c)`` with ``c = (X Xᵀ)_ij``. Pairs
    with nothing in common are never neighbours. `watch` is as for `nearest_of_pairs`.

    Returns
    -------
    rows : int32 (n, k), similarities : float32 (n, k)
        Best first, ties by smaller row number; -1 and 0 where a row has fewer neighbours.
    """
    n = len(indptr) - 1
    ranked = rank_rows(indptr, columns, values, n_columns)
    size = size.astype(np.float64)[ranked.order]
    scale = size if jaccard else np.divide(1.0, size, out=np.zeros(n), where=size > 0)
    scale = scale.astype(np.float32)

    def pairs() -> Panels:
        counts, slot = np.zeros(n_columns, np.int32), np.full(n_columns, -1, np.int32)
        return lambda start, stop: panels_of_block(start, stop, ranked, counts, slot)

    return nearest_of_pairs(pairs, n, k, ranked.order, size, scale, jaccard, watch=watch)


def nearest_of_pairs(
    pairs: Callable[[], Panels], n: int, k: int, order: Array, size: Array, scale: Array, jaccard: bool, first: int = 0,
    watch: Watch = lambda more: None,
) -> tuple[Array, Array]:  # fmt: skip
    """The k nearest others of each of n rows, from the products of blocks of ranks with the ranks before them.

    Parameters
    ----------
    pairs : callable
        Makes what one thread needs: a function of a block [start, stop) of ranks that yields its panels, as
        `panels_of_block` does.
    order, size, scale, jaccard
        As in `offer_panel`.
    first : int
        Pairs of two ranks before this one are left out.
    watch : callable
        Told now and then what share of the pairs has been looked at since.

    Returns
    -------
    rows : int32 (n, k), similarities : float32 (n, k)
        As `top_k_gram` gives them.
    """
    n_blocks = -(-(n - first) // BLOCK)
    n_threads = max(1, min(thread_count(), n_blocks, _LISTS_BYTES // max(1, n * k * 8)))
    lists = np.zeros((n_threads, n, k), np.float32)
    lists_rows = np.full((n_threads, n, k), np.iinfo(np.int32).max, np.int32)
    limit = np.full(n, _TINY, np.float32)
    waiting = iter(range(n_blocks - 1, -1, -1))  # the longest panels first, so that threads end together

    def work(thread: int, _: int) -> None:
        panels = pairs()
        for block in waiting:
            start = first + block * BLOCK
            stop = min(start + BLOCK, n)
            for low, high, scores in panels(start, stop):
                offer_panel(
                    start, stop, low, high, scores, size, scale, jaccard, order,
                    lists[thread], lists_rows[thread], limit,
                )  # fmt: skip
            watch((stop**2 - start**2) / (n**2 - first**2))

    run_blocks(work, n_threads, 1)
    out, out_rows = np.empty((n, k), np.float32), np.empty((n, k), np.int32)
    run_blocks(lambda a, b: merge_lists(a, b, lists, lists_rows, order, out, out_rows), n, 4096)
    return out_rows, out


def merge_nearest(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
    """The k best of two sets of lists as `top_k_gram` gives them, of different pairs of the same n rows."""
    values = np.stack([part[1][:, ::-1] for part in (one, other)])  # the worst first: a heap
    rows = np.stack([part[0][:, ::-1] for part in (one, other)])
    rows[rows < 0] = np.iinfo(np.int32).max
    n, k = one[0].shape
    order = np.arange(n, dtype=np.int32)
    out, out_rows = np.empty((n, k), np.float32), np.empty((n, k), np.int32)
    run_blocks(lambda a, b: merge_lists(a, b, values, rows, order, out, out_rows), n, 4096)
    return out_rows, out


def panels_of_block(
    start: int, stop: int, ranked: Ranked, counts: Array, slot: Array
) -> Iterator[tuple[int, int, Array]]:
    """Dot products of the ranks [start, stop) with those of each panel of ranks [low, high): low, high, products.

    The products are float32 (stop - start, high - low). Only those of a rank with the ranks before it are right;
    the next panel overwrites them. `counts` int32 (m,), zero before and after, and `slot` int32 (m,) are scratch.
    """
    order, indptr, columns, values, column_ptr, ranks, column_values = ranked
    block = order[start:stop]
    chosen = choose_dense(block, indptr, columns, column_ptr, ranks, stop, counts, slot, SCATTER_COST, FILL_COST)
    dense_cursor = column_ptr[chosen]
    chunks = [(c, min(c + CHUNK, len(chosen))) for c in range(0, len(chosen), CHUNK)]
    left = [np.empty((len(block), c1 - c0), np.float32) for c0, c1 in chunks]
    row_cursor = indptr[block]
    for (c0, c1), part in zip(chunks, left, strict=True):
        column_stop = chosen[c1] if c1 < len(chosen) else len(slot)
        densify_block(block, indptr, columns, values, slot, row_cursor, c0, column_stop, part)
    cursor = column_ptr[np.concatenate([columns[indptr[row] : indptr[row + 1]] for row in block])]
    buffers = [np.empty(lines * PANEL, np.float32) for lines in (min(CHUNK, len(chosen)), len(block), len(block))]
    for low in range(0, stop, PANEL):
        high = min(low + PANEL, stop)
        right, scores, product = (b[: len(b) // PANEL * (high - low)].reshape(-1, high - low) for b in buffers)
        if not chunks:
            scores[:] = 0
        for number, (c0, c1) in enumerate(chunks):
            panel = right[: c1 - c0]
            densify_panel(chosen[c0:c1], dense_cursor[c0:c1], column_ptr, ranks, column_values, low, high, panel)
            np.matmul(left[number], panel, out=product if number else scores)
            if number:
                scores += product
        scatter_panel(
            block, start, indptr, columns, values, slot, cursor, column_ptr, ranks, column_values, low, high, scores
        )
        yield low, high, scores
