"""Splits that hold out single ratings: of everyone at a moment, at random, in folds, or of every user."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.evaluation.splits.base import Split, check_share, cut, portion

Array = np.ndarray[Any, np.dtype[Any]]
Which = Literal["random", "latest"]


def split_by_time(x: Interactions, test_share: float = 0.2) -> Split:
    """Learn from the past, test on the future: one cut in time for everyone.

    The cut is the earliest moment from which on there are at most `test_share` of the ratings (or the last
    moment, where that alone has more); ratings at the very moment of the cut are test ratings.

    Raises
    ------
    ParameterError
        `test_share` does not lie between 0 and 1.
    DataError
        There are no timestamps, or only one moment.
    """
    check_share(test_share)
    if x.timestamps is None:
        raise DataError('a split by time needs timestamps, and these ratings have none; use split="random"')
    _check_enough(x)
    times = np.sort(x.timestamps)
    at = min(math.ceil(round((1 - test_share) * len(times), 6)), len(times) - 1)  # (1 - 0.7) * 10 is 3, and not more
    moment = int(times[at])
    if np.searchsorted(times, moment) < at:  # the moment at the cut began earlier: the next one keeps the share
        later = int(np.searchsorted(times, moment, "right"))
        moment = int(times[later]) if later < len(times) else moment
    when = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return cut(x, x.timestamps >= moment, f"by time, test ratings from {when} on", timed=True)


def split_at_random(x: Interactions, test_share: float = 0.2, random_state: int = 0) -> Split:
    """Hold out a random share of all ratings, whoever gave them. The future may then help to tell the past.

    Raises
    ------
    ParameterError
        `test_share` does not lie between 0 and 1.
    DataError
        There are too few ratings for two parts.
    """
    check_share(test_share)
    _check_enough(x)
    held = np.zeros(x.nnz, bool)
    held[np.random.default_rng(random_state).permutation(x.nnz)[: round(test_share * x.nnz)]] = True
    return cut(x, held, f"a random {test_share:.0%} of the ratings held out (seed {random_state})")


def k_folds(x: Interactions, n_folds: int = 5, random_state: int = 0) -> list[Split]:
    """Cross-validation by rating: the ratings fall at random into `n_folds` parts of equal size (or one apart), and
    each part is the test of one split whose other parts are its training.

    Every rating is a test rating of one fold, but for those of users who have no rating in the other parts: each fold
    counts them.

    Raises
    ------
    ParameterError
        `n_folds` is below 2.
    DataError
        There are fewer ratings than folds.
    """
    if n_folds < 2:
        raise ParameterError(
            f"cross-validation takes 2 folds or more, not {n_folds}; in 5-fold each fifth of the ratings is a test"
        )
    if x.nnz < n_folds:
        raise DataError(f"{n_folds} folds need at least {n_folds} ratings, and there are {x.nnz:,}")
    order = np.random.default_rng(random_state).permutation(x.nnz)
    made = []
    for number, part in enumerate(np.array_split(order, n_folds), 1):
        held = np.zeros(x.nnz, bool)
        held[part] = True
        made.append(cut(x, held, f"fold {number} of {n_folds}, ratings at random (seed {random_state})"))
    return made


def leave_k_out(x: Interactions, k: int = 1, which: Which = "random", random_state: int = 0) -> Split:
    """Hold out k ratings of every user who has more than k: random ones, or the latest.

    Equal times are told apart at random (by the seed), never by item id. Users with no more than k ratings stay in
    training, and are counted.

    Raises
    ------
    ParameterError
        `k` is below 1, or `which` is neither.
    DataError
        The latest are asked for and there are no timestamps, or nobody has more than k ratings.
    """
    if k < 1:
        raise ParameterError(f"k must be at least 1, not {k}")
    _check_which(x, which, f"leave-{k}-out")
    enough = x.user_counts > k
    held = last_of_each(x, np.where(enough, k, 0), which, np.random.default_rng(random_state))
    few = int(((x.user_counts > 0) & ~enough).sum())
    description = f"{k} {which} rating{'s' * (k > 1)} of every user held out (seed {random_state})"
    return cut(
        x, held, description, {f"users with no more than {k} rating{'s' * (k > 1)}, kept for training only": few}
    )


def split_each_user(x: Interactions, test_share: float = 0.2, which: Which = "random", random_state: int = 0) -> Split:
    """Hold out the same share of every user's ratings: random ones, or the latest.

    The share is rounded to whole ratings, halves up, and leaves at least one for training. A user whose share rounds
    to none, such as anybody with a single rating, stays in training and is counted. Equal times are told apart at
    random (by the seed), never by item id.

    Raises
    ------
    ParameterError
        `test_share` does not lie between 0 and 1, or `which` is neither.
    DataError
        The latest are asked for and there are no timestamps, or nobody has enough ratings.
    """
    check_share(test_share)
    _check_which(x, which, "each-user")
    counts = np.clip(portion(test_share, x.user_counts), 0, np.maximum(x.user_counts - 1, 0))
    held = last_of_each(x, counts, which, np.random.default_rng(random_state))
    few = int(((x.user_counts > 0) & (counts == 0)).sum())
    description = f"{which} {test_share:.0%} of the ratings of every user held out (seed {random_state})"
    return cut(x, held, description, {"users with too few ratings for such a share, kept for training only": few})


def last_of_each(x: Interactions, counts: Array, which: Which, generator: np.random.Generator) -> Array:
    """So many ratings of each user (int (n_users,), at most as many as there are), bool (nnz,): at random, or the
    latest."""
    draw = generator.random(x.nnz)
    times = [] if which == "random" or x.timestamps is None else [x.timestamps]
    # Users stay in order, so that a place less its user's end says how late it is.
    order = np.lexsort([draw, *times, x.user_index])
    from_end = x.indptr[1:][x.user_index] - np.arange(x.nnz)
    held = np.zeros(x.nnz, bool)
    held[order] = from_end <= counts[x.user_index]
    return held


def _check_which(x: Interactions, which: str, instead: str) -> None:
    if which not in ("random", "latest"):
        raise ParameterError(f"which must be 'random' or 'latest', not {which!r}")
    if which == "latest" and x.timestamps is None:
        raise DataError(f'the latest ratings need timestamps, and these have none; use split="{instead}"')


def _check_enough(x: Interactions) -> None:
    if x.nnz < 2:
        raise DataError(f"a split needs at least 2 ratings, one to learn from and one to test; there are {x.nnz}")
