"""Asking one model about a split: lists and predicted ratings by row number, how long it took, and how much memory."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions, Rows
from coterie.errors import DataError
from coterie.evaluation.metrics import Context, Predictions, Ranking
from coterie.evaluation.resources import PeakMemory, learned_bytes
from coterie.evaluation.splits import Split
from coterie.kernels.judging import find_hits, pair_shares
from coterie.models.base import Recommender

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# Users asked about in one call, so that progress shows; more where there are no scores of all items to hold.
_BLOCK_USERS = 1 << 14
_BLOCK_SCORED = 1 << 10
# Users of the little fit that has kernels compiled before the clock starts: enough for lists of many users.
_WARM_UP_USERS = 24
# So long it goes on after its first sweep: many thousands of sweeps compile nothing more.
_WARM_UP_SECONDS = 1.0


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
    peak_bytes : int or None
        The most memory held while the model was fitted and asked, above what was held before; None where the system
        does not say.
    model_bytes : int
        The learned arrays, without the training data.
    n_seen : int
        Recommended items that the user's profile has: 0, unless the model breaks its promise.
    """

    ranking: Ranking | None
    predictions: Predictions | None
    fit_seconds: float
    recommend_seconds: float | None
    predict_seconds: float | None
    peak_bytes: int | None = None
    model_bytes: int = 0
    n_seen: int = 0

    @property
    def n_unanswered(self) -> int:
        """Test ratings without a prediction, which got the mean of the training ratings."""
        answered = None if self.predictions is None else self.predictions.answered
        return 0 if answered is None else int(np.count_nonzero(~answered))


@dataclass(frozen=True)
class Questions:
    """What every model is asked: the same users and items for all of them.

    Attributes
    ----------
    split : Split
    relevant_from : float
        Test ratings from this on are relevant.
    k : int
        The longest lists that are asked for; 0 for no lists.
    ratings : bool
        Whether ratings are asked for.
    catalog : Catalog or None
        What is known about the items.
    pairs : bool
        Whether the order of all pairs of items is asked for (AUC).
    deviations : bool
        Whether the standard deviations of predicted ratings are asked for, of models that have them.
    sampled : int or None
        Rank the relevant items among so many others, drawn for each user, and not among all.
    random_state : int
        Seed of that draw.
    """

    split: Split
    relevant_from: float
    k: int
    ratings: bool
    catalog: Catalog | None = None
    pairs: bool = False
    deviations: bool = False
    sampled: int | None = None
    random_state: int = 0

    def __post_init__(self) -> None:
        if (self.k or self.pairs) and not len(self.users):
            high = self.split.test.scale[1]
            raise DataError(
                f"no test rating is {self.relevant_from:g} or more (the highest is {high:g}), so no list can be right; "
                f"choose relevant_from={high:g} or lower, or another split"
            )

    @property
    def length(self) -> int:
        """How long lists are made: no longer than the catalogue."""
        return min(self.k, self.split.test.n_items)

    @cached_property
    def users(self) -> Array:
        """Row numbers of the users whose lists are judged: those with a relevant test item."""
        return np.flatnonzero(self.relevant.user_counts)

    @cached_property
    def relevant(self) -> Interactions:
        """The test ratings that are relevant."""
        test = self.split.test
        return test.select(np.asarray(test.values) >= self.relevant_from, keep_vocabularies=True)

    @cached_property
    def context(self) -> Context:
        """What metrics beyond accuracy look up."""
        return Context(self.split.train, self.split.profiles, self.catalog)

    def for_model(self, model: Recommender) -> Questions:
        """The same questions with what is learnt from as this model has it (`Split.for_model`)."""
        if self.split.half_life is None:
            return self
        own = copy(self)  # with what was worked out for all: it is about who rated what, which stays
        vars(own).update(split=self.split.for_model(model), context=self.context)
        return own

    def blocks(self, size: int) -> Iterator[Array]:
        """The judged users, up to `size` at a time."""
        return (self.users[start : start + size] for start in range(0, len(self.users), size))

    def asked(self, users: Array) -> tuple[sp.csr_matrix, Array | None]:
        """Profiles of some users, and their row numbers in training where they are known there."""
        return self.split.profiles.to_scipy()[users], users if self.split.given is None else None

    def judge(self, users: Array, items: Array, shares: Array | None = None) -> Ranking:
        """The lists `items` (int32 (n, k), -1 for nothing) of `users`, with what of them is relevant."""
        relevant, n_items = self.relevant, self.split.test.n_items
        rows = rows_of(relevant, users)
        hits = find_hits(items, rows.indptr, rows.indices)
        return Ranking(items, hits, relevant.user_counts[users], n_items, users, self.context, shares)

    def candidates(self, user: int) -> Array:
        """Row numbers, increasing, of the items that are ranked for a user where candidates are sampled: the relevant
        ones and `sampled` others, drawn from what the user has rated neither in the profile nor in the test."""
        assert self.sampled is not None
        own = [rows_of(part, np.array([user])).indices for part in (self.split.profiles, self.split.test)]
        among = self.split.candidates
        listed = np.arange(self.split.test.n_items) if among is None else np.flatnonzero(among)
        others = np.setdiff1d(listed, np.concatenate(own), assume_unique=True)
        generator = np.random.default_rng([self.random_state, user])
        drawn = generator.choice(others, min(self.sampled, len(others)), replace=False)
        return np.sort(np.concatenate([rows_of(self.relevant, np.array([user])).indices, drawn]))


