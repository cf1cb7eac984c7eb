"""What metrics are computed from, and what a metric is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from coterie.errors import DataError, ParameterError
from coterie.evaluation.metrics.context import Context

Array = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["rating", "ranking", "catalogue"]


@dataclass(frozen=True)
class Ranking:
    """What a model recommended to n users, and what of it was right. K is the length of the lists.

    Attributes
    ----------
    items : int32 (n, K)
        Row numbers of the recommended items, best first; -1 where a list ended early.
    hits : bool (n, K)
        Whether the item is one of the user's relevant test items.
    n_relevant : int64 (n,)
        Relevant test items of each user, at least 1.
    n_items : int
        Items in the catalogue.
    users : int64 (n,) or None
        Row numbers of the users in `context`; None in cases made by hand.
    context : Context or None
        None in cases made by hand.
    pair_shares : float64 (n,) or None
        For each user the share of pairs of a relevant and another item that the model's scores put in the right order
        (`coterie.kernels.judging.pair_shares`); None where not asked for.
    """

    items: Array
    hits: Array
    n_relevant: Array
    n_items: int
    users: Array | None = None
    context: Context | None = None
    pair_shares: Array | None = None

    @classmethod
    def of(cls, items: Array, relevant: Array, n_items: int) -> Ranking:
        """From lists (int (n, K), -1 for nothing) and relevance (bool (n, n_items)): for small and hand-made cases."""
        hits = np.take_along_axis(relevant, np.maximum(items, 0), axis=1) & (items >= 0)
        return cls(items, hits, relevant.sum(axis=1), n_items)

    def within(self, users: Array) -> Ranking:
        """The lists of some users, by row number, alone."""
        if self.users is None:
            raise ParameterError("these lists do not say whose they are; get them from evaluation.answer")
        kept = np.isin(self.users, users)
        return replace(
            self,
            items=self.items[kept],
            hits=self.hits[kept],
            n_relevant=self.n_relevant[kept],
            users=self.users[kept],
            pair_shares=None if self.pair_shares is None else self.pair_shares[kept],
        )

    def known(self) -> tuple[Array, Context]:
        """The users and the context; an error where there are none."""
        if self.users is None or self.context is None:
            raise DataError("this metric needs to know who was asked, and the training data")
        return self.users, self.context


@dataclass(frozen=True)
class Predictions:
    """Predicted beside actual ratings.

    Attributes
    ----------
    user : int (m,)
        Which of the n tested users gave the rating, increasing.
    actual, predicted : float (m,)
        Where the model had nothing to say, `predicted` is the mean of the training ratings.
    n_users : int
    answered : bool (m,) or None
        Where the model had something to say; None: everywhere.
    deviations : float (m,) or None
        Standard deviations of the predictions, of a model that has them.
    users : int64 (n,) or None
        Row numbers of the tested users.
    """

    user: Array
    actual: Array
    predicted: Array
    n_users: int
    answered: Array | None = None
    deviations: Array | None = None
    users: Array | None = None


class PerUser(NamedTuple):
    """A metric before averaging.

    Attributes
    ----------
    values : float64 (n,) or (n, d)
        Of each user. Where a metric is no mean over users, as R², d means from which it follows: see `Metric.finish`.
    weights : float64 (n,)
        In the mean; 0 for a user who has no value. Where all are 0, the model has none either. The values are finite
        all the same.
    """

    values: Array
    weights: Array


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    Attributes
    ----------
    function : callable
        ``(Ranking, k)`` or ``(Predictions)`` to `PerUser`; of the kind "catalogue", to a single number.
    larger_is_better : bool
    title : str
        The name in words.
    variant : str
        Which of the formulas in use this is.
    finish : callable
        Applied to the weighted mean over users: the root of RMSE, or what makes one number, float (...,), of d means,
        float (..., d).
    cut : bool
        Whether lists are cut at some k; False for ratings, and for what is about all items.
    needs : frozenset of str
        What models are asked for only on request, ``"pairs"`` (the order of all pairs of items) and ``"deviations"``
        (of predicted ratings), and what a catalog must have, ``"genres"`` and ``"genome"``.
    """

    name: str
    kind: Kind
    function: Callable[..., Any]
    larger_is_better: bool
    title: str
    variant: str
    finish: Callable[[Array], Array] = np.asarray
    cut: bool = True
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Measure:
    """A metric and, for lists, the length k at which they are cut.

    Attributes
    ----------
    metric : Metric
    k : int or None
        None for what is not cut.
    sampled : int or None
        Lists were not ranked among all items, but among so many sampled ones and the relevant ones: the name says so,
        because such figures are no estimates of the exact ones (Krichene and Rendle 2020).
    """

    metric: Metric
    k: int | None
    sampled: int | None = None

    @property
    def name(self) -> str:
        """As `parse` reads it, where candidates are not sampled."""
        if self.k is None:
            return self.metric.name
        name = f"{self.metric.name}@{self.k}"
        return name if self.sampled is None else f"{name} (sampled {self.sampled})"

    @property
    def title(self) -> str:
        """The name in words."""
        if self.k is None:
            return self.metric.title
        title = f"{self.metric.title} of the first {self.k}"
        return title if self.sampled is None else f"{title}, ranked among {self.sampled:,} sampled items only"

    def per_user(self, answer: Ranking | Predictions) -> PerUser:
        """The metric of every user; `ParameterError` for a metric of the whole catalogue."""
        if self.metric.kind == "catalogue":
            raise ParameterError(f"{self.name} belongs to the whole catalogue and has no value of a single user")
        found: PerUser = self._call(answer)
        return found

    def value(self, answer: Ranking | Predictions) -> float:
        """The metric over all users; NaN where there is none, as of deviations that a model does not have."""
        if self.metric.kind == "catalogue":
            return float(self._call(answer))
        return self.over(self.per_user(answer))

    def over(self, per_user: PerUser) -> float:
        """The metric over some users; NaN where none of them has a value."""
        values, weights = per_user
        if not weights.any():
            return math.nan
        return float(self.metric.finish(np.average(values, axis=0, weights=weights)))

    def _call(self, answer: Ranking | Predictions) -> Any:
        return self.metric.function(answer) if self.k is None else self.metric.function(answer, self.k)
