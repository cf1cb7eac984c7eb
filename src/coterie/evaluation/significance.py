"""How sure is a mean over users: bootstrap intervals, and p-values of paired differences between models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from coterie.errors import ParameterError
from coterie.evaluation.metrics.base import PerUser

Array = np.ndarray[Any, np.dtype[Any]]

N_RESAMPLES = 1000
LEVEL = 0.95
#: A difference whose corrected p-value is above this is within noise.
ALPHA = 0.05
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


def paired_p_value(difference: float, draws: Array, n_users: int) -> float:
    r"""Two-sided p-value of "there is no difference", from a Wald test with the bootstrap's standard error.

    .. math:: t = \frac{d}{s \sqrt{n / (n - 1)}}, \qquad p = 2 \, P(T_{n-1} > |t|)

    d is the difference, s the standard deviation of its bootstrap draws, n the number of users and
    :math:`T_{n-1}` Student's distribution. The root undoes the bootstrap's division by n. For a plain mean over
    users this is the paired t-test up to the chance of the draws, of which Smucker, Allan and Carterette (2007) and
    Urbano, Lima and Hanjalic (2019) found that it keeps its level in such comparisons; unlike the t-test it also
    holds for weighted means and for the root of one, such as RMSE (Wasserman 2004, section 10.1). Unlike the share
    of draws beyond zero it is not a multiple of one in a thousand, which a correction for twenty models needs.

    Parameters
    ----------
    draws : float (n_resamples,)
        The same difference over users drawn with replacement.

    Returns
    -------
    float
        From 0 to 1. Where all draws are alike: 1 without a difference, 0 with one.
    """
    from scipy.special import stdtr

    spread = float(np.std(draws[np.isfinite(draws)], ddof=1))
    if spread == 0:
        return 1.0 if difference == 0 else 0.0
    t = abs(difference) / (spread * np.sqrt(n_users / (n_users - 1)))
    return float(2 * stdtr(n_users - 1, -t))


def holm(p_values: Sequence[float]) -> list[float]:
    r"""P-values corrected for being several (Holm 1979): the chance of even one false alarm stays at the level.

    With the m p-values in increasing order, :math:`\tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1) \, p_{(j)})`.

    Returns
    -------
    list of float
        In the order of `p_values`; none is smaller than what it was.
    """
    p = np.asarray(p_values, np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ParameterError(f"p_values must lie between 0 and 1, not {[float(v) for v in p_values]!r}")
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(len(p), 0, -1)))
    found: list[float] = corrected.tolist()
    return found