def rows_of(x: Interactions, users: Array, items: Array | None = None) -> Rows:
    """The rows of some users, with the columns of some items (a mask), as compressed rows of their own."""
    matrix = x.to_scipy()[users]
    if items is not None:
        matrix = matrix[:, np.flatnonzero(items)]
    return Rows(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False), matrix.data)


def relevance_threshold(x: Interactions) -> float:
    """From which rating on an item counts as relevant: the lowest rating that occurs in the top quarter of the scale.

    That is 4 of 5 stars, with or without half stars, 8 of 10, 1 of {0, 1}; and every rating where all are equal.
    """
    low, high = x.scale
    if low == high:
        return high
    return float(x.values[x.values >= low + 0.75 * (high - low)].min())


def answer(
    model: Recommender,
    questions: Questions,
    tick: Callable[[], None] = lambda: None,
    limit: AbstractContextManager[object] | None = None,
) -> Answers:
    """Fit `model` on the training part and ask it everything; `tick` is called after each block of users.

    `limit` is around fitting and asking. Who sets one calls `warm_up` before, so that its time is not spent on
    compiling kernels; without a limit that is done here.
    """
    questions = questions.for_model(model)
    if limit is None:
        warm_up(model, questions)
    memory = PeakMemory()
    with limit or nullcontext():
        started = time.perf_counter()
        model.fit(questions.split.train, questions.catalog)
        fit_seconds = time.perf_counter() - started
        tick()
        answers = ask(model, questions, tick)
    return dataclasses.replace(
        answers, fit_seconds=fit_seconds, peak_bytes=memory.peak(), model_bytes=learned_bytes(model)
    )


def ask(model: Recommender, questions: Questions, tick: Callable[[], None] = lambda: None) -> Answers:
    """Ask a model that is fitted on the training part everything."""
    ranking, recommend_seconds, n_seen = None, None, 0
    if questions.k or questions.pairs:
        started = time.perf_counter()
        items = _lists(model, questions, tick)
        shares = _pair_shares(model, questions, tick) if questions.pairs else None
        recommend_seconds = time.perf_counter() - started
        ranking = questions.judge(questions.users, items, shares)
        profiles = rows_of(questions.split.profiles, questions.users)
        n_seen = int(find_hits(items, profiles.indptr, profiles.indices).sum())
    predictions, predict_seconds = None, None
    if questions.ratings and model.predicts_ratings:
        started = time.perf_counter()
        predictions = _predictions(model, questions)
        predict_seconds = time.perf_counter() - started
    return Answers(ranking, predictions, 0.0, recommend_seconds, predict_seconds, n_seen=n_seen)


def _lists(model: Recommender, questions: Questions, tick: Callable[[], None]) -> Array:
    """Row numbers of recommended items, int32 (n, k), best first, -1 where a list ends early."""
    items = np.full((len(questions.users), questions.length), -1, np.int32)
    if not questions.k:
        return items
    start = 0
    together = _BLOCK_USERS if model.lists_by_score else len(questions.users)  # lists may depend on one another
    for block in questions.blocks(_BLOCK_SCORED if questions.sampled else together):
        profiles, users = questions.asked(block)
        if questions.sampled and not model.lists_by_score:
            found = _lists_of_candidates(model, questions, block)
        elif questions.sampled:
            found = _best_candidates(model.score(profiles, users), questions, block)
        else:
            found = model.rank(profiles, questions.length, users, allowed=questions.split.candidates)[0]
        items[start : start + len(block), : found.shape[1]] = found
        start += len(block)
        tick()
    return items


