"""The k best entries of each row of a dense block of scores: larger first, ties by smaller column."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# Up to this many rows NumPy answers, so that serving one person never waits for a compiler.
_FEW_ROWS = 16
# Entries in a group of those of a long row, far from one another.
_GROUP = 64


def top_k_rows(scores: Array, k: int) -> tuple[Array, Array, Array]:
    """The k best finite entries of each row.

    Parameters
    ----------
    scores : float32 (n, m)
        NaN and -inf mark entries that must not be returned.
    k : int, at least 1

    Returns
    -------
    indices : int32 (n, k), scores : float32 (n, k), counts : int64 (n,)
        Row r has ``counts[r]`` valid entries, best first; the rest is -1 and -inf.
    """
    indices, values, counts = no_lists(len(scores), scores.shape[1], k)
    k = indices.shape[1]
    if k == 0:
        return indices, values, counts
    if len(scores) <= _FEW_ROWS:
        for row in range(len(scores)):
            best = top_k_row(scores[row], k)
            counts[row] = len(best)
            indices[row, : len(best)] = best
            values[row, : len(best)] = scores[row, best]
    else:
        from coterie.kernels.topk_loops import select_rows

        select_rows(scores, indices, values, counts)
    return indices, values, counts


def no_lists(n: int, m: int, k: int) -> tuple[Array, Array, Array]:
    """What `top_k_rows` gives for n rows of m entries that have nothing to return; to be filled."""
    k = min(k, m)
    return np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32), np.zeros(n, np.int64)


def top_k_row(scores: Array, k: int) -> Array:
    """Columns of the k best finite entries of one row (float32 (m,)), by NumPy alone."""
    candidates = _candidates(scores, k)
    values = np.fmax(scores[candidates], np.float32(-np.inf))  # NaN is out
    k = min(k, int(np.count_nonzero(values > -np.inf)))
    if k == 0:
        return np.empty(0, np.int64)
    threshold = np.partition(values, -k)[-k]
    above = candidates[values > threshold]
    level = candidates[values == threshold][: k - len(above)]
    chosen = np.concatenate([above, level])
    return chosen[np.lexsort((chosen, -scores[chosen]))]


def _candidates(scores: Array, k: int) -> Array:
    """Columns, increasing, that have the k best entries among them.

    The k-th best of the maxima of groups is at most the k-th best entry, so that less than it is out of the question.
    """
    groups = len(scores) // _GROUP
    if groups <= 2 * k:
        return np.arange(len(scores))
    maxima = np.fmax.reduce(scores[: groups * _GROUP].reshape(_GROUP, groups), axis=0, initial=-np.inf)
    return np.flatnonzero(scores >= np.partition(maxima, -k)[-k])
