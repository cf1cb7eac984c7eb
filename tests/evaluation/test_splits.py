"""Splits: nothing is lost, nothing is in both parts, and what cannot be tested is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coterie.data.interactions import Interactions
from coterie.errors import CoterieError, DataError, ParameterError
from coterie.evaluation import Split, leave_k_out, split, split_at_random, split_by_time


def make(rows: list[tuple[int, int, float, int]]) -> Interactions:
    frame = pl.DataFrame(rows, schema=["user", "item", "rating", "time"], orient="row")
    return Interactions.from_frame(frame, "user", "item", "rating", "time")


pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), min_size=2, max_size=30, unique=True)
ratings = pairs.flatmap(
    lambda some: st.lists(st.integers(0, 6), min_size=len(some), max_size=len(some)).map(
        lambda times: make([(u, i, float(1 + (u + i) % 5), t) for (u, i), t in zip(some, times, strict=True)])
    )
)


def triples(x: Interactions) -> set[tuple[object, ...]]:
    return set(x.to_frame().iter_rows())


@given(ratings, st.sampled_from(["time", "time:0.4", "random", "random:0.5", "leave-1-out", "leave-last-2-out"]))
def test_the_parts_are_disjoint_and_what_is_missing_is_counted(x: Interactions, how: str) -> None:
    try:
        parts = split(x, how, random_state=3)
    except DataError as error:
        assert "leaves no" in str(error)
        return
    train, test = triples(parts.train), triples(parts.test)
    assert parts.train.users == parts.test.users == x.users
    assert parts.train.items == parts.test.items == x.items
    assert not {t[:2] for t in train} & {t[:2] for t in test}
    assert train | test <= triples(x)
    left_out = parts.dropped.get("test ratings of those users, left out", 0)
    assert len(train) + len(test) + left_out == x.nnz
    assert np.all(parts.train.user_counts[parts.test.user_counts > 0] > 0)
    unseen = {t[1] for t in test} - {t[1] for t in train}
    assert parts.dropped.get("test items without training ratings, kept", 0) == len(unseen)
    assert all(parts.dropped.values())


@given(ratings, st.floats(0.05, 0.95))
def test_a_split_by_time_never_learns_from_the_future(x: Interactions, share: float) -> None:
    try:
        parts = split_by_time(x, share)
    except DataError:
        assume(False)
    assert parts.train.timestamps is not None and parts.test.timestamps is not None
    assert parts.train.timestamps.max() < parts.test.timestamps.min()


def test_the_cut_in_time_keeps_the_share_and_does_not_tear_a_moment_apart() -> None:
    times = [1, 2, 3, 3, 3, 4, 5, 6, 7, 8]
    x = make([(1, item, 3.0, time) for item, time in enumerate(times)])
    assert sorted(split_by_time(x, 0.2).test.timestamps) == [7, 8]
    assert sorted(split_by_time(x, 0.6).test.timestamps) == [4, 5, 6, 7, 8]  # a cut at 3 would give 0.8


@pytest.mark.parametrize("share", [0.07, 0.29, 0.57, 0.7])
def test_a_share_that_comes_out_even_is_kept(share: float) -> None:
    x = make([(1, item, 3.0, item) for item in range(100)])
    assert split_by_time(x, share).test.nnz == round(100 * share)


def test_a_split_by_time_counts_newcomers() -> None:
    x = make([(1, 1, 5.0, 1), (1, 2, 4.0, 2), (2, 1, 3.0, 3), (2, 2, 3.0, 4), (1, 3, 4.0, 9), (3, 1, 2.0, 9)])
    parts = split_by_time(x, 0.34)
    assert parts.description == "by time, test ratings from 1970-01-01 00:00:09 UTC on"
    assert parts.test.to_frame().rows() == [(1, 3, 4.0, 9)]
    assert parts.dropped == {
        "test users without training ratings, left out": 1,
        "test ratings of those users, left out": 1,
        "test items without training ratings, kept": 1,
        "test ratings of those items": 1,
    }
    assert "1 test users without training ratings" in str(parts)


def test_a_random_split_has_its_share_and_its_seed() -> None:
    x = make([(u, i, 3.0, 0) for u in range(10) for i in range(10)])
    one, same, other = (split_at_random(x, 0.3, seed) for seed in (1, 1, 2))
    assert one.test.nnz == 30
    assert triples(one.test) == triples(same.test) != triples(other.test)


@given(ratings, st.integers(1, 3))
def test_leave_k_out_takes_k_of_everyone_who_has_more(x: Interactions, k: int) -> None:
    assume((x.user_counts > k).any())
    parts = leave_k_out(x, k)
    enough = x.user_counts > k
    assert np.array_equal(parts.test.user_counts, np.where(enough, k, 0))
    few = int((~enough).sum())
    assert parts.dropped.get(f"users with no more than {k} ratings, kept for training only", 0) == few


@given(ratings, st.integers(1, 3))
def test_leave_last_takes_the_latest(x: Interactions, k: int) -> None:
    assume((x.user_counts > k).any())
    parts = leave_k_out(x, k, "latest")
    for user in np.flatnonzero(parts.test.user_counts):
        before, after = (p.timestamps[p.indptr[user] : p.indptr[user + 1]] for p in (parts.train, parts.test))
        assert before.max() <= after.min()


def test_equal_times_are_told_apart_by_the_seed_and_not_by_item_id() -> None:
    x = make([(user, item, 3.0, 5) for user in range(50) for item in range(4)])
    held = leave_k_out(x, 1, "latest").test
    assert len(np.unique(held.indices)) == 4


def test_the_default_is_by_time_where_there_are_times() -> None:
    x = make([(u, i, 3.0, i) for u in range(4) for i in range(10)])
    assert split(x).description.startswith("by time")
    timeless = Interactions.from_frame(x.to_frame(), "user", "item", "rating")
    assert split(timeless).description.startswith("a random 20%")


def test_no_times_no_split_by_time() -> None:
    x = Interactions.from_frame(pl.DataFrame({"u": [1, 1, 2], "i": [1, 2, 1]}), "u", "i")
    with pytest.raises(DataError, match='use split="random"'):
        split(x, "time")
    with pytest.raises(DataError, match="leave-3-out"):
        split(x, "leave-last-3-out")


@pytest.mark.parametrize("how", ["kfold", "time:often", "random:0", "random:1.5", "leave-0-out", "leave-one-out"])
def test_wrong_names_are_refused(how: str) -> None:
    x = make([(u, i, 3.0, i) for u in range(4) for i in range(10)])
    with pytest.raises(ParameterError):
        split(x, how)


def test_a_split_of_ones_own_is_checked() -> None:
    x = make([(u, i, 3.0, i) for u in range(4) for i in range(4)])
    first = np.arange(x.nnz) < 9
    train, test = (x.select(keep, keep_vocabularies=True) for keep in (first, ~first))
    assert Split.of(train, test, "mine").description == "mine"
    with pytest.raises(DataError, match="also training ratings, the first of user 0 and item 0"):
        Split.of(train, x)
    with pytest.raises(DataError, match="different ids"):
        Split.of(train, x.select(~first))


def test_nothing_to_learn_from_is_an_error() -> None:
    x = make([(u, i, 3.0, 7) for u in range(4) for i in range(4)])
    with pytest.raises(CoterieError, match="leaves no"):
        split_by_time(x)


def test_real_ratings_split_by_time(shared: Path) -> None:
    frame = pl.read_csv(shared / "ml-latest-small" / "ratings.csv")
    x = Interactions.from_frame(frame, "userId", "movieId", "rating", "timestamp")
    parts = split(x)
    assert parts.train.nnz == pytest.approx(0.8 * x.nnz, abs=5)
    assert parts.test.nnz + parts.dropped["test ratings of those users, left out"] == x.nnz - parts.train.nnz
