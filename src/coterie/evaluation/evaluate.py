"""Asking one model about a split: lists and predicted ratings through its public methods, and how long it took."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import DataError
from coterie.evaluation.metrics import Predictions, Ranking
from coterie.evaluation.splits import Split
from coterie.models.base import Recommender

Array = np.ndarray[Any, np.dtype[Any]]

# Users asked about in one call, so that progress shows and tables stay small.
_BLOCK_USERS = 4096
# Users of the little fit that has kernels compiled before the clock starts: enough for lists of many users.
_WARM_UP_USERS = 24


@dataclass(frozen=True)
class Answers:
    """What a model answered to a split.

    Attributes
    ----------
    ranking : Ranking or None
        None where no lists were asked for.
    predictions : Predictions or None
        None where no ratings were asked for, or the model predicts none.
    fit_seconds : float
        Training time. No time has compiling in it, but for the kernel of `similarity.neighbors` for large data,
        once for an installation.
    recommend_seconds, predict_seconds : float or None
        Time for the lists of all judged users, and for all test ratings; None where not asked for.
    n_unanswered : int
        Test ratings without a prediction, which got the mean of the training ratings.
    """

    ranking: Ranking | None
    predictions: Predictions | None
    fit_seconds: float
    recommend_seconds: float | None
    predict_seconds: float | None
    n_unanswered: int = 0


@dataclass(frozen=True)
class Questions:
    """What every model is asked: the same users and items for all of them.

    Attributes
    ----------
    split : Split
    relevant_from : float
        Test ratings from this on are relevant.
    k : int
        Length of the lists; 0 for no lists.
    ratings : bool
        Whether ratings are asked for.
    """

    split: Split
    relevant_from: float
    k: int
    ratings: bool

    def __post_init__(self) -> None:
        if self.k and not len(self.users):
            high = self.split.test.scale[1]
            raise DataError(
                f"no test rating is {self.relevant_from:g} or more (the highest is {high:g}), so no list can be right; "
                f"choose relevant_from={high:g} or lower, or another split"
            )

    @cached_property
    def users(self) -> Array:
        """Row numbers of the users whose lists are judged: those with a relevant test item."""
        return np.flatnonzero(np.bincount(self._relevant.user_index, minlength=self.split.test.n_users))

    @cached_property
    def _relevant(self) -> Interactions:
        test = self.split.test
        return test.select(test.values >= self.relevant_from, keep_vocabularies=True)

    def judge(self, users: Array, items: Array) -> Ranking:
        """The lists `items` (int (n, k), -1 for nothing) of `users`, with what of them is relevant."""
        relevant, n_items = self._relevant, self.split.test.n_items
        known = relevant.user_index.astype(np.int64) * n_items + relevant.indices  # increasing
        asked = users[:, None] * n_items + items
        place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
        hits = (known[place] == asked) & (items >= 0)
        return Ranking(items, hits, relevant.user_counts[users], n_items)


def relevance_threshold(x: Interactions) -> float:
    """From which rating on an item counts as relevant: the lowest rating that occurs in the top quarter of the scale.

    That is 4 of 5 stars, with or without half stars, 8 of 10, 1 of {0, 1}; and every rating where all are equal.
    """
    low, high = x.scale
    if low == high:
        return high
    return float(x.values[x.values >= low + 0.75 * (high - low)].min())


def answer(
    model: Recommender, questions: Questions, catalog: Catalog | None = None, tick: Callable[[], None] = lambda: None
) -> Answers:
    """Fit `model` on the training part and ask it everything; `tick` is called after each block of users."""
    _warm_up(model, questions, catalog)
    train = questions.split.train
    started = time.perf_counter()
    model.fit(train, catalog)
    fit_seconds = time.perf_counter() - started
    tick()
    ranking, recommend_seconds = None, None
    if questions.k:
        started = time.perf_counter()
        items = _lists(model, questions.users, questions.k, tick)
        recommend_seconds = time.perf_counter() - started
        ranking = questions.judge(questions.users, items)
    predictions, predict_seconds, n_unanswered = None, None, 0
    if questions.ratings and model.predicts_ratings:
        started = time.perf_counter()
        predictions, n_unanswered = _predictions(model, questions.split)
        predict_seconds = time.perf_counter() - started
    return Answers(ranking, predictions, fit_seconds, recommend_seconds, predict_seconds, n_unanswered)


def _lists(model: Recommender, users: Array, k: int, tick: Callable[[], None]) -> Array:
    """Row numbers of recommended items, int32 (n, k), best first, -1 where a list ends early."""
    train = model.train_
    items = np.full((len(users), k), -1, np.int32)
    for start in range(0, len(users), _BLOCK_USERS):
        block = users[start : start + _BLOCK_USERS]
        table = model.recommend(train.users.ids[block], k=k)
        owner = np.searchsorted(block, train.users.indices(table["user"]))
        items[start + owner, table["rank"].to_numpy() - 1] = train.items.indices(table["item"])
        tick()
    return items


def _predictions(model: Recommender, split: Split) -> tuple[Predictions, int]:
    test = split.test
    predicted = model.predict(test.users.ids[test.user_index], test.items.ids[test.indices])
    missing = ~np.isfinite(predicted)
    predicted = np.where(missing, split.train.mean, predicted)
    tested = np.flatnonzero(test.user_counts)
    rows = np.searchsorted(tested, test.user_index)
    return Predictions(rows, test.values, predicted, len(tested)), int(missing.sum())


def _warm_up(model: Recommender, questions: Questions, catalog: Catalog | None) -> None:
    """Fit a copy on a few users, so that times do not tell which model was the first to have its kernels compiled.

    Errors are left to the real fit, which meets them again if they are the model's own.
    """
    train = questions.split.train
    ordered = np.argsort(train.user_counts, kind="stable")[np.count_nonzero(train.user_counts == 0) :]
    few = train.users.ids[ordered[len(ordered) // 2 :][:_WARM_UP_USERS]]  # of middling activity: quick
    try:
        little = train.filter(users=few)
        copy = dataclasses.replace(model).fit(little, catalog)  # type: ignore[type-var]
        if questions.k:
            copy.recommend(little.users.ids, k=questions.k)
        if questions.ratings and copy.predicts_ratings:
            copy.predict(little.users.ids[little.user_index[:50]], little.items.ids[little.indices[:50]])
    except Exception:
        return
