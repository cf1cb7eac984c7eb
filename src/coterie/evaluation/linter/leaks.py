"""Leaks: what training, or the profiles that models are told, knows of the test and should not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from coterie.data.interactions import Interactions
from coterie.data.wording import counted
from coterie.evaluation.linter.finding import Finding, chosen, share
from coterie.evaluation.splits.base import Split, pair_in_words, shared_pairs

Array = np.ndarray[Any, np.dtype[Any]]

# With fewer ratings than this, two people may well have the same ones by chance.
_SAME_PERSON = 10


def foreign_ids(split: Split) -> list[Finding]:
    """Parts whose row numbers stand for different users or items: an error."""
    train = split.train
    parts = {"test": split.test, **({} if split.given is None else {"given": split.given})}
    return [
        Finding(
            "ids of the parts",
            "error",
            f"Training and {name} ratings have different ids, so that their row numbers mean different users and "
            "items. Make the split with Split.of_parts, which makes their ids one.",
            part.nnz,
        )
        for name, part in parts.items()
        if train.users != part.users or train.items != part.items
    ]


def shared_ratings(split: Split) -> Iterator[Finding]:
    """Test pairs that are in training or given: an error."""
    parts = {"training": split.train, **({} if split.given is None else {"given": split.given})}
    for name, part in parts.items():
        both = shared_pairs(part, split.test)
        if n := len(both):
            same = _same_rows(part, split.test, both)
            again = f"; {same:,} of them are the very same rows, with the same rating" if same else ""
            yield Finding(
                "test ratings in training",
                "error",
                f"{counted(n, 'test rating')} {chosen(n, 'is', 'are')} also {chosen(n, 'a ', '')}{name} "
                f"{chosen(n, 'rating', 'ratings')}, the first of {pair_in_words(split.test, both[0])}{again}. Models "
                f"are asked what they were told. Remove {chosen(n, 'it', 'them')} from one part; of parts that were "
                f'loaded on their own, overlap="drop" leaves {chosen(n, "it", "them")} out of the test.',
                n,
            )


def _same_rows(part: Interactions, test: Interactions, both: Array) -> int:
    """How many of the shared pairs have the same rating in the two parts (and the same time, where both have one)."""
    where = shared_pairs(test, part)  # the same pairs in the same order, but as places in `part`
    same = part.values[where] == test.values[both]
    if part.timestamps is not None and test.timestamps is not None:
        same &= part.timestamps[where] == test.timestamps[both]
    return int(np.count_nonzero(same))


def strangers_in_training(split: Split) -> Iterator[Finding]:
    """Strong generalisation where training knows the strangers: an error."""
    if split.given is None:
        return
    asked = (split.given.user_counts > 0) | (split.test.user_counts > 0)
    known = np.flatnonzero(asked & (split.train.user_counts > 0))
    if n := len(known):
        yield Finding(
            "strangers in training",
            "error",
            f"{counted(n, 'user')} that should be {chosen(n, 'a stranger has', 'strangers have')} training ratings, "
            f"the first of them {split.train.users.name(known[0])}. Remove these ratings from "
            "training, or make the split with split_users.",
            n,
        )


def the_future(split: Split) -> Iterator[Finding]:
    """Training ratings later than test ratings: an error where the split is meant to be by time, else a note."""
    train, test, profiles = split.train, split.test, split.profiles
    check = "the future in training"
    if train.timestamps is None or test.timestamps is None or profiles.timestamps is None:
        if split.timed:
            yield Finding(
                check,
                "warning",
                "The split is meant to be by time, but not all of its parts have timestamps, so it cannot be seen "
                "whether training is earlier than the test.",
                test.nnz,
            )
        return
    if not test.nnz:
        return
    if split.timed:
        first = test.timestamps.min()
        parts = [train] if split.given is None else [train, split.given]
        if late := sum(int(np.count_nonzero(p.timestamps >= first)) for p in parts if p.timestamps is not None):
            yield Finding(
                check,
                "error",
                f"{counted(late, 'training rating')} {chosen(late, 'is', 'are')} not earlier than the first test "
                "rating, although the split is meant to be by time. Cut the ratings with split_by_time, or move the "
                "boundary.",
                late,
            )
        return
    latest = int(train.timestamps.max(initial=np.iinfo(np.int64).min))
    anybody = int(np.count_nonzero(test.timestamps < latest))
    own = int(np.count_nonzero(test.timestamps < _latest_of_each(profiles)[test.user_index]))
    if anybody or own:
        yield Finding(
            check,
            "note",
            f"Of the test ratings, {share(anybody, test.nnz)} are older than some training rating, and "
            f"{share(own, test.nnz)} are older than a rating of the same user that models are told: the future helps "
            'to tell the past, and figures may be better than in use. split="time" tests on the future only.',
            max(anybody, own),
        )


def _latest_of_each(x: Interactions) -> Array:
    """The latest time of each user's ratings, int64 (n_users,); the smallest number for users without any."""
    assert x.timestamps is not None
    latest = np.full(x.n_users, np.iinfo(np.int64).min)
    np.maximum.at(latest, x.user_index, x.timestamps)
    return latest


def people_twice(split: Split) -> Iterator[Finding]:
    """Test users all of whose ratings stand under another id too: duplicate rows that pairs of ids do not show."""
    parts = [split.train, split.test, *([] if split.given is None else [split.given])]
    counts = np.sum([part.user_counts for part in parts], axis=0)
    able = np.flatnonzero(counts >= _SAME_PERSON)
    marks: Array = sum((_marks(part) for part in parts), np.zeros(split.test.n_users, np.uint64))
    _, group, size = np.unique(marks[able], return_inverse=True, return_counts=True)
    tested = split.test.user_counts[able] > 0
    doubled = able[(size[group] > 1) & tested]
    if n := len(doubled):
        yield Finding(
            "people under two ids",
            "warning",
            f"{counted(n, 'test user')} {chosen(n, 'has', 'have')} exactly the ratings of another user, the first of "
            f"them {split.test.users.name(doubled[0])}. If they are one person under two ids, "
            "training knows the answers: keep one of the two.",
            n,
        )


def _marks(x: Interactions) -> Array:
    """A number for each user, uint64 (n_users,), that tells sets of (item, rating, time) apart: the sum of their
    hashes, so that users whose ratings are spread over parts can be added up."""
    columns = {"item": np.asarray(x.indices), "rating": np.asarray(x.values)}
    if x.timestamps is not None:
        columns["time"] = np.asarray(x.timestamps)
    hashes = pl.DataFrame(columns).hash_rows(seed=1).to_numpy()
    ends = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashes, dtype=np.uint64)])
    marks: Array = ends[x.indptr[1:]] - ends[x.indptr[:-1]]  # modulo 2^64, as are the sums
    return marks
