"""Walks of three steps on the graph of users and items: from an item to a user to an item."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.heap import push, sort_best_first, worse
from coterie.kernels.jit import kernel
from coterie.kernels.parallel import run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 32  # items a task


def top_k_walks(
    item_ptr: Array, item_users: Array, user_ptr: Array, user_items: Array, steps: Array,
    start_scale: Array, end_scale: Array, k: int,
) -> tuple[Array, Array]:  # fmt: skip
    """For each item i the k other items j with the largest ``start_scale_i (Σ_{u of i} steps_uj) end_scale_j``.

    Parameters
    ----------
    item_ptr, item_users : the users of each item
    user_ptr, user_items, steps : the items of each user and, float32, the non-negative weight of each step to them
    start_scale, end_scale : float64 (n_items,)

    Returns
    -------
    items : int32 (n_items, k), values : float32 (n_items, k)
        Best first, ties by smaller item; -1 and 0 where fewer are reached.
    """
    n = len(item_ptr) - 1
    values, items = np.zeros((n, k), np.float32), np.full((n, k), np.iinfo(np.int32).max, np.int32)

    def work(start: int, stop: int) -> None:
        walk_rows(start, stop, item_ptr, item_users, user_ptr, user_items, steps, start_scale, end_scale, values, items)

    run_blocks(work, n, _BLOCK)
    return items, values


@kernel
def walk_rows(
    start: int, stop: int, item_ptr: Array, item_users: Array, user_ptr: Array, user_items: Array, steps: Array,
    start_scale: Array, end_scale: Array, values: Array, items: Array,
) -> None:  # fmt: skip
    """`top_k_walks` of the items [start, stop); `values` are zero and `items` larger than any item before."""
    n = len(item_ptr) - 1
    reached, sums = np.empty(n, np.int32), np.zeros(n, np.float64)
    for item in range(start, stop):
        best, best_items = values[item], items[item]
        n_reached = 0
        for a in range(item_ptr[item], item_ptr[item + 1]):
            user = item_users[a]
            for b in range(user_ptr[user], user_ptr[user + 1]):
                other = user_items[b]
                if sums[other] == 0 and steps[b] > 0:
                    reached[n_reached] = other
                    n_reached += 1
                sums[other] += steps[b]
        for r in range(n_reached):
            other = reached[r]
            value = np.float32(start_scale[item] * sums[other] * end_scale[other])
            sums[other] = 0
            if other != item and value > 0 and worse(best[0], best_items[0], value, other):
                push(best, best_items, value, other)
        sort_best_first(best, best_items)
        for c in range(len(best)):
            if best[c] == 0:
                best_items[c] = -1
