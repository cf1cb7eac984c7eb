"""Splits: nothing is lost, nothing is in both parts, and what cannot be tested is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coterie.data.interactions import Interactions
from coterie.errors import CoterieError, DataError, ParameterError
from coterie.evaluation import (
    SPLITS,
    Split,
    k_folds,
    leave_k_out,
    split,
    split_at_random,
    split_by_time,
    split_each_user,
    split_items,
    split_users,
)
from coterie.evaluation.splits import splits
from coterie.evaluation.splits.base import RATINGS_LEFT_OUT, USERS_LEFT_OUT, in_words
from coterie.evaluation.splits.by_rating import Which
from tests.evaluation.made import make, ratings, triples

SINGLE = ["time", "time:0.4", "random", "random:0.5", "leave-1-out", "leave-last-2-out", "each-user", "each-user:0.5",
          "each-user-latest:0.3", "users", "users:0.5", "cold-items", "cold-items:0.3", "new-items"]  # fmt: skip


def parts_of(made: Split) -> list[Interactions]:
    return [made.train, made.test, *([] if made.given is None else [made.given])]


def made_or_refused(x: Interactions, how: str, seed: int = 3) -> list[Split]:
    """The splits; none where there is too little, which has to be said."""
    try:
        return splits(x, how, seed)
    except DataError as error:
        assert any(words in str(error) for words in ("leaves no", "cannot be held out", "at least", "need at"))
        return []


@given(ratings, st.sampled_from([*SINGLE, "2-fold", "5-fold"]))
def test_the_parts_are_disjoint_and_what_is_missing_is_counted(x: Interactions, how: str) -> None:
    for made in made_or_refused(x, how):
        parts = [triples(part) for part in parts_of(made)]
        assert all(part.users == x.users and part.items == x.items for part in parts_of(made))
        assert len({t[:2] for part in parts for t in part}) == sum(map(len, parts))
        assert set().union(*parts) <= triples(x)
        left_out = made.dropped.get("test ratings of those users, left out", 0)
        assert sum(map(len, parts)) + left_out == x.nnz
        train, test = parts[:2]
        asked = made.test.user_counts > 0
        assert np.all(made.profiles.user_counts[asked] > 0)
        unseen = {t[1] for t in test} - {t[1] for t in train}
        assert made.dropped.get("test items without training ratings, kept", 0) == len(unseen)
        assert made.dropped.get("test ratings of those items", 0) == sum(t[1] in unseen for t in test)
        assert all(made.dropped.values())
        assert made.timed == how.startswith("time")
        assert (made.given is not None) == how.startswith("users")


@given(ratings, st.sampled_from([*SINGLE, "3-fold"]), st.integers(0, 3))
def test_the_same_seed_gives_the_same_bytes(x: Interactions, how: str, seed: int) -> None:
    one, same = (made_or_refused(x, how, seed) for _ in range(2))
    assert [[p.fingerprint for p in parts_of(made)] for made in one] == [
        [p.fingerprint for p in parts_of(made)] for made in same
    ]
    assert [(made.description, made.dropped) for made in one] == [(made.description, made.dropped) for made in same]


@pytest.mark.parametrize("how", ["random", "each-user", "leave-2-out", "users", "cold-items", "3-fold"])
def test_another_seed_gives_another_split(how: str) -> None:
    x = make([(u, i, 3.0, 0) for u in range(12) for i in range(12)])
    one, other = (splits(x, how, seed)[0].test.fingerprint for seed in (1, 2))
    assert one != other


def test_every_name_has_help_and_makes_a_split() -> None:
    x = make([(u, i, 3.0, i) for u in range(10) for i in range(10)])
    for name, help in SPLITS.items():
        assert len(help) > 20
        assert splits(x, name.replace("k-", "2-"))[0].test.nnz


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
    assert "1 test user without training ratings" in str(parts)


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
    assert parts.dropped.get(f"users with no more than {k} rating{'s' * (k > 1)}, kept for training only", 0) == few


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


WRONG = ["kfold", "time:often", "random:0", "random:1.5", "random:nan", "random:", "leave-0-out", "leave-one-out",
         "1-fold", "0-fold", "users:1", "cold-items:-1", "each-user:2", "each-user-latest:x", "5-fold:0.2"]  # fmt: skip


@pytest.mark.parametrize("how", WRONG)
def test_wrong_names_are_refused(how: str) -> None:
    x = make([(u, i, 3.0, i) for u in range(4) for i in range(10)])
    with pytest.raises(ParameterError):
        splits(x, how)


def test_one_split_is_not_several() -> None:
    x = make([(u, i, 3.0, i) for u in range(4) for i in range(10)])
    with pytest.raises(ParameterError, match=r"'5-fold' stands for several splits"):
        split(x, "5-fold")
    assert len(splits(x, "5-fold")) == 5 and len(splits(x, "random")) == len(splits(x)) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda x: k_folds(x, 1), "takes 2 folds or more, not 1"),
        (lambda x: leave_k_out(x, 1, "first"), "which must be 'random' or 'latest', not 'first'"),
        (lambda x: split_each_user(x, 0.2, "first"), "which must be 'random' or 'latest', not 'first'"),
        (lambda x: split_users(x, given_share=1.0), "given_share must lie between 0 and 1, not 1.0"),
        (lambda x: split_users(x, n_test_users=0), "n_test_users must be at least 1, not 0"),
        (lambda x: split_users(x, n_test_users=4), "4 of 4 users cannot be held out.*choose another n_test_users"),
        (lambda x: split_users(x, 0.01), "0 of 4 users cannot be held out.*choose another test_share"),
        (lambda x: split_items(x, 0.01), "0.01 of 10 rated items are 0"),
        (lambda x: k_folds(x, 41), "41 folds need at least 41 ratings, and there are 40"),
        (lambda x: split_at_random(x.select(np.arange(x.nnz) < 1)), "a split needs at least 2 ratings"),
        (lambda x: leave_k_out(x, 10), "leaves no test ratings"),
    ],
)
def test_what_cannot_be_split_is_refused_in_words(wrong: Callable[[Interactions], object], said: str) -> None:
    with pytest.raises(CoterieError, match=said):
        wrong(make([(u, i, 3.0, i) for u in range(4) for i in range(10)]))


# ---- folds, shares of everyone, whole users, whole items ----------------------------------------------------


@given(ratings, st.integers(2, 5))
def test_each_rating_is_tested_in_one_fold_or_counted(x: Interactions, n_folds: int) -> None:
    try:
        folds = k_folds(x, n_folds, 1)
    except DataError:
        assume(False)
    tested = [row for fold in folds for row in fold.test.to_frame().iter_rows()]
    assert len(set(tested)) == len(tested)
    left_out = sum(fold.dropped.get("test ratings of those users, left out", 0) for fold in folds)
    assert len(tested) + left_out == x.nnz
    sizes = [x.nnz - fold.train.nnz for fold in folds]
    assert max(sizes) - min(sizes) <= 1


@given(ratings, st.floats(0.05, 0.95), st.sampled_from(["random", "latest"]))
def test_everyone_gives_the_same_share_and_keeps_a_rating(x: Interactions, share: float, which: Which) -> None:
    try:
        parts = split_each_user(x, share, which)
    except DataError:
        assume(False)
    for user in range(x.n_users):
        n, held = int(x.user_counts[user]), int(parts.test.user_counts[user])
        assert held == min(int(share * n + 0.5 + 1e-9), n - 1)
        if which == "latest" and held:
            before, after = (p.timestamps[p.indptr[user] : p.indptr[user + 1]] for p in (parts.train, parts.test))
            assert before.max() <= after.min()
    few = int((parts.test.user_counts == 0).sum())
    assert parts.dropped.get("users with too few ratings for such a share, kept for training only", 0) == few


def test_a_single_rating_is_learnt_and_not_tested() -> None:
    x = make([(0, i, 3.0, i) for i in range(5)] + [(1, 0, 3.0, 0), (2, 0, 3.0, 0), (2, 1, 3.0, 1)])
    parts = split_each_user(x, 0.2, "latest")
    assert parts.test.to_frame().rows() == [(0, 4, 3.0, 4)]
    assert parts.dropped["users with too few ratings for such a share, kept for training only"] == 2
    assert parts.dropped["test items without training ratings, kept"] == 1
    halves = split_each_user(x, 0.9)
    assert halves.test.user_counts.tolist() == [4, 0, 1]


@given(ratings, st.floats(0.1, 0.9), st.floats(0.05, 0.95))
def test_strangers_have_nothing_in_training(x: Interactions, share: float, given_share: float) -> None:
    try:
        parts = split_users(x, share, given_share=given_share, random_state=2)
    except DataError:
        assume(False)
    assert parts.given is not None and parts.profiles is parts.given
    strangers = parts.test.user_counts > 0
    able = int((x.user_counts > 1).sum())
    assert strangers.sum() == int(share * able + 0.5 + 1e-9)
    assert not parts.train.user_counts[strangers].any()
    assert np.array_equal(parts.given.user_counts > 0, strangers)
    n = x.user_counts[strangers]
    told = np.clip(np.floor(given_share * n + 0.5 + 1e-9), 1, n - 1)
    assert np.array_equal(parts.given.user_counts[strangers], told)
    single = int((x.user_counts == 1).sum())
    assert parts.dropped.get("users with a single rating, kept for training only", 0) == single
    given_unseen = sum(x.item_counts[i] > 0 and not parts.train.item_counts[i] for i in parts.given.indices)
    assert parts.dropped.get("given ratings of items without training ratings, kept", 0) == given_unseen


def test_strangers_by_number() -> None:
    x = make([(u, i, 3.0, i) for u in range(10) for i in range(5)])
    parts = split_users(x, n_test_users=3)
    assert parts.n_test_users == 3 and parts.test.nnz == 3 and parts.given is not None and parts.given.nnz == 12
    assert parts.description == "3 users held out as strangers, 80% of their ratings given (seed 0)"


@given(ratings, st.floats(0.1, 0.9))
def test_cold_items_have_nothing_in_training(x: Interactions, share: float) -> None:
    try:
        parts = split_items(x, share, 4)
    except DataError:
        assume(False)
    assert not parts.train.item_counts[parts.test.item_counts > 0].any()
    held = int(share * x.n_items + 0.5 + 1e-9)
    assert parts.description == f"all ratings of {held} items held out (seed 4)"
    assert np.count_nonzero(parts.train.item_counts) == x.n_items - held
    assert parts.dropped["test ratings of those items"] == parts.test.nnz


def test_new_items_are_cold_items_with_lists_of_these_alone() -> None:
    x = make([(u, i, 3.0, 0) for u in range(6) for i in range(10)])
    cold, new = split(x, "cold-items:0.3", 5), split(x, "new-items:0.3", 5)
    assert new.test.fingerprint == cold.test.fingerprint and new.train.fingerprint == cold.train.fingerprint
    assert cold.candidates is None and new.candidates is not None
    assert new.candidates.tolist() == (new.test.item_counts > 0).tolist()
    assert new.description == "all ratings of 3 items held out, lists made of these (seed 5)"
    with pytest.raises(ParameterError, match="candidates must be 'all' or 'cold', not 'warm'"):
        split_items(x, candidates="warm")  # type: ignore[arg-type]


def test_candidates_have_all_that_is_tested() -> None:
    x = make([(u, i, 3.0, 0) for u in range(6) for i in range(4)])
    train, test = (x.select(keep, keep_vocabularies=True) for keep in (x.indices < 2, x.indices >= 2))
    with pytest.raises(DataError, match="6 test ratings are of items that are no candidates, the first of user 0"):
        Split.of(train, test, candidates=np.array([True, True, True, False]))
    with pytest.raises(DataError, match=r"each of 4 items whether lists may have it \(bool\), not int64 \(2,\)"):
        Split.of(train, test, candidates=np.array([2, 3]))


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


# ---- words ---------------------------------------------------------------------------------------------------


def test_counts_in_words_and_remedies_that_help() -> None:
    assert in_words(1, USERS_LEFT_OUT) == "1 test user without training ratings, left out"
    assert in_words(2, USERS_LEFT_OUT) == "2 test users without training ratings, left out"
    assert in_words(1, RATINGS_LEFT_OUT) == "1 test rating of those users, left out"
    x = make([(1, 1, 5.0, 0), (1, 2, 4.0, 0), (2, 1, 3.0, 0)])
    known = x.user_index == 0
    parts = [x.select(mask, keep_vocabularies=True) for mask in (known, ~known)]
    with pytest.raises(DataError, match=r"; 1 test user without.*; a test needs people who have training ratings too"):
        Split.of(*parts)
    with pytest.raises(ParameterError, match="takes 2 folds or more, not 1; in 5-fold each fifth"):
        splits(x, "1-fold")
