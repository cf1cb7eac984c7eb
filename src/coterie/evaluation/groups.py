"""Groups of users, and what a metric says of each: a model that is best on average need not be best for everybody."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coterie.errors import ParameterError
from coterie.evaluation.evaluate import Answers, Questions
from coterie.evaluation.metrics import Measure, PerUser, Ranking
from coterie.evaluation.significance import bootstrap, interval

Array = np.ndarray[Any, np.dtype[Any]]

#: What `user_groups` groups by.
GROUPINGS = ("activity", "popularity")


@dataclass(frozen=True)
class Groups:
    """Users in groups.

    Attributes
    ----------
    by : str
        What was grouped by.
    labels : tuple of str
        The groups, in order.
    members : int8 (n_users,)
        The place in `labels` of the group of every user by row number; -1 for users who are not asked about.
    """

    by: str
    labels: tuple[str, ...]
    members: Array = field(repr=False)


@dataclass(frozen=True)
class GroupEstimate:
    """A metric of one group of users.

    Attributes
    ----------
    group : str
    n_users : int
        Users of the group who have a value.
    value : float
    low, high : float or None
        95 % bootstrap interval over users; None for a single user and for metrics of the whole catalogue.
    """

    group: str
    n_users: int
    value: float
    low: float | None = None
    high: float | None = None


def user_groups(questions: Questions, by: str = "activity") -> Groups:
    """The users with test ratings in three groups of about a third each; bounds stand in the labels.

    Parameters
    ----------
    questions : Questions
    by : {"activity", "popularity"}
        How many ratings their profiles have (few, some, many), or how popular the items of their profiles are on
        average, as the share of people who rated them in training (niche, mixed, mainstream).

    Users with equal values are in the same group, so that thirds are not exact, and a group that stays empty is left
    out.
    """
    if by not in GROUPINGS:
        raise ParameterError(f"by must be one of {', '.join(map(repr, GROUPINGS))}, not {by!r}")
    context, test = questions.context, questions.split.test
    tested = np.flatnonzero(test.user_counts)
    values = (context.profiles.user_counts if by == "activity" else context.profile_popularity)[tested]
    low, high = np.quantile(values, [1 / 3, 2 / 3], method="inverted_cdf").tolist()  # values that occur
    thirds = np.searchsorted([low, high], values)  # up to low, above it up to high, above that
    if by == "activity":
        names = [f"few (up to {low:,})", f"some ({low + 1:,} to {high:,})", f"many ({high + 1:,} or more)"]
    else:
        names = [f"niche (up to {low:.1%})", f"mixed (up to {high:.1%})", f"mainstream (above {high:.1%})"]
    occurring, places = np.unique(thirds, return_inverse=True)
    members = np.full(test.n_users, -1, np.int8)
    members[tested] = places
    return Groups(by, tuple(names[third] for third in occurring), members)


def by_group(measure: Measure, answers: Answers, groups: Groups, random_state: int = 0) -> list[GroupEstimate]:
    """The measure of each group of users, with an interval; groups without a value are left out.

    A metric of the whole catalogue is that of the group's lists alone, without an interval. It depends on how many
    lists there are: compare models within a group, and not groups.
    """
    asked = answers.predictions if measure.metric.kind == "rating" else answers.ranking
    if asked is None:
        return []
    if asked.users is None:
        raise ParameterError("these answers do not say which users they are of; get them from evaluation.answer")
    if isinstance(asked, Ranking) and measure.metric.kind == "catalogue":
        parts = [asked.within(np.flatnonzero(groups.members == place)) for place in range(len(groups.labels))]
        return [
            GroupEstimate(label, len(part.items), value)
            for label, part in zip(groups.labels, parts, strict=True)
            if len(part.items) and not math.isnan(value := measure.value(part))
        ]
    values, weights = measure.per_user(asked)
    found = []
    for place, label in enumerate(groups.labels):
        own = groups.members[asked.users] == place
        of_group = PerUser(values[own], weights[own])
        value = measure.over(of_group)
        if math.isnan(value):
            continue
        ends: tuple[float | None, float | None] = (None, None)
        if own.sum() > 1:
            ends = interval(measure.metric.finish(bootstrap([of_group], random_state)[0]))
        found.append(GroupEstimate(label, int(np.count_nonzero(of_group.weights)), value, *ends))
    return found
