"""How much better one item is rated than another by those who rated both, and ratings predicted from that."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import kernel

Array = np.ndarray[Any, np.dtype[Any]]


@kernel
def pair_deviations(
    items: Array, item_ptr: Array, raters: Array, item_values: Array, user_ptr: Array, columns: Array, values: Array,
    min_support: int, counts: Array, others: Array, deviations: Array, supports: Array,
) -> int:  # fmt: skip
    """For each of `items`, the other items that at least `min_support` people rated too, in increasing order.

    `others` int32, `deviations` float32 (the mean of what they gave the other less what they gave the item) and
    `supports` int32 are filled from the start with the pairs of one item after another, `counts` (len(items),) with
    how many pairs each item has. The ratings are given by item and by user. Returns the number of pairs.
    """
    n_items = len(item_ptr) - 1
    sums = np.zeros((n_items, 2), np.float32)  # of differences, and how many
    n_pairs = 0
    for place in range(len(items)):
        item = items[place]
        for a in range(item_ptr[item], item_ptr[item + 1]):
            user, own = raters[a], item_values[a]
            for b in range(user_ptr[user], user_ptr[user + 1]):
                pair = sums[columns[b]]
                pair[0] += values[b] - own
                pair[1] += np.float32(1.0)
        sums[item, 1] = 0.0
        before = n_pairs
        for other in range(n_items):
            support = sums[other, 1]
            if support >= min_support:
                others[n_pairs] = other
                deviations[n_pairs] = sums[other, 0] / support
                supports[n_pairs] = np.int32(support)
                n_pairs += 1
            sums[other, 0] = 0.0
            sums[other, 1] = 0.0
        counts[place] = n_pairs - before
    return n_pairs


@kernel
def predict_from_deviations(
    start: int, stop: int, items: Array, starts: Array, rows: Array, row_ptr: Array, columns: Array, ratings: Array,
    indptr: Array, others: Array, deviations: Array, supports: Array, weighted: bool, out: Array,
) -> None:  # fmt: skip
    """Predicted ratings of items ``items[start:stop]`` by profiles: NaN where one rated nothing comparable.

    Pair p is item ``items[k]`` for the p in ``starts[k]:starts[k + 1]`` and the profile ``rows[p]``; the profiles are
    given by rows. `out` float32 (len(rows),) takes the prediction of pair p.
    """
    spread = np.zeros((len(indptr) - 1, 2), np.float32)  # one item's pairs: weight, weight times deviation
    for place in range(start, stop):
        item = items[place]
        for b in range(indptr[item], indptr[item + 1]):
            pair = spread[others[b]]
            w = np.float32(supports[b] if weighted else 1)
            pair[0] = w
            pair[1] = w * deviations[b]
        for p in range(starts[place], starts[place + 1]):
            total, weight = 0.0, 0.0
            for a in range(row_ptr[rows[p]], row_ptr[rows[p] + 1]):
                w, moved = spread[columns[a], 0], spread[columns[a], 1]
                total += w * ratings[a] - moved
                weight += w
            out[p] = total / weight if weight > 0.0 else np.nan
        for b in range(indptr[item], indptr[item + 1]):
            spread[others[b], 0] = 0.0
            spread[others[b], 1] = 0.0


@kernel
def score_from_deviations(
    start: int, stop: int, row_ptr: Array, columns: Array, ratings: Array, indptr: Array, others: Array,
    deviations: Array, supports: Array, weighted: bool, out: Array,
) -> None:  # fmt: skip
    """Predicted ratings, float32 (stop - start, n_items), of all items by the profiles [start, stop), given by rows.

    NaN where a profile rated nothing comparable.
    """
    n_items = len(indptr) - 1
    sums = np.zeros((n_items, 2))  # of weighted opinions, and of weights
    for row in range(start, stop):
        for a in range(row_ptr[row], row_ptr[row + 1]):
            rated, rating = columns[a], ratings[a]
            for b in range(indptr[rated], indptr[rated + 1]):
                w = np.float32(supports[b] if weighted else 1)
                pair = sums[others[b]]
                pair[0] += w * (rating + deviations[b])
                pair[1] += w
        line = out[row - start]
        for item in range(n_items):
            line[item] = sums[item, 0] / sums[item, 1] if sums[item, 1] > 0.0 else np.nan
            sums[item, 0] = 0.0
            sums[item, 1] = 0.0
