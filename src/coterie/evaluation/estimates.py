"""What a metric says of each model: its value, how sure it is, and how far it is from the best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coterie.evaluation.evaluate import Answers
from coterie.evaluation.metrics import Measure, PerUser, Predictions, Ranking
from coterie.evaluation.significance import bootstrap, interval

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
    """The measure of every model that has a value of it, with intervals, and differences to the best."""
    asked = {label: a for label, found in answers.items() if (a := _asked(found, measure)) is not None}
    whole = measure.metric.kind == "catalogue"
    per_user = {} if whole else {label: measure.per_user(a) for label, a in asked.items()}
    values = {label: measure.value(a) if whole else measure.over(per_user[label]) for label, a in asked.items()}
    values = {label: value for label, value in values.items() if not math.isnan(value)}
    if not values:
        return {}
    best = (max if measure.metric.larger_is_better else min)(values, key=lambda label: values[label])
    draws = {} if whole else _draws(measure, {label: per_user[label] for label in values}, random_state)
    return {label: _estimate(label, best, values, draws) for label in values}


def _asked(answers: Answers, measure: Measure) -> Ranking | Predictions | None:
    return answers.predictions if measure.metric.kind == "rating" else answers.ranking


def _draws(measure: Measure, per_user: Mapping[str, PerUser], random_state: int) -> dict[str, Array]:
    """The measure of every model over the same draws of users; nothing where there is only one user to draw."""
    if len(next(iter(per_user.values())).weights) < 2:
        return {}
    means = bootstrap(list(per_user.values()), random_state)
    return {label: measure.metric.finish(drawn) for label, drawn in zip(per_user, means, strict=True)}


def _estimate(label: str, best: str, values: Mapping[str, float], draws: Mapping[str, Array]) -> Estimate:
    value = values[label]
    low, high = interval(draws[label]) if draws else (None, None)
    if label == best:
        return Estimate(value, low, high)
    least, most = interval(draws[label] - draws[best]) if draws else (None, None)
    return Estimate(value, low, high, value - values[best], least, most)
