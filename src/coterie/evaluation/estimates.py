"""What a metric says of each model: its value, how sure it is, and how far it is from the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coterie.evaluation.evaluate import Answers
from coterie.evaluation.metrics import Measure, Predictions, Ranking
from coterie.evaluation.significance import bootstrap_means, interval

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Estimate:
    """One metric of one model.

    Attributes
    ----------
    value : float
    low, high : float or None
        95 % bootstrap interval over users; None for metrics of the whole catalogue and for a single user.
    difference, difference_low, difference_high : float or None
        This model less the best one by this metric, over the same draws of users; None for the best one.
    """

    value: float
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None

    @property
    def within_noise(self) -> bool:
        """Whether the difference to the best model may as well be nothing: its interval has 0, or there is none."""
        if self.difference_low is None or self.difference_high is None:
            return True
        return self.difference_low <= 0 <= self.difference_high

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.4f}"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def estimates(measure: Measure, answers: Mapping[str, Answers], random_state: int) -> dict[str, Estimate]:
    """The measure of every model that can be asked for it, with intervals, and differences to the best."""
    asked = {label: a for label, found in answers.items() if (a := _asked(found, measure)) is not None}
    if not asked:
        return {}
    values = {label: measure.value(a) for label, a in asked.items()}
    best = (max if measure.metric.larger_is_better else min)(values, key=lambda label: values[label])
    draws = {} if measure.metric.kind == "catalogue" else _draws(measure, asked, random_state)
    return {label: _estimate(label, best, values, draws) for label in asked}


def _asked(answers: Answers, measure: Measure) -> Ranking | Predictions | None:
    return answers.predictions if measure.metric.kind == "rating" else answers.ranking


def _draws(measure: Measure, answers: Mapping[str, Ranking | Predictions], random_state: int) -> dict[str, Array]:
    """The measure of every model over the same draws of users; nothing where there is only one user to draw."""
    of_users = {label: measure.per_user(a) for label, a in answers.items()}
    weights = next(iter(of_users.values())).weights  # how many were asked for is the same for all models
    if len(weights) < 2:
        return {}
    columns = np.column_stack([per_user.values for per_user in of_users.values()])  # (n_users, n_models)
    means = measure.metric.finish(bootstrap_means(columns, weights, random_state))
    return dict(zip(of_users, means.T, strict=True))


def _estimate(label: str, best: str, values: Mapping[str, float], draws: Mapping[str, Array]) -> Estimate:
    value = values[label]
    low, high = interval(draws[label]) if draws else (None, None)
    if label == best:
        return Estimate(value, low, high)
    least, most = interval(draws[label] - draws[best]) if draws else (None, None)
    return Estimate(value, low, high, value - values[best], least, most)
