r"""Metrics of predicted ratings :math:`\hat r_{ui}`, over all test ratings T with equal weight.

A user's value is the mean over their own test ratings and their weight is how many there are, so that the
weighted mean over users is the mean over ratings and intervals can be drawn over users. What is no mean over ratings,
as R², follows from several that are.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from coterie.evaluation.metrics.base import Metric, PerUser, Predictions

Array = np.ndarray[Any, np.dtype[Any]]

# Central intervals that should hold these shares of the ratings, and how many deviations they reach to either side.
_LEVELS = np.arange(1, 10) / 10
_BOUNDS = np.array([NormalDist().inv_cdf((1 + level) / 2) for level in _LEVELS])


def _mean_by_user(predictions: Predictions, losses: Array, of: Array | None = None) -> PerUser:
    """Means over each user's ratings, or those of them that `of` (bool (m,)) names, of `losses` (m,) or (m, d)."""
    user = predictions.user
    if of is not None:
        user, losses = user[of], losses[of]
    counts = np.bincount(user, minlength=predictions.n_users)
    columns = losses if losses.ndim == 2 else losses[:, None]
    sums = np.column_stack([np.bincount(user, column, predictions.n_users) for column in columns.T])
    means = sums / np.maximum(counts, 1)[:, None]
    return PerUser(means if losses.ndim == 2 else means[:, 0], counts.astype(np.float64))


def _errors(predictions: Predictions) -> Array:
    return np.asarray(predictions.predicted, np.float64) - predictions.actual


def squared_error(predictions: Predictions) -> PerUser:
    r"""Mean squared errors of users; RMSE is the root of their mean: :math:`\sqrt{\frac{1}{|T|} \sum_{(u,i) \in T}
    (\hat r_{ui} - r_{ui})^2}`."""
    return _mean_by_user(predictions, _errors(predictions) ** 2)


def absolute_error(predictions: Predictions) -> PerUser:
    r"""Mean absolute errors of users: :math:`\frac{1}{|T|} \sum_{(u,i) \in T} |\hat r_{ui} - r_{ui}|`."""
    return _mean_by_user(predictions, np.abs(_errors(predictions)))


def variance_explained(predictions: Predictions) -> PerUser:
    r"""Users' means of what :math:`R^2 = 1 - \sum_{(u,i) \in T} (\hat r_{ui} - r_{ui})^2 \Big/ \sum_{(u,i) \in T}
    (r_{ui} - \bar r)^2` follows from: squared errors, ratings and squared ratings.

    :math:`\bar r` is the mean of the test ratings: of all of them, of a group of users, or of a draw of the bootstrap.
    So 0 is what somebody would reach who knew that mean and nothing else; 1 is perfect, and below 0 is worse than that.
    """
    actual = np.asarray(predictions.actual, np.float64)
    centred = actual - actual.mean() if len(actual) else actual  # any shift cancels; this one keeps the digits
    return _mean_by_user(predictions, np.column_stack([_errors(predictions) ** 2, centred, centred**2]))


def _share_explained(means: Array) -> Array:
    """R² of means (..., 3); NaN where all ratings are equal."""
    variance = means[..., 2] - means[..., 1] ** 2
    varied = variance > 1e-12 * means[..., 2]
    left = np.full(np.shape(variance), np.nan)
    np.divide(means[..., 0], variance, out=left, where=varied)
    return np.asarray(1 - left)


def rating_coverage(predictions: Predictions) -> PerUser:
    r"""Share of the test ratings that the model answered: :math:`|\{(u, i) \in T : \hat r_{ui} \text{ exists}\}| \,/\,
    |T|`. In the other metrics the mean of the training ratings stands in for the rest."""
    answered = predictions.answered
    return _mean_by_user(predictions, np.ones(len(predictions.user)) if answered is None else answered.astype(float))


def deviation_calibration(predictions: Predictions) -> PerUser:
    r"""How far predicted deviations :math:`\sigma_{ui}` are from telling the truth: :math:`\frac19 \sum_p | p - c_p |`
    over :math:`p = 0.1, \dots, 0.9`, with the share of ratings inside a central interval of the level p,
    :math:`c_p = \frac{1}{|T|} \sum_{(u,i) \in T} [\, |r_{ui} - \hat r_{ui}| \le z_p \sigma_{ui} ]`; a normal
    distribution has the share p within :math:`z_p` deviations of its mean.

    The curve of shares inside intervals against their nominal levels is that of Kuleshov, Fenner and Ermon, "Accurate
    uncertainties for deep learning using calibrated regression", ICML 2018. They square its distances from the
    diagonal, over one-sided intervals; here intervals are central, and distances absolute, so that 0.05 reads as five
    points of a hundred on average. 0 is perfect. Ratings are whole or half stars, and predictions are cut at the ends
    of the scale, so that no model comes to 0 exactly. Only ratings with a prediction and a deviation count; a model
    without deviations has no value. Chance adds to absolute distances, so near 0 the interval lies above the value.
    """
    deviations = predictions.deviations
    if deviations is None:
        return PerUser(np.zeros((predictions.n_users, len(_LEVELS))), np.zeros(predictions.n_users))
    told = np.isfinite(deviations)
    if predictions.answered is not None:
        told &= predictions.answered
    inside = np.abs(_errors(predictions))[:, None] <= _BOUNDS * np.where(told, deviations, 0)[:, None]
    return _mean_by_user(predictions, inside.astype(np.float64), told)


def _distance_from_levels(shares: Array) -> Array:
    """Of shares (..., 9)."""
    return np.asarray(np.abs(shares - _LEVELS).mean(axis=-1))


METRICS = (
    Metric("rmse", "rating", squared_error, False, "Root mean squared error", "over ratings", np.sqrt, cut=False),
    Metric("mae", "rating", absolute_error, False, "Mean absolute error", "over ratings", cut=False),
    Metric(
        "r2", "rating", variance_explained, True, "Share of variance explained (R²)",
        "over ratings, against the mean of the test ratings", _share_explained, cut=False,
    ),
    Metric(
        "rating_coverage", "rating", rating_coverage, True, "Share of ratings predicted", "over ratings", cut=False
    ),
    Metric(
        "deviation_calibration", "rating", deviation_calibration, False, "Calibration error of predicted deviations",
        "mean absolute distance of shares inside central intervals from nine levels", _distance_from_levels, cut=False,
        needs=frozenset({"deviations"}),
    ),
)  # fmt: skip
