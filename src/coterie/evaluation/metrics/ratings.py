r"""Metrics of predicted ratings :math:`\hat r_{ui}`, over all test ratings T with equal weight.

A user's value is the mean over their own test ratings and their weight is how many there are, so that the
weighted mean over users is the mean over ratings and intervals can be drawn over users.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.evaluation.metrics.base import Metric, PerUser, Predictions

Array = np.ndarray[Any, np.dtype[Any]]


def _mean_by_user(predictions: Predictions, losses: Array) -> PerUser:
    counts = np.bincount(predictions.user, minlength=predictions.n_users)
    sums = np.bincount(predictions.user, losses, minlength=predictions.n_users)
    return PerUser(sums / np.maximum(counts, 1), counts.astype(np.float64))


def _errors(predictions: Predictions) -> Array:
    return np.asarray(predictions.predicted, np.float64) - predictions.actual


def squared_error(predictions: Predictions) -> PerUser:
    r"""Mean squared errors of users; RMSE is the root of their mean: :math:`\sqrt{\frac{1}{|T|} \sum_{(u,i) \in T}
    (\hat r_{ui} - r_{ui})^2}`."""
    return _mean_by_user(predictions, _errors(predictions) ** 2)


def absolute_error(predictions: Predictions) -> PerUser:
    r"""Mean absolute errors of users: :math:`\frac{1}{|T|} \sum_{(u,i) \in T} |\hat r_{ui} - r_{ui}|`."""
    return _mean_by_user(predictions, np.abs(_errors(predictions)))


METRICS = (
    Metric("rmse", "rating", squared_error, False, "Root mean squared error", "over ratings", np.sqrt, cut=False),
    Metric("mae", "rating", absolute_error, False, "Mean absolute error", "over ratings", cut=False),
)
