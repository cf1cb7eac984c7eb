"""Splits: which ratings a model may learn from and which it is asked about. Both parts keep the ids of the whole."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError

Array = np.ndarray[Any, np.dtype[Any]]

#: What `split` understands; ``k`` is a number, ``:0.1`` an optional share of the ratings.
SPLITS = ("time", "time:0.1", "random", "random:0.1", "leave-k-out", "leave-last-k-out")
_LEAVE = re.compile(r"leave-(last-)?(\d+)-out")
_SHARE = re.compile(r"(time|random)(?::(.+))?")


@dataclass(frozen=True)
class Split:
    """Training and test ratings with the same vocabularies.

    Attributes
    ----------
    train, test : Interactions
        Disjoint; every user with a test rating has a training rating, or one in `given`.
    description : str
        How it was made, in a sentence.
    dropped : mapping of str to int
        What could not be tested or cannot be answered, counted, in words; zeros are left out.
    given : Interactions or None
        Strong generalisation: the tested users are strangers, nothing of theirs is in `train`, and this is what models
        are told of them when they are asked. None: the tested users are known from `train`.
    timed : bool
        Whether all test ratings are meant to be later than all training ratings.
    """

    train: Interactions
    test: Interactions
    description: str
    dropped: Mapping[str, int]
    given: Interactions | None = None
    timed: bool = False

    @property
    def profiles(self) -> Interactions:
        """What models are told of the tested users."""
        return self.train if self.given is None else self.given

    @classmethod
    def of(
        cls, train: Interactions, test: Interactions, description: str = "as given", dropped: Mapping[str, int] = {}
    ) -> Split:
        """A split from two parts: checked, and without test users who have no training ratings (they are counted).

        Raises
        ------
        DataError
            The parts have different ids, share a (user, item) pair, or one of them is empty.
        """
        if train.users != test.users or train.items != test.items:
            raise DataError(
                f"training ({train.n_users:,} users, {train.n_items:,} items) and test ratings ({test.n_users:,} "
                f"users, {test.n_items:,} items) have different ids; cut both from one Interactions with "
                "select(keep, keep_vocabularies=True)"
            )
        _refuse_overlap(train, test)
        stranger = (train.user_counts == 0) & (test.user_counts > 0)
        n_ratings = test.nnz
        if stranger.any():
            test = test.select(~stranger[test.user_index], keep_vocabularies=True)
        unseen = (train.item_counts == 0) & (test.item_counts > 0)
        counted = {
            **dropped,
            "test users without training ratings, left out": int(stranger.sum()),
            "test ratings of those users, left out": n_ratings - test.nnz,
            "test items without training ratings, kept": int(unseen.sum()),
            "test ratings of those items": int(unseen[test.indices].sum()),
        }
        for part, name in ((train, "training"), (test, "test")):
            if not part.nnz:
                raise DataError(f"the split ({description}) leaves no {name} ratings; choose another, or another share")
        return cls(train, test, description, {what: n for what, n in counted.items() if n})

    @property
    def n_test_users(self) -> int:
        """Users who have test ratings."""
        return int(np.count_nonzero(self.test.user_counts))

    def __str__(self) -> str:
        lines = [
            f"{self.description}: {self.train.nnz:,} training ratings, {self.test.nnz:,} test ratings "
            f"of {self.n_test_users:,} users"
        ]
        return "\n".join(lines + [f"  {n:,} {what}" for what, n in self.dropped.items()])


def split(x: Interactions, how: str | None = None, random_state: int = 0) -> Split:
    """The split that a name stands for.

    Parameters
    ----------
    how : str or None
        ``"time"`` or ``"time:0.1"`` (`split_by_time`), ``"random"`` or ``"random:0.1"`` (`split_at_random`),
        ``"leave-1-out"`` (`leave_k_out`, random), ``"leave-last-1-out"`` (the latest). None: by time
        where there are timestamps, at random elsewhere.
    """
    if how is None:
        how = "random" if x.timestamps is None else "time"
    if leave := _LEAVE.fullmatch(how):
        return leave_k_out(x, int(leave[2]), "latest" if leave[1] else "random", random_state)
    share = _SHARE.fullmatch(how)
    if share is None:
        raise ParameterError(f"unknown split {how!r}; write one such as {', '.join(SPLITS)} (k is a number)")
    try:
        test_share = float(share[2] or 0.2)
    except ValueError:
        raise ParameterError(f"{how!r}: {share[2]!r} is not a share between 0 and 1") from None
    return split_by_time(x, test_share) if share[1] == "time" else split_at_random(x, test_share, random_state)


def splits(x: Interactions, how: str | None = None, random_state: int = 0) -> list[Split]:
    """The splits that a name stands for."""
    return [split(x, how, random_state)]


def split_by_time(x: Interactions, test_share: float = 0.2) -> Split:
    """Learn from the past, test on the future: one cut in time for everyone.

    The cut is the earliest moment from which on there are at most `test_share` of the ratings (or the last
    moment, where that alone has more); ratings at the very moment of the cut are test ratings.

    Raises
    ------
    DataError
        There are no timestamps.
    """
    _check_share(test_share)
    if x.timestamps is None:
        raise DataError('a split by time needs timestamps, and these ratings have none; use split="random"')
    times = np.sort(x.timestamps)
    at = min(math.ceil(round((1 - test_share) * len(times), 6)), len(times) - 1)  # (1 - 0.7) * 10 is 3, and not more
    cut = int(times[at])
    if np.searchsorted(times, cut) < at:  # the moment at the cut began earlier: the next one keeps the share
        later = int(np.searchsorted(times, cut, "right"))
        cut = int(times[later]) if later < len(times) else cut
    when = datetime.fromtimestamp(cut, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return _cut(x, x.timestamps >= cut, f"by time, test ratings from {when} on")


def split_at_random(x: Interactions, test_share: float = 0.2, random_state: int = 0) -> Split:
    """Hold out a random share of all ratings, whoever gave them. The future may then help to tell the past."""
    _check_share(test_share)
    held = np.zeros(x.nnz, bool)
    held[np.random.default_rng(random_state).permutation(x.nnz)[: round(test_share * x.nnz)]] = True
    return _cut(x, held, f"a random {test_share:.0%} of the ratings held out (seed {random_state})")


def leave_k_out(
    x: Interactions, k: int = 1, which: Literal["random", "latest"] = "random", random_state: int = 0
) -> Split:
    """Hold out k ratings of every user who has more than k: random ones, or the latest.

    Equal times are told apart at random (by the seed), never by item id.
    """
    if k < 1:
        raise ParameterError(f"k must be at least 1, not {k}")
    if which not in ("random", "latest"):
        raise ParameterError(f"which must be 'random' or 'latest', not {which!r}")
    if which == "latest" and x.timestamps is None:
        raise DataError(f'the latest ratings need timestamps, and these have none; use split="leave-{k}-out"')
    draw = np.random.default_rng(random_state).random(x.nnz)
    times = [] if which == "random" or x.timestamps is None else [x.timestamps]
    order = np.lexsort(
        [draw, *times, x.user_index]
    )  # users stay in order, so that a place less its user's end says how late it is
    from_end = x.indptr[1:][x.user_index] - np.arange(x.nnz)
    enough = x.user_counts > k
    held = np.zeros(x.nnz, bool)
    held[order] = (from_end <= k) & enough[x.user_index]
    few = (x.user_counts > 0) & ~enough
    description = f"{k} {which} rating{'s' * (k > 1)} of every user held out (seed {random_state})"
    return _cut(x, held, description, {f"users with no more than {k} ratings, kept for training only": int(few.sum())})


def _cut(x: Interactions, held: Array, description: str, dropped: Mapping[str, int] = {}) -> Split:
    train, test = x.select(~held, keep_vocabularies=True), x.select(held, keep_vocabularies=True)
    return Split.of(train, test, description, dropped)


def _check_share(test_share: float) -> None:
    if not 0 < test_share < 1:
        raise ParameterError(f"test_share must lie between 0 and 1, not {test_share!r}; 0.2 tests on a fifth")


def _refuse_overlap(train: Interactions, test: Interactions) -> None:
    """Both parts are sorted by (user, item), so their pairs as single numbers are sorted too."""
    ours, theirs = (p.user_index.astype(np.int64) * p.n_items + p.indices for p in (train, test))
    if not len(ours) or not len(theirs):
        return
    place = np.minimum(np.searchsorted(ours, theirs), len(ours) - 1)
    both = np.flatnonzero(ours[place] == theirs)
    if len(both):
        user = test.users.ids.tolist()[test.user_index[both[0]]]
        item = test.items.ids.tolist()[test.indices[both[0]]]
        raise DataError(
            f"{len(both):,} test ratings are also training ratings, the first of user {user!r} and item {item!r}; "
            "remove them from one part"
        )
