"""Recommendations for groups."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coterie as ct
from coterie.errors import CapabilityError, ParameterError, UnknownIdError
from coterie.models.registry import model_class
from coterie.scenarios import compare_strategies, recommend_to_group
from coterie.scenarios.groups import STRATEGIES, choose, nash_welfare
from coterie.scenarios.people import standardized
from tests.scenarios.made import two_camps


@pytest.fixture(scope="module")
def ratings_model() -> ct.Recommender:
    return ct.SVD(n_factors=4).fit(*two_camps())


@pytest.fixture(scope="module")
def scores_model() -> ct.Recommender:
    return ct.EASE(regularization=10.0).fit(*two_camps())


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 7))
def test_strategies_against_their_definitions(seed: int, members: int, n: int) -> None:
    utilities = np.random.default_rng(seed).random((members, n))
    for strategy, best in (("average", np.mean), ("least_misery", np.min), ("most_pleasure", np.max)):
        chosen, scores = choose(utilities, 3, strategy)  # type: ignore[arg-type]
        expected = best(utilities, axis=0)
        assert scores.tolist() == pytest.approx(sorted(expected.tolist(), reverse=True)[:3])
        assert expected[chosen].tolist() == pytest.approx(scores.tolist())


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
def test_the_fair_list_keeps_the_greedy_bound(seed: int, members: int, k: int) -> None:
    generator = np.random.default_rng(seed)
    utilities = generator.random((members, 7)) * (generator.random((members, 7)) < 0.6)
    chosen, gains = choose(utilities, k, "fair")
    best = max(nash_welfare(utilities[:, list(s)]) for s in combinations(range(7), k))
    reached = nash_welfare(utilities[:, chosen])
    assert reached >= (1 - (1 - 1 / k) ** k) * best - 1e-9
    assert gains.sum() == pytest.approx(reached)
    # submodular: what an item adds only falls
    assert (np.diff(gains) <= 1e-12).all()


def test_fair_serves_a_minority_that_the_average_outvotes() -> None:
    utilities = np.array([[1.0, 0.8, 0.4, 0.1], [1.0, 0.8, 0.4, 0.0], [0.0, 0.0, 0.1, 1.0]])
    assert choose(utilities, 2, "average")[0].tolist() == [0, 1]
    assert choose(utilities, 2, "fair")[0].tolist() == [0, 3]


def test_strategies_compared(scores_model: ct.Recommender) -> None:
    table = compare_strategies(scores_model, [1, 3, 2], k=4)
    mean = dict(table.select("strategy", "mean").iter_rows())
    assert table["strategy"].to_list() == list(STRATEGIES)
    assert mean["average"] >= max(mean.values()) - 1e-9
    found = recommend_to_group(scores_model, [1, 3, 2], 4, "least_misery").members["mean"].to_numpy()
    row = table.row(1, named=True)
    assert (row["worst_off"], row["best_off"]) == pytest.approx((found.min(), found.max()))


def test_what_each_member_would_think(ratings_model: ct.Recommender) -> None:
    people = {"Ann": 1, "Bo": {100: 5.0, 118: 1.0}}
    found = recommend_to_group(ratings_model, people, k=3)
    assert found.of == "rating"
    items = found.items["item"].to_list()
    ann = found.opinions.filter(pl.col("member") == "Ann")
    bo = found.opinions.filter(pl.col("member") == "Bo")
    assert ann["rating"].to_list() == pytest.approx(ratings_model.predict([1] * 3, items).tolist())
    assert bo["rating"].to_list() == pytest.approx(ratings_model.predict_for(people["Bo"], items).tolist())  # type: ignore[arg-type]
    low, high = ratings_model.train_.scale
    assert ann["utility"].to_list() == pytest.approx(((ann["rating"] - low) / (high - low)).to_list(), abs=1e-6)
    assert found.items["Ann"].to_list() == pytest.approx(ann["rating"].to_list())
    assert found.opinions["rated"].null_count() == len(found.opinions)
    allowed = [i for i in ratings_model.train_.items.ids.tolist() if i not in _rated(ratings_model, 1) | {100, 118}]
    own = ratings_model.predict([1] * len(allowed), allowed)
    expected = [int((own > own[allowed.index(item)] + 1e-6).sum()) + 1 for item in items]
    assert ann["own_rank"].to_list() == expected
    assert "Ann" in found.summary
    assert "Bo" in found.summary


def _rated(model: ct.Recommender, user: int) -> set[int]:
    return set(model.train_.filter(users=[user]).items.ids.tolist())


def test_what_was_seen_is_left_out_as_asked(scores_model: ct.Recommender) -> None:
    one, other = _rated(scores_model, 1), _rated(scores_model, 2)
    lists = {
        seen: set(recommend_to_group(scores_model, [1, 2], 30, exclude_seen=seen).items["item"])  # type: ignore[arg-type]
        for seen in ("anybody", "everybody", "nobody")
    }
    assert not lists["anybody"] & (one | other)
    assert lists["everybody"] == set(scores_model.train_.items.ids.tolist()) - (one & other)
    assert lists["nobody"] == set(scores_model.train_.items.ids.tolist())
    found = recommend_to_group(scores_model, [1, 2], 30, exclude_seen="nobody").opinions
    told = found.filter(pl.col("rated").is_not_null() & (pl.col("member") == "user 1"))
    assert set(told["item"]) == one


def test_a_group_of_one_has_their_own_list(scores_model: ct.Recommender) -> None:
    for strategy in STRATEGIES:
        found = recommend_to_group(scores_model, [5], 5, strategy)
        assert found.items["item"].to_list() == scores_model.recommend(5, 5)["item"].to_list()
        assert found.opinions["own_rank"].to_list() == [1, 2, 3, 4, 5]


def test_candidates_and_a_member_called_item(scores_model: ct.Recommender) -> None:
    found = recommend_to_group(scores_model, {"item": {100: 5.0}, "q": {118: 5.0}}, 5, candidates=[104, 120])
    assert sorted(found.items["item"]) == [104, 120]
    assert "item (member)" in found.items.columns
    wanted = ct.Constraints(among=[104, 120])
    alike = recommend_to_group(scores_model, {"item": {100: 5.0}, "q": {118: 5.0}}, 5, candidates=wanted)
    assert alike.items.equals(found.items)
    with pytest.raises(ct.errors.NothingFitsError):
        recommend_to_group(scores_model, [{100: 5.0}], candidates=ct.Constraints(min_ratings=10**9))
    nothing = recommend_to_group(scores_model, [{100: 5.0}], 5, candidates=[100])
    assert not len(nothing.items)
    assert "Nothing is left" in nothing.summary


def test_standardized_rows() -> None:
    scores = np.array([[1.0, 3.0, 9.0, np.nan], [2.0, 2.0, 2.0, 2.0], [np.nan] * 4], np.float32)
    seen = np.array([[False, False, True, False], [False] * 4, [False] * 4])
    assert standardized(scores, seen).tolist() == [[0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize("name", ["ease", "item-knn", "user-knn"])
def test_a_member_of_whom_nothing_is_known_counts_by_popularity(name: str) -> None:
    x, catalog = two_camps()
    model = model_class(name)().fit(x, catalog)
    found = recommend_to_group(model, [1, {}], 4, of="score")
    counts = dict(x.to_frame().group_by("item").len().iter_rows())
    low, high = min(counts.values()), max(counts.values())
    new = found.opinions.filter(pl.col("member") == "stranger 2")
    assert new["utility"].to_list() == pytest.approx([(counts[i] - low) / (high - low) for i in new["item"]])
    assert "Nothing is known of stranger 2, who counts by popularity" in found.summary
    assert "popularity" not in recommend_to_group(model, [1, 2], 4).summary
    alone = recommend_to_group(model, {"Ann": {}, "Bo": {}}, 3, "average")
    assert [counts[i] for i in alone.items["item"]] == sorted(counts.values(), reverse=True)[:3]
    assert "Ann and Bo, who count by popularity" in alone.summary


def test_a_member_without_ratings_does_not_change_what_opinions_are_made_of() -> None:
    x, catalog = two_camps()
    model = ct.SlopeOne().fit(x, catalog)
    assert recommend_to_group(model, [1, 2], 3).of == recommend_to_group(model, [{}, 1, 2], 3).of
    knn = ct.ItemKNN().fit(x, catalog)
    found = recommend_to_group(knn, [1, {}], 3, of="rating")
    new = found.opinions.filter(pl.col("member") == "stranger 2")
    assert new["rating"].to_list() == pytest.approx(knn.predict_for({}, new["item"].to_list()).tolist())
    assert "with the ratings that are predicted for anybody" in found.summary


def test_errors(scores_model: ct.Recommender) -> None:
    with pytest.raises(ParameterError, match="nobody was named"):
        recommend_to_group(scores_model, [])
    with pytest.raises(ParameterError, match="user 1 is there twice"):
        recommend_to_group(scores_model, [1, 1])
    with pytest.raises(ParameterError, match="strategy must be one of"):
        recommend_to_group(scores_model, [1], strategy="best")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="exclude_seen must be one of"):
        recommend_to_group(scores_model, [1], exclude_seen="all")  # type: ignore[arg-type]
    with pytest.raises(UnknownIdError, match="999"):
        recommend_to_group(scores_model, [999])
    with pytest.raises(CapabilityError, match="does not predict ratings"):
        recommend_to_group(scores_model, [1], of="rating")


@pytest.mark.parametrize("members", [15, 1.5, None, "15"])
def test_members_that_are_no_list(scores_model: ct.Recommender, members: object) -> None:
    with pytest.raises(ParameterError, match="members come as a list, such as"):
        recommend_to_group(scores_model, members)  # type: ignore[arg-type]
