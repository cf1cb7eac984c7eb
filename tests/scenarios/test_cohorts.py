"""Cohorts: what K-means finds, what they like, and recommendations."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.errors import DataError, NothingFitsError, ParameterError, UnknownIdError
from coterie.scenarios import find_cohorts
from coterie.scenarios.cohorts import over_representation
from tests.scenarios.made import N_USERS, two_camps


@pytest.fixture(scope="module", params=["svd", "ease"])
def cohorts(request: pytest.FixtureRequest) -> ct.scenarios.Cohorts:
    model = ct.SVD(n_factors=2) if request.param == "svd" else ct.EASE(regularization=10.0)
    return find_cohorts(model.fit(*two_camps()), 2)


def test_the_camps_are_found(cohorts: ct.scenarios.Cohorts) -> None:
    even = cohorts.of(2)
    assert set(cohorts.members(even)) == set(range(2, N_USERS + 1, 2))
    assert set(cohorts.members(3 - even)) == set(range(1, N_USERS + 1, 2))
    assert cohorts.of({100: 5.0, 103: 5.0, 118: 1.0}) == cohorts.of(1)  # user 1 has row 0: the first camp
    assert cohorts.of({}) == 0
    again = find_cohorts(cohorts.model, 2)
    assert np.array_equal(again.labels, cohorts.labels)


def test_each_likes_its_half(cohorts: ct.scenarios.Cohorts) -> None:
    first = cohorts.of(1)
    liked = cohorts.over_liked(first, 10)
    assert all(item < 115 for item in liked["item"])
    assert (liked["share"] > liked["share_of_others"]).all()
    assert liked["z"].is_sorted(descending=True)
    frame = cohorts.model.train_.to_frame().filter(pl.col("rating") >= 4)
    item = liked["item"][0]
    own = frame.filter((pl.col("item") == item) & (pl.col("user") % 2 == 1))
    assert liked["share"][0] == pytest.approx(len(own) / 30)
    assert cohorts.over_liked(first, 1, "genres")["genre"].to_list() == ["Drama"]
    table = cohorts.table(2)
    assert table["users"].sum() == N_USERS
    assert table["genres"][first - 1][0] == "Drama"
    assert table["share"].sum() == pytest.approx(1)
    means = cohorts.model.train_.to_frame().group_by(pl.col("user") % 2).agg(pl.col("rating").mean())
    assert sorted(table["mean_rating"]) == pytest.approx(sorted(means["rating"]))


def test_log_odds_are_those_of_the_formula() -> None:
    likes = np.array([[30.0, 5, 0, 0], [10, 20, 4, 0], [1, 1, 1, 0]])
    z, delta = over_representation(likes, 0)
    own, others = likes[0], likes[1:].sum(axis=0)
    for w in range(3):
        a, a0 = 500 * (own + others)[w] / 72, 500.0
        one = np.log((own[w] + a) / (35 + a0 - own[w] - a))
        two = np.log((others[w] + a) / (37 + a0 - others[w] - a))
        assert delta[w] == pytest.approx(one - two)
        assert z[w] == pytest.approx((one - two) / np.sqrt(1 / (own[w] + a) + 1 / (others[w] + a)))
    assert z[3] == 0


def test_recommendations_are_means_over_those_who_have_not_rated_it(cohorts: ct.scenarios.Cohorts) -> None:
    model, first = cohorts.model, cohorts.of(1)
    members = cohorts.members(first)
    found = cohorts.recommend(first, 4, max_seen=0.9)
    assert all(item < 115 for item in found["item"])
    x = model.train_
    rows = x.users.indices(members)
    for item, score, seen in found.select("item", "score", "seen").iter_rows():
        column = x.items.index(item)
        rated = x.to_scipy()[rows][:, [column]].toarray()[:, 0] != 0
        assert seen == pytest.approx(rated.mean())
        if model.predicts_ratings:
            scores = model.score(x.to_scipy()[rows], rows)[:, column]
            assert score == pytest.approx(scores[~rated].mean(), rel=1e-5)
    assert (cohorts.recommend(first, 30, max_seen=0.5)["seen"] <= 0.5).all()


def test_candidates_are_what_is_left_of_the_same_list(cohorts: ct.scenarios.Cohorts) -> None:
    everything = cohorts.recommend(1, 30, max_seen=1)
    for candidates in (ct.Constraints(genres=["Comedy"]), [100 + n for n in range(0, 30, 4)]):  # the same items
        found = cohorts.recommend(1, 30, max_seen=1, candidates=candidates)
        left = everything.filter((pl.col("item") - 100) % 4 == 0)
        assert 1 < len(left) < len(everything)
        assert found.drop("rank").equals(left.drop("rank"))
        assert found["rank"].to_list() == list(range(1, len(left) + 1))
    assert cohorts.recommend(1, 1, max_seen=1, candidates=117)["item"].to_list() == [117]
    with pytest.raises(NothingFitsError, match="2001"):
        cohorts.recommend(1, candidates=ct.Constraints(years=(2001, None)))
    with pytest.raises(UnknownIdError, match="999"):
        cohorts.recommend(1, candidates=[999])


def test_people_without_a_taste_are_in_no_cohort() -> None:
    x, catalog = two_camps()
    more = x.merge(ct.Interactions.from_frame(pl.DataFrame({"u": [999], "i": [100], "r": [3.0]}), "u", "i", "r"))
    more = more.select(np.asarray(more.user_index) < N_USERS, keep_vocabularies=True)
    found = find_cohorts(ct.SVD(n_factors=2).fit(more, catalog), 2)
    assert found.of(999) == 0
    assert found.sizes.sum() == N_USERS


def test_errors(cohorts: ct.scenarios.Cohorts) -> None:
    with pytest.raises(UnknownIdError, match="no cohort 3"):
        cohorts.members(3)
    with pytest.raises(ParameterError, match="n_cohorts must be a whole number from 2"):
        find_cohorts(cohorts.model, 1)
    with pytest.raises(DataError, match="100 cohorts need"):
        find_cohorts(cohorts.model, 100)
    with pytest.raises(ParameterError, match="max_seen"):
        cohorts.recommend(1, max_seen=2)
    with pytest.raises(ParameterError, match="of must be"):
        cohorts.over_liked(1, of="colours")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no tags"):
        cohorts.over_liked(1, of="tags")
