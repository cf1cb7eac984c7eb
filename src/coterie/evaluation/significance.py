"""How sure is a mean over users: bootstrap intervals, and paired differences between models."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

N_RESAMPLES = 1000
LEVEL = 0.95
# Resampled weights of a block of draws are kept to about this size.
_BLOCK_BYTES = 64 << 20


def bootstrap_means(values: Array, weights: Array, random_state: int = 0, n_resamples: int = N_RESAMPLES) -> Array:
    r"""Weighted means over users drawn with replacement, the same draws for every column (Efron 1979).

    Draw b takes user u :math:`c_{bu}` times; its means are
    :math:`\sum_u c_{bu} w_u v_{uj} \big/ \sum_u c_{bu} w_u`. Because all columns see the same users, the
    difference of two columns is a paired difference.

    Parameters
    ----------
    values : float (n, m)
        Of n users, for m combinations of model and metric.
    weights : float (n,)

    Returns
    -------
    float64 (n_resamples, m)
    """
    n, m = values.shape
    generator = np.random.default_rng(random_state)
    weighted = np.column_stack([values * weights[:, None], weights])  # (n, m + 1)
    means = np.empty((n_resamples, m))
    size = max(1, _BLOCK_BYTES // (8 * n))
    for start in range(0, n_resamples, size):
        stop = min(start + size, n_resamples)
        drawn = generator.integers(0, n, (stop - start, n), np.int32).astype(np.int64)
        drawn += np.arange(stop - start)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)  # (draws, n)
        sums = counts.astype(np.float64) @ weighted
        means[start:stop] = sums[:, :m] / sums[:, m:]
    return means


def interval(draws: Array) -> tuple[float, float]:
    """The middle 95 % of draws (percentile interval)."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