def _best_candidates(scores: Array, questions: Questions, users: Array) -> Array:
    """The k best of each user's sampled candidates, ties by row number; scores (n, n_items) of all items."""
    from coterie.kernels.topk import top_k_row

    items = np.full((len(users), questions.length), -1, np.int32)
    for row, user in enumerate(users):
        candidates = questions.candidates(int(user))
        best = candidates[top_k_row(scores[row, candidates], questions.length)]
        items[row, : len(best)] = best
    return items


def _lists_of_candidates(model: Recommender, questions: Questions, block: Array) -> Array:
    """As `_best_candidates`, of a model whose lists are not its best scores: it makes each user's list itself."""
    items = np.full((len(block), questions.length), -1, np.int32)
    for row in range(len(block)):
        own = block[row : row + 1]
        allowed = np.zeros(questions.split.test.n_items, bool)
        allowed[questions.candidates(int(own[0]))] = True
        profiles, users = questions.asked(own)
        found = model.rank(profiles, questions.length, users, allowed=allowed)[0]
        items[row, : found.shape[1]] = found
    return items


def _pair_shares(model: Recommender, questions: Questions, tick: Callable[[], None]) -> Array:
    shares = []
    for block in questions.blocks(_BLOCK_SCORED):
        profiles, users = questions.asked(block)
        relevant, seen = (
            rows_of(x, block, questions.split.candidates) for x in (questions.relevant, questions.split.profiles)
        )
        scores = model.score(profiles, users)
        if questions.split.candidates is not None:
            scores = scores[:, questions.split.candidates]
        shares.append(pair_shares(scores, relevant[:2], seen[:2]))
        tick()
    return np.concatenate(shares)


def _predictions(model: Recommender, questions: Questions) -> Predictions:
    split = questions.split
    test = split.test
    tested = np.flatnonzero(test.user_counts)
    rows = np.searchsorted(tested, test.user_index)
    profiles, users = questions.asked(tested)
    predicted = model.rate(profiles, rows, test.indices, users, test.timestamps)
    answered = np.isfinite(predicted)
    predicted = np.where(answered, predicted, split.train.mean)
    deviations = None
    if questions.deviations and users is not None and hasattr(model, "predict_std"):
        deviations = model.predict_std(test.users.ids[test.user_index], test.items.ids[test.indices])
    return Predictions(rows, test.values, predicted, len(tested), answered, deviations, tested)


def warm_up(model: Recommender, questions: Questions) -> None:
    """Fit a copy on a few users and ask it about them, so that times do not tell which model was the first to have its
    kernels compiled.

    Errors are left to the real fit, which meets them again if they are the model's own.
    """
    train = questions.split.train
    ordered = np.argsort(train.user_counts, kind="stable")[np.count_nonzero(train.user_counts == 0) :]
    # Of middling activity, which is quick; and as many as there are of few, since few rows need no kernel.
    first = max(0, min(len(ordered) // 2, len(ordered) - _WARM_UP_USERS))
    try:
        little = train.filter(users=train.users.ids[ordered[first:][:_WARM_UP_USERS]])
        copy: Recommender = dataclasses.replace(model)  # type: ignore[type-var]
        copy.fit(little, questions.catalog, watch=_Impatient() if copy.learns_in_sweeps else None)
        ask(copy, _little_questions(questions, little))
    except Exception:
        return


def _little_questions(questions: Questions, little: Interactions) -> Questions:
    """All that `questions` ask, in the same ways, of those few users: as strangers where the others are strangers."""
    split = dataclasses.replace(
        questions.split,
        train=little,
        test=little,  # what is right plays no part
        given=None if questions.split.given is None else little,
        candidates=None if questions.split.candidates is None else np.ones(little.n_items, bool),
    )
    return dataclasses.replace(questions, split=split, relevant_from=-math.inf)


class _Impatient:
    """Ends a fit some time after its first sweep."""

    def __init__(self) -> None:
        self._end = math.inf

    def __call__(self, done: int, total: int, so_far: Callable[[], Recommender]) -> bool:
        self._end = min(self._end, time.perf_counter() + _WARM_UP_SECONDS)
        return time.perf_counter() >= self._end
