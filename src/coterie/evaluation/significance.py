"""How sure is a mean over users: bootstrap intervals, and paired differences between models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from coterie.evaluation.metrics.base import PerUser

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
    weights : float (n,) or (n, m)
        The same for all columns, or of each.

    Returns
    -------
    float64 (n_resamples, m); NaN where a draw has only users of weight 0.
    """
    n, m = values.shape
    generator = np.random.default_rng(random_state)
    own = weights.reshape(n, -1)
    weighted = np.column_stack([values * own, own])  # (n, m + 1) or (n, 2 m)
    means = np.empty((n_resamples, m))
    size = max(1, _BLOCK_BYTES // (8 * n))
    for start in range(0, n_resamples, size):
        stop = min(start + size, n_resamples)
        drawn = generator.integers(0, n, (stop - start, n), np.int32).astype(np.int64)
        drawn += np.arange(stop - start)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)  # (draws, n)
        sums = counts.astype(np.float64) @ weighted
        with np.errstate(invalid="ignore"):  # 0 / 0
            means[start:stop] = sums[:, :m] / sums[:, m:]
    return means


def bootstrap(per_user: Sequence[PerUser], random_state: int = 0) -> list[Array]:
    """The means of one metric over the same draws of users, for each of several models that were asked about the same
    users: float64 (n_resamples,), or (n_resamples, d) where a user has d values."""
    columns = [values.reshape(len(values), -1) for values, _ in per_user]
    weights = per_user[0].weights
    if not all(np.array_equal(of.weights, weights) for of in per_user):
        repeated = zip(per_user, columns, strict=True)
        weights = np.column_stack([np.tile(of.weights[:, None], values.shape[1]) for of, values in repeated])
    means = bootstrap_means(np.column_stack(columns), weights, random_state)
    parts = np.split(means, np.cumsum([values.shape[1] for values in columns])[:-1], axis=1)
    return [part[:, 0] if of.values.ndim == 1 else part for part, of in zip(parts, per_user, strict=True)]


def interval(draws: Array) -> tuple[float, float]:
    """The middle 95 % of draws (percentile interval), of those that have a value."""
    low, high = np.quantile(draws[np.isfinite(draws)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
