"""What holds of every model's lists: who gets them, what is on them, in which order, in whose words."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from coterie.content.constraints import Constraints
from coterie.errors import DataWarning, ParameterError, UnknownIdError
from tests.contract.cases import (
    AMONG_USERS,
    CASES,
    KNOWN_BY_MORE,
    SILENT_USER,
    UNRATED_ITEM,
    Case,
    assert_same,
    by_products,
    each_case,
    each_model,
    fitted,
    interactions,
    label,
    learn,
    make,
    profile_of,
    without,
    world,
)


def expected_list(scores: np.ndarray, left_out: Any, k: int) -> list[int]:
    """The k best columns by hand: larger scores first, ties by column, without NaN and what is left out."""
    usable = [c for c in range(len(scores)) if np.isfinite(scores[c]) and c not in left_out]
    return sorted(usable, key=lambda c: (-scores[c], c))[:k]


# ---- scores ----------------------------------------------------------------------------------------------


@each_case
def test_scores_are_one_row_a_profile_whatever_the_company(case: Case) -> None:
    model, x = fitted(case), world()
    profiles = x.to_scipy()
    scores = model.score(profiles)
    assert (scores.shape, scores.dtype) == (x.shape, np.float32)
    assert not np.isinf(scores).any()
    assert np.isfinite(scores).any()
    for row in (0, SILENT_USER, 20):
        alone = model.score(profiles[row])
        assert_same(case, alone[0], scores[row])
        known = model.score(profiles[row], np.array([row]))
        assert_same(case, known[0], model.score(profiles, np.arange(x.n_users))[row])
    assert model.score(profiles[:0]).shape == (0, x.n_items)


@each_case
def test_scores_leave_the_profiles_as_they_were(case: Case) -> None:
    model, row = fitted(case), world().to_scipy()[0]
    shuffled = row.copy()
    shuffled.indices[:], shuffled.data[:] = row.indices[::-1].copy(), row.data[::-1].copy()
    shuffled.has_sorted_indices = False
    before = shuffled.indices.copy()
    np.testing.assert_array_equal(model.score(shuffled), model.score(row))
    np.testing.assert_array_equal(shuffled.indices, before)
    np.testing.assert_array_equal(model.score(row.astype(np.float64).tocoo()), model.score(row))


@each_model
def test_profiles_of_another_shape_are_refused(case: Case) -> None:
    model, profiles = fitted(case), world().to_scipy()
    with pytest.raises(ParameterError, match="profiles have 36 columns, but the model knows 25 items"):
        model.score(profiles.T)
    with pytest.raises(ParameterError, match="2 users given for 36 profiles"):
        model.score(profiles, np.array([0, 1]))
    for bad in (-1, 36, 1.5):
        with pytest.raises(ParameterError, match=f"row numbers from 0 to 35.*{bad}"):
            model.score(profiles[:1], np.array([bad]))
    holed = profiles[:1].copy()
    holed.data[0] = np.nan
    with pytest.raises(ParameterError, match=r"profiles hold nan; ratings are numbers of at most 1e\+15"):
        model.score(holed)


# ---- lists -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 5, 1000])
@pytest.mark.parametrize("exclude_seen", [True, False])
@each_case
def test_lists_are_the_best_scores_in_order(case: Case, exclude_seen: bool, k: int) -> None:
    model, x = fitted(case), world()
    profiles = x.to_scipy()
    scores = model.score(profiles, np.arange(x.n_users))
    table = model.recommend(x.users.ids.tolist(), k, exclude_seen)
    assert table.schema == {
        "user": pl.Int64, "rank": pl.Int32, "item": pl.Int64, "score": pl.Float32, "title": pl.String,
    }  # fmt: skip
    lists = {user: part for (user,), part in table.group_by("user", maintain_order=True)}
    for row, user in enumerate(x.users.ids.tolist()):
        seen = set(profiles[row].indices.tolist()) if exclude_seen else set()
        columns = expected_list(scores[row], seen, k)
        part = lists.get(user, table.clear())
        listed = x.items.indices(part["item"]).tolist()
        if by_products(case):  # what differs by rounding alone may come in either order
            assert_same(case, scores[row, listed], scores[row, columns])
            assert len(set(listed) - seen) == len(columns)
        else:
            assert listed == columns
        assert part["rank"].to_list() == list(range(1, len(columns) + 1))
        assert_same(case, part["score"].to_numpy(), scores[row, listed])
        assert part["title"].to_list() == [f"Title {i} (1999)" for i in part["item"]]
    assert list(lists) == [user for user in x.users.ids.tolist() if user in lists]


@each_case
def test_candidates_are_all_that_is_recommended(case: Case) -> None:
    model, x = fitted(case), world()
    users, items = x.users.ids.tolist(), x.items.ids.tolist()
    few = items[3:9]
    every, table = model.recommend(users, 100), model.recommend(users, 100, candidates=few)
    expected = every.filter(pl.col("item").is_in(few)).drop("rank")
    assert_same(case, table.drop("rank"), expected)
    assert_frame_equal(model.recommend(users, 100, candidates=few[0]), model.recommend(users, 100, candidates=few[:1]))
    assert_frame_equal(model.recommend(users, 100, candidates=Constraints(among=few)), table)
    nothing = model.recommend(users, candidates=[])
    assert nothing.is_empty()
    assert nothing.schema == table.schema
    profile = profile_of(x, 0)
    assert set(model.recommend_for(profile, 100, candidates=few)["item"]) <= set(few) - set(profile)
    assert set(model.recommend_for(profile, 100, exclude_seen=False, candidates=few)["item"]) <= set(few)


@each_case
def test_a_user_who_has_rated_everything_gets_nothing(case: Case) -> None:
    x = interactions([[1, 2, 3], [5, 0, 4], [0, 2, 1]], timed=True)
    model = learn(case, x)
    assert model.recommend(1).is_empty()
    assert model.recommend_for({101: 4, 102: 3, 103: 5}).is_empty()
    assert set(model.recommend([2, 3])["item"].to_list()) <= {101, 102}
    assert model.recommend([2, 1, 3])["user"].to_list() == model.recommend([2, 3])["user"].to_list()


@each_case
def test_one_user_many_users_no_users(case: Case) -> None:
    model, x = fitted(case), world()
    one = int(x.users.ids[0])
    single = model.recommend(one)
    for same in ([one], (one,), np.array([one]), np.int64(one), [np.int32(one)], pl.Series([one])):
        assert_same(case, model.recommend(same), single)
    assert_same(case, model.recommend([one, one]), pl.concat([single, single]))
    none = model.recommend([])
    assert none.is_empty()
    assert none.schema == single.schema


@each_case
def test_text_ids_get_the_same_lists_in_their_own_words(case: Case) -> None:
    numbers, words = fitted(case), fitted(case, text=True)
    x, named = world(), world(text=True)
    table = numbers.recommend(x.users.ids.tolist())
    renamed = table.with_columns(pl.format("№ {}", name).alias(name) for name in ("user", "item")).drop("title")
    found = words.recommend(named.users.ids.tolist())
    assert found.schema["user"] == found.schema["item"] == pl.String
    assert_frame_equal(found.drop("title"), renamed, check_exact=True)
    stranger = words.recommend_for(profile_of(named, 1))
    expected = numbers.recommend_for(profile_of(x, 1)).with_columns(pl.format("№ {}", "item").alias("item"))
    assert_frame_equal(stranger.drop("title"), expected.drop("title"), check_exact=True)


# ---- strangers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [0, 11, SILENT_USER])
@each_case
def test_a_stranger_is_a_known_user_with_the_same_row(case: Case, user: int) -> None:
    """Somebody who was not there in training gets the same whether or not the model is told who they are."""
    x = world()
    model = make(case).fit(without(x, user)) if case[0] in KNOWN_BY_MORE else fitted(case)
    row = x.to_scipy()[user]
    assert model.score(row).tobytes() == model.score(row, np.array([user])).tobytes()
    if case[0] not in KNOWN_BY_MORE:
        known = model.recommend(int(x.users.ids[user]))
        assert_frame_equal(model.recommend_for(profile_of(x, user)), known.drop("user"), check_exact=True)


# a user's own row moves the biases and the term weights, so these cannot be equal to the last digit
STEADY = [
    case
    for case in CASES
    if case[0] in AMONG_USERS
    and make(case).weighting == "none"  # type: ignore[attr-defined]
    and (make(case).ranking == "sum" or make(case).aggregation != "baseline")  # type: ignore[attr-defined]
]


@pytest.mark.parametrize("user", [0, 11])
@pytest.mark.parametrize("case", STEADY, ids=label)
def test_a_known_user_is_a_stranger_to_a_model_trained_without_them(case: Case, user: int) -> None:
    x = world()
    row, rest = x.to_scipy()[user], without(x, user)
    known = fitted(case).score(row, np.array([user]))[0]
    stranger = learn(case, rest).score(row)[0]
    often = rest.item_counts >= 5  # where no baseline needs to stand in
    assert often.sum() > 15
    np.testing.assert_allclose(known[often], stranger[often], rtol=1e-6)
    assert not np.array_equal(known[often], fitted(case).score(row)[0][often])  # their own row would have counted


def test_there_are_models_to_hold_to_that() -> None:
    assert {"sum", "rating"} == {make(case).ranking for case in STEADY}  # type: ignore[attr-defined]


@each_case
def test_an_empty_profile_is_a_stranger_too(case: Case) -> None:
    model, x = fitted(case), world()
    table = model.recommend_for({}, 1000)
    scores = model.score(x.to_scipy()[SILENT_USER])[0]
    assert table["item"].to_list() == x.items.ids[expected_list(scores, set(), 1000)].tolist()
    assert_frame_equal(model.recommend(int(x.users.ids[SILENT_USER]), 1000).drop("user"), table, check_exact=True)


@each_model
def test_a_profile_is_checked(case: Case) -> None:
    model, x = fitted(case), world()
    item = int(x.items.ids[0])
    for bad in (float("nan"), float("inf"), 1e300, np.float16("inf"), None, "5"):
        with pytest.raises(ParameterError, match=rf"rates item {item} with {re.escape(repr(bad))}"):
            model.recommend_for({item: bad})  # type: ignore[dict-item]
    with pytest.raises(ParameterError, match=rf"rates item {item} with a number of 16,610 bits"):
        model.recommend_for({item: 10**5000})
    assert_frame_equal(model.recommend_for({item: np.float16(4)}), model.recommend_for({item: 4}), check_exact=True)
    assert_frame_equal(model.recommend_for({item: np.True_}), model.recommend_for({item: 1}), check_exact=True)
    with pytest.raises(UnknownIdError, match="unknown item 3"):
        model.recommend_for({item: 4.0, 3: 5.0})
    with pytest.raises(TypeError, match=r"a profile maps item ids to ratings.*got list"):
        model.recommend_for([item])  # type: ignore[arg-type]


@each_model
def test_a_rating_off_the_scale_is_taken_with_a_warning(case: Case) -> None:
    model, x = fitted(case), world()
    item, (low, high) = int(x.items.ids[0]), x.scale
    with pytest.warns(DataWarning, match=rf"rates item {item} with 50, off the scale of the data, {low:g} to {high:g}"):
        model.recommend_for({item: 50.0})


# ---- errors ----------------------------------------------------------------------------------------------


@each_model
def test_unknown_ids_are_named(case: Case) -> None:
    model, x = fitted(case), world()
    user = int(x.users.ids[0])
    with pytest.raises(UnknownIdError, match="unknown user 3"):
        model.recommend([user, 3])
    with pytest.raises(UnknownIdError, match=r"unknown user 'anna'.*integers"):
        model.recommend("anna")
    with pytest.raises(UnknownIdError, match="unknown item 4, 5"):
        model.recommend(user, candidates=[4, 5])
    with pytest.raises(UnknownIdError, match=r"1000\.5"):
        model.recommend(1000.5)  # type: ignore[arg-type]
    with pytest.raises(UnknownIdError, match="unknown user 3"):
        model.explain(3, int(x.items.ids[0]))
    with pytest.raises(UnknownIdError, match="unknown item 4"):
        model.explain(user, 4)


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", True])
@each_model
def test_k_is_a_whole_number_from_1(case: Case, k: Any) -> None:
    model, user = fitted(case), int(world().users.ids[0])
    for ask in (lambda: model.recommend(user, k), lambda: model.recommend_for({}, k), lambda: model.recommend([], k)):
        with pytest.raises(ParameterError, match=f"k must be a whole number from 1, not {k!r}"):
            ask()


# ---- worlds that have little in them ---------------------------------------------------------------------

WORLDS = {
    "one rating": [[4]],
    "one user": [[4, 0, 2, 5]],
    "one item": [[4], [2], [0]],
    "all equal": [[3, 3, 0], [3, 0, 3], [0, 3, 3]],
    "same rows": [[5, 1, 0, 3]] * 4,
    "nothing shared": [[4, 0, 0], [0, 3, 0], [0, 0, 5]],
    "no ratings": [[0, 0], [0, 0]],
}


@pytest.mark.filterwarnings("ignore:the profile rates")  # small scales, such as 3 to 5, have ratings off them
@pytest.mark.parametrize("rows", WORLDS.values(), ids=WORLDS)
@each_case
def test_small_worlds(case: Case, rows: list[list[int]]) -> None:
    x = interactions(rows, timed=True)
    model = learn(case, x)
    users, items = x.users.ids.tolist(), x.items.ids.tolist()
    table = model.recommend(users, exclude_seen=False)
    assert table["score"].is_finite().all()
    assert set(table["item"]) <= set(items)
    for profile in ({}, {items[0]: 2.0}, dict.fromkeys(items, 3.0)):
        found = model.recommend_for(profile)
        assert found["score"].is_finite().all()
        assert not set(found["item"]) & set(profile)
    for item in items:
        why = model.explain(users[0], item)
        assert np.isfinite(why.score)
        if model.predicts_ratings:
            low, high = x.scale
            assert low <= model.predict([users[0]], [item])[0] <= high
            assert low <= model.predict_for({items[0]: 3.0}, [item])[0] <= high


@pytest.mark.filterwarnings("ignore:the profile rates")
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)], ids=["nothing at all", "no users", "no items"])
@each_case
def test_worlds_with_nobody_or_nothing_in_them(case: Case, shape: tuple[int, int]) -> None:
    x = interactions(np.zeros(shape), timed=True)
    model = learn(case, x)
    users, items = x.users.ids.tolist(), x.items.ids.tolist()
    assert model.recommend([]).is_empty()
    for table in (model.recommend(users), model.recommend_for({}), model.recommend_for(dict.fromkeys(items[:1], 3.0))):
        assert table["score"].is_finite().all()
        assert set(table["item"]) <= set(items)
    for item in items:
        if model.predicts_ratings:
            low, high = x.scale
            assert low <= model.predict_for({items[0]: 3.0}, [item])[0] <= high


def test_the_small_world_has_what_it_promises() -> None:
    x = world()
    assert x.user_counts[SILENT_USER] == 0
    assert x.item_counts[UNRATED_ITEM] == 0
    assert (np.diff(x.users.ids) < 0).any()
