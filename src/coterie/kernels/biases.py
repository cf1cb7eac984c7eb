"""How generous users are and how good items are, by alternating exact solutions: `BiasBaseline` has the formulas."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.kernels.jit import kernel
from coterie.kernels.parallel import equal_work, run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

# Parts into which users are cut. Each has sums by item of its own, which are added in order, so that the number of
# threads does not matter; more threads than parts are of no use.
_PARTS = 8
_TINY = 1e-12  # for items and users without ratings where there is no regularization


def fit_biases(
    indptr: Array, indices: Array, values: Array, item_counts: Array, mean: float,
    user_regularization: float, item_regularization: float, n_iterations: int,
) -> Array:  # fmt: skip
    """Biases of items, float64 (n_items,), after sweeps over items and users, each in one pass over the ratings."""
    totals, sums = np.zeros(len(indptr) - 1), np.zeros((_PARTS, len(item_counts)))
    bounds = equal_work(indptr, _PARTS)

    def residuals(part: int, _: int) -> None:
        add_residuals(bounds[part], bounds[part + 1], indptr, indices, values, mean, totals, sums[part])

    run_blocks(residuals, _PARTS, 1)
    of_items, weights = sums.sum(axis=0), np.maximum(item_counts + item_regularization, _TINY)
    biases = of_items / weights

    def users(part: int, _: int) -> None:
        sums[part] = 0
        add_user_biases(
            bounds[part], bounds[part + 1], indptr, indices, totals, user_regularization, biases, sums[part]
        )

    for _ in range(n_iterations - 1):
        run_blocks(users, _PARTS, 1)
        biases = (of_items - sums.sum(axis=0)) / weights
    return np.asarray(biases)


@kernel
def add_residuals(
    start: int, stop: int, indptr: Array, indices: Array, values: Array, mean: float, totals: Array, sums: Array
) -> None:
    """What ratings are above `mean`, added up for the users [start, stop), in `totals`, and for items, in `sums`."""
    for user in range(start, stop):
        total = 0.0
        for a in range(indptr[user], indptr[user + 1]):
            above = np.float64(values[a]) - mean
            total += above
            sums[indices[a]] += above
        totals[user] = total


@kernel
def add_user_biases(
    start: int, stop: int, indptr: Array, indices: Array, totals: Array, regularization: float,
    biases: Array, sums: Array,
) -> None:  # fmt: skip
    """The best biases of the users [start, stop) for these of items, added to the sums of all the items they rated."""
    for user in range(start, stop):
        first, end = indptr[user], indptr[user + 1]
        left = totals[user]
        for a in range(first, end):
            left -= biases[indices[a]]
        bias = left / max(end - first + regularization, _TINY)
        for a in range(first, end):
            sums[indices[a]] += bias
