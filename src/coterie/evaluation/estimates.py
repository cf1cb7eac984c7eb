"""What a metric says of each model: its value, how sure it is, and how far it is from the best."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coterie.evaluation.evaluate import Answers
from coterie.evaluation.metrics import Measure, PerUser, Predictions, Ranking
from coterie.evaluation.significance import ALPHA, bootstrap, holm, interval, paired_p_value

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
    p_value : float or None
        Of "there is no difference to the best one", corrected for the number of models (`holm`).
    p_uncorrected : float or None
        The same before the correction (`paired_p_value`).
    """

    value: float
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p_value: float | None = None
    p_uncorrected: float | None = None

    @property
    def within_noise(self) -> bool:
        """Whether the difference to the best model may as well be nothing: p is above 0.05, or there is none."""
        return self.p_value is None or self.p_value > ALPHA

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.4f}"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def estimates(measure: Measure, answers: Mapping[str, Sequence[Answers]], random_state: int) -> dict[str, Estimate]:
    """The measure of every model that can be asked for it, with intervals, and differences to the best.

    A user's value is their mean over the splits in which they were asked, with the weight that they have there, and
    their weight is the sum (`pooled`). So there is one value a user, whatever the number of splits, and intervals and
    p-values are over users, who are independent of each other, and not over splits, which share training data.

    The best model is chosen by the same figures. Among many models that are equally good it is one that was lucky,
    so that p-values of differences to it are somewhat too small; one that barely passes is worth another seed.

    Parameters
    ----------
    answers : mapping of str to sequence of Answers
        Of each model, one for each split.
    """
    asked = {label: a for label, found in answers.items() if (a := _asked(found, measure))}
    if measure.metric.kind == "catalogue":
        return _of_catalogue(measure, asked)
    return _of_users(measure, {label: pooled(measure, found)[1] for label, found in asked.items()}, random_state)


def estimates_within(
    measure: Measure, answers: Mapping[str, Sequence[Answers]], random_state: int, groups: Mapping[str, Array]
) -> dict[str, dict[str, Estimate]]:
    """`estimates` of groups of users, given as row numbers by the group's name; groups without a value are left out.

    A metric of the whole catalogue is that of the group's lists alone. It depends on how many lists there are: compare
    models within a group, and not groups.
    """
    asked = {label: a for label, found in answers.items() if (a := _asked(found, measure))}
    if measure.metric.kind == "catalogue":
        lists = {label: [part for part in found if isinstance(part, Ranking)] for label, found in asked.items()}
        found = {
            group: _of_catalogue(measure, {label: [part.within(own) for part in of] for label, of in lists.items()})
            for group, own in groups.items()
        }
    else:
        known = {label: pooled(measure, found) for label, found in asked.items()}
        found = {}
        for group, own in groups.items():
            kept = {label: np.isin(users, own) for label, (users, _) in known.items()}
            parts = {label: PerUser(*(part[kept[label]] for part in of)) for label, (_, of) in known.items()}
            found[group] = _of_users(measure, parts, random_state)
    return {group: of_models for group, of_models in found.items() if of_models}


def _of_catalogue(measure: Measure, asked: Mapping[str, Sequence[Ranking | Predictions]]) -> dict[str, Estimate]:
    """Means over the splits in which there are lists, without intervals."""
    values = {
        label: [measure.value(part) for part in found if isinstance(part, Ranking) and len(part.items)]
        for label, found in asked.items()
    }
    means = {label: float(np.mean(of)) for label, of in values.items() if of}
    return _to_best(measure, {label: Estimate(value) for label, value in means.items() if math.isfinite(value)})


def _of_users(measure: Measure, per_user: Mapping[str, PerUser], random_state: int) -> dict[str, Estimate]:
    """Means over users, with intervals over them."""
    values = {label: measure.over(found) for label, found in per_user.items()}
    values = {label: value for label, value in values.items() if math.isfinite(value)}
    if not values:
        return {}
    n_users = {label: int(np.count_nonzero(per_user[label].weights)) for label in values}
    draws = (
        {} if min(n_users.values()) < 2 else _draws(measure, {label: per_user[label] for label in values}, random_state)
    )
    found = {
        label: Estimate(value, *(interval(draws[label]) if draws else (None, None))) for label, value in values.items()
    }
    return _to_best(measure, found, draws, n_users)


