"""Neighbourhood filtering against slow loops, and against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import coterie as ct
from coterie.errors import ParameterError
from coterie.models.neighborhood import NeighborhoodModel
from tests.models.folds import cross_validated
from tests.models.slow import interactions, likeness, predict, world

AGGREGATIONS = ("mean", "weighted", "centered", "zscore", "baseline")
SETTINGS: list[dict[str, Any]] = [
    {},
    {"n_neighbors": 2},
    {"min_neighbors": 4, "min_overlap": 5},
    {"min_neighbors": 4, "n_neighbors": 3},
    {"similarity": "pearson", "n_neighbors": 3},
    {"similarity": "pearson", "absolute": True, "n_neighbors": 3},
    {"similarity": "pearson", "reading": "notebook", "shrinkage": 4.0},
    {"similarity": "jaccard", "n_neighbors": 4},
    {"similarity": "manhattan", "n_neighbors": 3},
    {"similarity": "euclidean", "reading": "notebook", "shrinkage": 2.0, "n_neighbors": 3},
    {"similarity": "chebyshev", "reading": "notebook"},
]
MODELS: list[type[NeighborhoodModel]] = [ct.UserKNN, ct.ItemKNN]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda cls: cls.name)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@each_model
def test_predictions_are_the_four_steps(
    model: type[NeighborhoodModel], aggregation: Any, settings: dict[str, Any]
) -> None:
    dense = world(20)
    x = interactions(dense)
    fitted = model(aggregation=aggregation, ranking="rating", **settings).fit(x)
    scores = fitted.score(x.to_scipy(), np.arange(20))
    pairs = [(u, i) for u in range(0, 20, 3) for i in range(0, 10, 2)]
    by_items = model is ct.ItemKNN
    expected = [predict(dense, u, i, aggregation=aggregation, by_items=by_items, **settings) for u, i in pairs]
    np.testing.assert_allclose([scores[pair] for pair in pairs], expected, rtol=2e-5)
    users, items = np.divmod(np.arange(dense.size), 10)  # of all users at once, another way is taken
    together = fitted.predict(users + 1, items + 101)
    np.testing.assert_allclose(together, np.clip(scores.ravel(), 0.5, 5.0), rtol=1e-5)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("similarity", ["cosine", "manhattan", "pearson"])
@each_model
def test_lists_are_ranked_by_sums(model: type[NeighborhoodModel], similarity: Any, normalize: bool) -> None:
    dense = world(20)
    x = interactions(dense)
    scores = model(similarity=similarity, n_neighbors=4, normalize=normalize).fit(x).score(x.to_scipy(), np.arange(20))
    rows = dense.T if model is ct.ItemKNN else dense
    said = scores.T if model is ct.ItemKNN else scores
    for row in range(len(rows)):
        weights = [w for w, _ in likeness(rows, row, similarity, "table", 0.0)]
        near = sorted((v for v in range(len(rows)) if v != row and weights[v] > 0), key=lambda v: (-weights[v], v))[:4]
        total = sum(weights[v] for v in near) if normalize else 1.0
        for column in range(rows.shape[1]):
            terms = [weights[v] * rows[v, column] for v in near if not np.isnan(rows[v, column])]
            expected = sum(terms) / total if terms else np.nan
            assert said[row, column] == pytest.approx(expected, rel=2e-5, nan_ok=True)


# ---- by hand ---------------------------------------------------------------------------------------------

NAN = np.nan
TOY = [
    [4.0, 2.0, NAN],  # ‖·‖ = √20; asked for item 103
    [4.0, 2.0, 5.0],  # √45, cosine with user 1: 20 / √900 = 2/3
    [2.0, 4.0, 2.0],  # √24, cosine with user 1: 16 / √480
    [NAN, NAN, 1.0],  # shares nothing with user 1
]


def test_user_based_by_hand() -> None:
    x = interactions(TOY)
    w2, w3 = 20 / np.sqrt(20 * 45), 16 / np.sqrt(20 * 24)
    means, spreads = [3, 11 / 3, 8 / 3], [1.0, np.std([4, 2, 5]), np.std([2, 4, 2])]
    z2, z3 = 5 - means[1], 2 - means[2]
    expected = {
        "mean": 7 / 2,
        "weighted": (5 * w2 + 2 * w3) / (w2 + w3),
        "centered": 3 + (w2 * z2 + w3 * z3) / (w2 + w3),
        "zscore": 3 + (w2 * z2 / spreads[1] + w3 * z3 / spreads[2]) / (w2 + w3),
    }
    for aggregation, rating in expected.items():
        model = ct.UserKNN(aggregation=aggregation).fit(x)  # type: ignore[arg-type]
        assert model.predict([1], [103])[0] == pytest.approx(rating), aggregation
        why = model.explain(1, 103)
        assert set(why.contributions["user"]) == {2, 3}
        assert dict(why.contributions.select("user", "rating").iter_rows()) == {2: 5.0, 3: 2.0}
        likeness_of = dict(why.contributions.select("user", "similarity").iter_rows())
        assert likeness_of == {2: pytest.approx(w2), 3: pytest.approx(w3)}
    why = ct.UserKNN(aggregation="weighted").fit(x).explain(1, 103)
    assert dict(why.contributions.select("user", "contribution").iter_rows()) == {
        2: pytest.approx(5 * w2 / (w2 + w3)),
        3: pytest.approx(2 * w3 / (w2 + w3)),
    }
    one = ct.UserKNN(aggregation="mean", n_neighbors=1).fit(x)
    assert one.predict([1], [103])[0] == pytest.approx(2.0)  # user 3 is nearest: .730 against .667
    assert ct.UserKNN(n_neighbors=1).fit(x).explain(1, 103, of="score").score == pytest.approx(2 * w3)


def test_item_based_by_hand() -> None:
    x = interactions(TOY)
    w1 = (4 * 5 + 2 * 2) / (6 * np.sqrt(30))  # items 103 and 101: norms √30 and √36
    w2 = (2 * 5 + 4 * 2) / (np.sqrt(24) * np.sqrt(30))
    means = [10 / 3, 8 / 3, 8 / 3]
    spreads = [np.std([4, 4, 2]), np.std([2, 2, 4]), np.std([5, 2, 1])]
    z1, z2 = 4 - means[0], 2 - means[1]
    expected = {
        "mean": 3.0,
        "weighted": (4 * w1 + 2 * w2) / (w1 + w2),
        "centered": means[2] + (w1 * z1 + w2 * z2) / (w1 + w2),
        "zscore": means[2] + spreads[2] * (w1 * z1 / spreads[0] + w2 * z2 / spreads[1]) / (w1 + w2),
    }
    for aggregation, rating in expected.items():
        model = ct.ItemKNN(aggregation=aggregation).fit(x)  # type: ignore[arg-type]
        assert model.predict([1], [103])[0] == pytest.approx(rating), aggregation
        assert model.predict_for({101: 4.0, 102: 2.0}, [103])[0] == pytest.approx(rating), aggregation
    why = ct.ItemKNN().fit(x).explain({101: 4.0, 102: 2.0}, 103)
    assert why.contributions["item"].to_list() == [101, 102]
    assert why.contributions["contribution"].to_list() == pytest.approx([4 * w1 / (w1 + w2), 2 * w2 / (w1 + w2)])
    assert ct.ItemKNN(n_neighbors=1).fit(x).explain(1, 103, of="score").score == pytest.approx(
        max((w1, 4 * w1), (w2, 2 * w2))[1]
    )


def test_where_nobody_can_speak_the_baseline_does() -> None:
    x = interactions(TOY)
    baseline = ct.BiasBaseline().fit(x)
    for model in (ct.UserKNN(min_neighbors=3), ct.ItemKNN(min_neighbors=3)):
        fitted = model.fit(x)
        assert fitted.predict([1, 4], [103, 101]) == pytest.approx(baseline.predict([1, 4], [103, 101]))
        why = fitted.explain(1, 103)
        assert why.contributions.is_empty()
        assert "too few" in why.summary


def test_similar_items_of_a_distance_share_something() -> None:
    x = interactions([[4.0, 4.0, NAN], [3.0, 2.0, NAN], [NAN, NAN, 5.0]])
    for model in MODELS:
        for reading in ("table", "notebook"):
            found = model(similarity="manhattan", reading=reading).fit(x).similar_items([101, 103])  # type: ignore[arg-type]
            assert found.select("item", "neighbor").rows() == [(101, 102)]
            assert found["similarity"][0] == pytest.approx(1 / (1 + (1.0 if reading == "table" else 0.5)))


@pytest.mark.parametrize("settings", [*SETTINGS, {"weighting": "tfidf"}, {"weighting": "bm25"}], ids=str)
def test_both_models_find_the_same_items_similar(settings: dict[str, Any]) -> None:
    x = interactions(world(30, 12, seed=3))
    items = x.items.ids.tolist()
    tables = [model(**settings).fit(x).similar_items(items, 4) for model in MODELS]
    assert_frame_equal(*tables)


UP_AND_DOWN = [[1, 1, NAN, NAN], [1, 1, 1, NAN], [1, 1, -1, NAN], [NAN, NAN, NAN, 1]]


def test_a_sum_that_cancels_is_0_and_not_nothing() -> None:
    """A thumb up and a thumb down from neighbours as near as each other: 0, which is more than a thumb down."""
    of_users = ct.UserKNN().fit(interactions(UP_AND_DOWN))
    assert of_users.recommend_for({101: 1.0, 102: 1.0}).select("item", "score").rows() == [(103, 0.0)]
    assert of_users.explain(1, 103, of="score").contributions["contribution"].abs().min() > 0
    of_items = ct.ItemKNN(similarity="jaccard").fit(interactions(UP_AND_DOWN))
    assert of_items.recommend_for({101: 1.0, 102: -1.0}).select("item", "score").rows() == [(103, 0.0)]
    assert of_items.recommend_for({101: 0.0}).select("item", "score").rows() == [(102, 0.0), (103, 0.0)]
    assert np.isnan(of_items.score(of_items.train_.to_scipy())[0, 3])  # there is nothing to add up


@each_model
def test_normalize_is_for_sums(model: type[NeighborhoodModel]) -> None:
    with pytest.raises(ParameterError, match=r"normalize.*ranking='sum'"):
        model(normalize=True, ranking="rating").fit(interactions(TOY))


@each_model
def test_term_weighting_changes_who_is_near(model: type[NeighborhoodModel]) -> None:
    x = interactions(world(30, 12, seed=3))
    tables = [model(weighting=w).fit(x).score(x.to_scipy()) for w in ("none", "tfidf", "bm25")]  # type: ignore[arg-type]
    assert not np.array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[1], tables[2])


# ---- real ratings ----------------------------------------------------------------------------------------


def test_published_accuracy_of_neighbors_over_a_baseline(shared: Path) -> None:
    """Surprise's "k-NN baseline" has RMSE 0.931 and MAE 0.733 on these folds with mean squared differences; mean
    absolute differences do as well."""
    rmse, mae = cross_validated(
        lambda: ct.UserKNN(aggregation="baseline", similarity="manhattan", reading="notebook", n_neighbors=40), shared
    )
    assert rmse == pytest.approx(0.931, abs=0.001)
    assert mae == pytest.approx(0.733, abs=0.001)


def test_pearson_shrunk_by_overlap_does_better(shared: Path) -> None:
    rmse, mae = cross_validated(
        lambda: ct.UserKNN(aggregation="baseline", similarity="pearson", shrinkage=20.0, n_neighbors=40), shared
    )
    assert rmse < 0.926
    assert mae < 0.726


def test_what_is_cut_to_the_scale_is_part_of_the_sum() -> None:
    rows = [[5, 4, 0], [5, 1, 5], [4, 2, 5], [5, 1, 5]]
    frame = pl.DataFrame([(u, i, float(r)) for u, row in enumerate(rows) for i, r in enumerate(row) if r],
                         schema=["u", "i", "r"], orient="row")  # fmt: skip
    model = ct.UserKNN(aggregation="centered").fit(ct.Interactions.from_frame(frame, "u", "i", "r"))
    why = model.explain(0, 2)
    assert why.score == model.predict([0], [2])[0] == 5
    uncut = why.base + why.contributions["contribution"].sum()
    assert uncut > 5
    assert why.cut == pytest.approx(5 - uncut)
    assert model.explain(0, 1).cut == 0


def test_counting_the_unrated_as_zero_is_what_it_says() -> None:
    rows = [[5, 0, 4], [3, 2, 0], [0, 4, 5], [0, 0, 1]]
    frame = pl.DataFrame(
        [(u, i, float(r)) for u, row in enumerate(rows) for i, r in enumerate(row) if r],
        schema=["u", "i", "r"],
        orient="row",
    )
    x = ct.Interactions.from_frame(frame, "u", "i", "r")
    # users 0 and 1 rated item 0; its nearest is item 2: (5 + 4 + 3 + 0) / 4
    assert ct.similarity.neighbors(x, "cosine", 1, axis="items").of(0)["neighbor"].to_list() == [2]
    assert ct.ItemKNN(n_neighbors=2).fit(x).mean_with_unrated_as_zero(0) == 3
    assert ct.ItemKNN(n_neighbors=1).fit(x).mean_with_unrated_as_zero(0) == 4
