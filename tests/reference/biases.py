"""Slow twin of `coterie.kernels.biases`: the formulas of `BiasBaseline`, over dense rows with NaN for unrated."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def item_biases(dense: Array, mean: float, user_regularization: float, item_regularization: float, n: int) -> Array:
    """Biases of items after n sweeps, items first."""
    above = dense.astype(np.float64) - mean
    rated = ~np.isnan(dense)
    of_users, of_items = np.zeros(dense.shape[0]), np.zeros(dense.shape[1])
    for _ in range(n):
        for i in range(dense.shape[1]):
            left = [above[u, i] - of_users[u] for u in range(len(dense)) if rated[u, i]]
            of_items[i] = sum(left) / max(item_regularization + len(left), 1e-12)
        for u in range(dense.shape[0]):
            left = [above[u, i] - of_items[i] for i in range(dense.shape[1]) if rated[u, i]]
            of_users[u] = sum(left) / max(user_regularization + len(left), 1e-12)
    return of_items
