"""Averages over the nearest raters of an item: the prediction step of user-based filtering."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.heap import push, sort_best_first, worse
from coterie.kernels.jit import kernel

Array = np.ndarray[Any, np.dtype[Any]]


@kernel
def nearest_raters(raters: Array, closeness: Array, near: Array, near_entries: Array) -> int:
    """The entries of `raters` (row numbers) with the largest `closeness` (n,); -inf keeps a row out.

    `near` and `near_entries` (k,) take closeness and places in `raters`, nearest first; ties go to the
    earlier place. Returns how many there are.
    """
    near[:] = -np.inf
    near_entries[:] = len(raters)
    for entry in range(len(raters)):
        close = closeness[raters[entry]]
        if close > -np.inf and worse(near[0], near_entries[0], close, entry):
            push(near, near_entries, close, entry)
    sort_best_first(near, near_entries)
    found = 0
    while found < len(near) and near[found] > -np.inf:
        found += 1
    return found


@kernel
def average_raters(
    items: Array, item_ptr: Array, raters: Array, ratings: Array, closeness: Array, weights: Array,
    center: Array, spread: Array, offset: Array, n_neighbors: int, min_neighbors: int, out: Array,
) -> None:  # fmt: skip
    """For each of `items`, the weighted mean over its nearest raters v of ``(r_v - center_v - offset_i) / spread_v``.

    `out` float32 (len(items),): NaN where fewer than `min_neighbors` raters can be used.
    """
    near, entries = np.empty(n_neighbors, np.float32), np.empty(n_neighbors, np.int64)
    for place in range(len(items)):
        item = items[place]
        first, last = item_ptr[item], item_ptr[item + 1]
        found = nearest_raters(raters[first:last], closeness, near, entries)
        total, weight = 0.0, 0.0
        for c in range(found):
            rater = raters[first + entries[c]]
            w = np.float64(weights[rater])
            total += w * (ratings[first + entries[c]] - center[rater] - offset[item]) / spread[rater]
            weight += abs(w)
        out[place] = total / weight if found >= min_neighbors and weight > 0.0 else np.nan


@kernel
def average_rated(
    items: Array,
    neighbors: Array,
    weights: Array,
    ratings: Array,
    n_neighbors: int,
    min_neighbors: int,
    out: Array,
) -> None:
    """For each of `items`, the weighted mean of the ratings of the nearest items that one profile rated.

    `neighbors` int32 and `weights` (n_items, size) are lists, nearest first, with weight 0 where an entry must
    not be used; `ratings` (n_items,) is NaN where unrated. The first `n_neighbors` rated entries of a list count.
    `out` float32 (len(items),): NaN where there are fewer than `min_neighbors`.
    """
    for place in range(len(items)):
        item = items[place]
        total, weight, found = 0.0, 0.0, 0
        for c in range(neighbors.shape[1]):
            w = np.float64(weights[item, c])
            if w == 0.0:
                continue
            rating = ratings[neighbors[item, c]]
            if not np.isnan(rating):
                total += w * rating
                weight += abs(w)
                found += 1
                if found == n_neighbors:
                    break
        out[place] = total / weight if found >= min_neighbors and weight > 0.0 else np.nan