def pooled(measure: Measure, answers: Sequence[Ranking | Predictions]) -> tuple[Array, PerUser]:
    r"""The users who were asked, by row number, and one value for each: :math:`v_u = \sum_f w_{uf} v_{uf} / w_u` and
    :math:`w_u = \sum_f w_{uf}` over the splits f."""
    parts = [(_users(a), measure.per_user(a)) for a in answers]
    users, place = np.unique(np.concatenate([users for users, _ in parts]), return_inverse=True)
    weights = np.concatenate([found.weights for _, found in parts])
    values = np.concatenate([found.values for _, found in parts])
    total = np.bincount(place, weights, len(users))
    columns = values.reshape(len(values), -1)  # d of them where a user has several values
    sums = np.column_stack([np.bincount(place, weights * column, len(users)) for column in columns.T])
    means = np.divide(sums, total[:, None], out=np.zeros(sums.shape), where=total[:, None] > 0)
    return users, PerUser(means.reshape(len(users), *values.shape[1:]), total)


def listed_popularity(rankings: Sequence[Ranking], k: int) -> float | None:
    r"""How popular the recommended items are: the share of people who have rated an item in training, averaged over
    all places :math:`j \le k` of all lists that have an item; None where no list has any."""
    shares: list[Array] = []
    for ranking in rankings:
        _, context = ranking.known()
        listed = ranking.items[:, :k]
        shares.append(context.popularity[listed[listed >= 0]])
    found = np.concatenate(shares)
    return float(found.mean()) if len(found) else None


def _asked(answers: Sequence[Answers], measure: Measure) -> list[Ranking | Predictions]:
    """What the measure is computed from, of every split; empty where the model cannot be asked for it."""
    of_kind = [a.predictions if measure.metric.kind == "rating" else a.ranking for a in answers]
    found = [part for part in of_kind if part is not None]
    return found if len(found) == len(of_kind) else []


def _users(answers: Ranking | Predictions) -> Array:
    """Row numbers of the users who were asked; in cases made by hand, their places."""
    if answers.users is not None:
        return answers.users
    return np.arange(len(answers.items) if isinstance(answers, Ranking) else answers.n_users)


def _draws(measure: Measure, per_user: Mapping[str, PerUser], random_state: int) -> dict[str, Array]:
    """The measure of every model over the same draws of users."""
    means = bootstrap(list(per_user.values()), random_state)
    return {label: measure.metric.finish(drawn) for label, drawn in zip(per_user, means, strict=True)}


def _to_best(
    measure: Measure,
    found: dict[str, Estimate],
    draws: Mapping[str, Array] = {},
    n_users: Mapping[str, int] = {},
) -> dict[str, Estimate]:
    """The estimates with differences to the best of them, and what these are worth."""
    if not found:
        return {}
    best = (max if measure.metric.larger_is_better else min)(found, key=lambda label: found[label].value)
    others = [label for label in found if label != best]
    differences = {label: found[label].value - found[best].value for label in others}
    if not draws:
        return {label: dataclasses.replace(e, difference=differences.get(label)) for label, e in found.items()}
    apart = {label: draws[label] - draws[best] for label in others}
    p = [paired_p_value(differences[label], apart[label], min(n_users[label], n_users[best])) for label in others]
    compared = {
        label: dataclasses.replace(
            found[label],
            difference=differences[label],
            **dict(zip(("difference_low", "difference_high"), interval(apart[label]), strict=True)),
            p_value=corrected,
            p_uncorrected=plain,
        )
        for label, plain, corrected in zip(others, p, holm(p), strict=True)
    }
    return {label: compared.get(label, estimate) for label, estimate in found.items()}
