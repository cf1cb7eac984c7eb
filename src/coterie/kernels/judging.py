"""What of answered lists and scores is right: hits in lists, and pairs in the right order."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.parallel import run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

_TASK = 1024  # lists a block
_FEW = 16  # rows of scores a block: each is read once for every relevant item


def find_hits(items: Array, indptr: Array, columns: Array) -> Array:
    """Whether each item of a list is one of the row's columns: bool (n, k).

    Parameters
    ----------
    items : int32 (n, k)
        -1 is no item.
    indptr : int64 (n + 1,), columns : int32 (nnz,)
        Rows of relevant items, increasing.
    """
    hits = np.zeros(items.shape, np.bool_)
    run_blocks(
        lambda start, stop: mark_hits(items[start:stop], indptr[start : stop + 1], columns, hits[start:stop]),
        len(items),
        _TASK,
    )
    return hits


@kernel
def mark_hits(items: Array, indptr: Array, columns: Array, hits: Array) -> None:
    """`find_hits` of some rows; `hits` is False before."""
    for row in range(len(items)):
        for place in range(items.shape[1]):
            item, low, high = items[row, place], indptr[row], indptr[row + 1]
            while low < high:
                middle = (low + high) // 2
                if columns[middle] < item:
                    low = middle + 1
                else:
                    high = middle
            hits[row, place] = low < indptr[row + 1] and columns[low] == item


def pair_shares(scores: Array, relevant: tuple[Array, Array], seen: tuple[Array, Array]) -> Array:
    """The area under the ROC curve of each row, float64 (n,): of all pairs of a relevant item and another one, the
    share in which the relevant one has the larger score, equal scores counting half.

    Parameters
    ----------
    scores : float32 (n, m)
        NaN, where a model has nothing to say, is below every number. Changed: NaN becomes -inf.
    relevant, seen : (int64 (n + 1,), int32 (nnz,))
        Rows of items. What a row has seen is neither relevant nor another item.

    Returns
    -------
    NaN for a row without relevant or without other items.
    """
    out = np.full(len(scores), np.nan)

    def work(start: int, stop: int) -> None:
        np.copyto(scores[start:stop], -np.inf, where=np.isnan(scores[start:stop]))
        share_pairs(
            scores[start:stop], relevant[0][start : stop + 1], relevant[1], seen[0][start : stop + 1], seen[1],
            out[start:stop],
        )  # fmt: skip

    run_blocks(work, len(scores), _FEW)
    return out


@kernel
def share_pairs(
    scores: Array, indptr: Array, columns: Array, seen_indptr: Array, seen_columns: Array, out: Array
) -> None:
    """`pair_shares` of some rows without NaN: halves of pairs won are counted over all items, then taken back for those
    that are no other items (the seen and the relevant ones)."""
    m = scores.shape[1]
    for row in range(len(out)):
        line, first, last = scores[row], indptr[row], indptr[row + 1]
        others = m - (last - first) - (seen_indptr[row + 1] - seen_indptr[row])
        if first == last or others == 0:
            continue
        halves = 0
        for a in range(first, last):
            own, below, level = line[columns[a]], 0, 0
            for item in range(m):
                below += line[item] < own
                level += line[item] == own
            halves += 2 * below + level
            for b in range(seen_indptr[row], seen_indptr[row + 1]):
                score = line[seen_columns[b]]
                halves -= 2 * (score < own) + (score == own)
            for b in range(first, last):
                score = line[columns[b]]
                halves -= 2 * (score < own) + (score == own)
        out[row] = halves / (2.0 * others * (last - first))
