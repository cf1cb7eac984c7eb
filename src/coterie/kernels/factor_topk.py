"""The k best products of factors for many people at once; the matrix of scores never leaves the cache."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from coterie.kernels.heap import push, sort_best_first, worse
from coterie.kernels.jit import kernel
from coterie.kernels.parallel import run_blocks
from coterie.kernels.tiles import SCORE_COLUMNS, SCORE_ROWS, score_block
from coterie.kernels.topk import no_lists

Array = np.ndarray[Any, np.dtype[Any]]

# People whose scores are worked out against the same panels of items while these are in the cache.
_GROUP = 8 * SCORE_ROWS
# Panels of items in such a round.
_CHUNK = 512 // SCORE_COLUMNS
# People a task.
_TASK = 16 * _GROUP
# A bound on a score is raised by this share, which is more than the rounding of the score itself.
_SLACK = np.float32(1e-4)


class Panels(NamedTuple):
    """Items laid out for `top_k_products`: those with the longest vectors first, so that lists fill with good ones
    early and the rest can be passed over.

    Attributes
    ----------
    items : int32 (n_panels * SCORE_COLUMNS,)
        Item row numbers; -1 where the last panel has none.
    factors : float32 (n_panels, d, SCORE_COLUMNS)
    biases : float32 (n_panels, SCORE_COLUMNS)
    lengths, highest : float32 (n_panels,)
        The largest length of an item vector, and the largest bias, in this panel and all after it.
    n_items : int
    """

    items: Array
    factors: Array
    biases: Array
    lengths: Array
    highest: Array
    n_items: int


def pack_items(factors: Array, biases: Array | None, wanted: Array) -> Panels:
    """Lay out the `wanted` (bool (n_items,)) items' factors (n_items, d) and biases (n_items,)."""
    chosen = np.flatnonzero(wanted)
    lengths = np.sqrt(np.einsum("ij,ij->i", factors[chosen], factors[chosen], dtype=np.float64))
    chosen = chosen[np.argsort(-lengths, kind="stable")]
    n, d, width = len(chosen), factors.shape[1], SCORE_COLUMNS
    n_panels = -(-n // width)
    items = np.full(n_panels * width, -1, np.int32)
    items[:n] = chosen
    padded = np.zeros((n_panels * width, d), np.float32)
    padded[:n] = factors[chosen]
    bias = np.zeros(n_panels * width, np.float32)
    if biases is not None:
        bias[:n] = biases[chosen]
    length = np.sqrt(np.einsum("ij,ij->i", padded, padded, dtype=np.float64)).reshape(n_panels, width).max(axis=1)
    bias[n:] = bias[:n].min(initial=0.0)  # what is no item bounds nothing
    highest = bias.reshape(n_panels, width).max(axis=1)
    return Panels(
        items,
        np.ascontiguousarray(padded.reshape(n_panels, width, d).transpose(0, 2, 1)),
        bias.reshape(n_panels, width),
        np.maximum.accumulate(length[::-1])[::-1].astype(np.float32),
        np.maximum.accumulate(highest[::-1])[::-1].copy(),
        factors.shape[0],
    )


def top_k_products(
    people: Array, offsets: Array | None, panels: Panels, k: int, seen: tuple[Array, Array] | None
) -> tuple[Array, Array, Array]:
    """The k items with the largest ``offset + bias + person @ item`` for each person.

    Parameters
    ----------
    people : float32 (n, d)
        A person without factors (all zero) and without an offset gets nothing.
    offsets : float32 (n,) or None
    panels : Panels
    k : int, at least 1
    seen : (int (n + 1,), int32 (nnz,)) or None
        Rows of item row numbers, increasing, that are left out of each person's list.

    Returns
    -------
    indices : int32 (n, k), scores : float32 (n, k), counts : int64 (n,)
        As `topk.top_k_rows`: larger scores first, ties by the smaller item.
    """
    n = len(people)
    indices, values, counts = no_lists(n, panels.n_items, k)
    if not indices.shape[1] or n == 0 or not len(panels.items):
        return indices, values, counts
    indptr, columns = seen if seen is not None else (np.zeros(n + 1, np.int64), np.empty(0, np.int32))
    lengths = np.sqrt(np.einsum("ij,ij->i", people, people, dtype=np.float64)).astype(np.float32)
    silent = np.zeros(n, bool) if offsets is not None else lengths == 0
    people = np.ascontiguousarray(people, np.float32)
    indptr, columns = indptr.astype(np.int64, copy=False), columns.astype(np.int32, copy=False)

    def work(start: int, stop: int) -> None:
        select_products(
            people[start:stop], lengths[start:stop], silent[start:stop], panels.items, panels.factors, panels.biases,
            panels.lengths, panels.highest, indptr[start : stop + 1], columns,
            indices[start:stop], values[start:stop], counts[start:stop],
        )  # fmt: skip

    run_blocks(work, n, _TASK)
    if offsets is not None:
        values += offsets[:, None]
    return indices, values, counts


@kernel
def select_products(
    people: Array, lengths: Array, silent: Array, items: Array, factors: Array, biases: Array, item_lengths: Array,
    highest: Array, indptr: Array, columns: Array, indices: Array, values: Array, counts: Array,
) -> None:  # fmt: skip
    """Fill `indices`, `values` and `counts` for some people; offsets, which rank nothing, are left to the caller."""
    n, d = people.shape
    k = indices.shape[1]
    n_panels = factors.shape[0]
    packed = np.zeros((_GROUP // SCORE_ROWS, d, SCORE_ROWS), np.float32)
    scores = np.empty((SCORE_ROWS, _CHUNK * SCORE_COLUMNS), np.float32)
    unset = np.int32(2147483647)  # ranks behind every item
    for first in range(0, n, _GROUP):
        last = min(first + _GROUP, n)
        for row in range(first, last):
            tile, place = (row - first) // SCORE_ROWS, (row - first) % SCORE_ROWS
            for f in range(d):
                packed[tile, f, place] = people[row, f]
            values[row, :] = -np.inf
            indices[row, :] = unset
        for chunk in range(0, n_panels, _CHUNK):
            end = min(chunk + _CHUNK, n_panels)
            for tile in range((last - first + SCORE_ROWS - 1) // SCORE_ROWS):
                start = first + tile * SCORE_ROWS
                stop = min(start + SCORE_ROWS, last)
                open_ = False
                for row in range(start, stop):
                    bound = lengths[row] * item_lengths[chunk]
                    bound += highest[chunk] + _SLACK * (bound + abs(highest[chunk]))
                    if not silent[row] and bound >= values[row, 0]:
                        open_ = True
                if not open_:
                    continue
                for panel in range(chunk, end):
                    score_block(packed[tile], factors[panel], scores, (panel - chunk) * SCORE_COLUMNS)
                for row in range(start, stop):
                    if not silent[row]:
                        _sift(
                            scores[row - start], chunk, end, items, biases, columns[indptr[row] : indptr[row + 1]],
                            values[row], indices[row],
                        )  # fmt: skip
        for row in range(first, last):
            sort_best_first(values[row], indices[row])
            count = 0
            for place in range(k):
                if values[row, place] > -np.inf:
                    count += 1
                else:
                    indices[row, place] = -1
            counts[row] = count


@kernel
def _sift(
    scores: Array, chunk: int, end: int, items: Array, biases: Array, seen: Array, values: Array, indices: Array
) -> None:
    """Push what of a person's scores in some panels is better than the worst kept."""
    for panel in range(chunk, end):
        at = (panel - chunk) * SCORE_COLUMNS
        bias = biases[panel]
        threshold = values[0]
        hits = 0
        for c in range(SCORE_COLUMNS):
            score = scores[at + c] + bias[c]
            scores[at + c] = score
            hits += score >= threshold
        if hits:
            for c in range(SCORE_COLUMNS):
                score = scores[at + c]
                item = items[panel * SCORE_COLUMNS + c]
                if item >= 0 and worse(values[0], indices[0], score, item) and not _contains(seen, item):
                    push(values, indices, score, item)


@kernel
def _contains(row: Array, item: int) -> bool:
    """Whether an increasing row of numbers has this one."""
    low, high = 0, len(row)
    while low < high:
        middle = (low + high) // 2
        if row[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low < len(row) and row[low] == item
