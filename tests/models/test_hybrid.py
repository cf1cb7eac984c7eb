"""Hybrids: one scale, weights by a climb, turns, ratings, explanations, and what is kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import coterie as ct
from coterie.errors import CapabilityError, ParameterError
from coterie.evaluation import split
from coterie.models.blending import climb, list_quality, mean_rating, on_one_scale, rating_weights, weighted_sum
from tests.contract.cases import UNRATED_ITEM, catalog, interactions, profile_of, world
from tests.models.fixed import Fixed

NAN = float("nan")


def test_scores_on_one_scale_by_hand() -> None:
    scores = np.array([[1, 2, NAN, 3], [7, 7, 7, NAN], [NAN] * 4, [5, NAN, NAN, NAN]], np.float32)
    spread = np.sqrt(2 / 3)
    np.testing.assert_allclose(
        on_one_scale(scores, "standard"),
        [[-1 / spread, 0, NAN, 1 / spread], [0, 0, 0, NAN], [NAN] * 4, [0, NAN, NAN, NAN]], rtol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(
        on_one_scale(scores, "rank"), [[-0.5, 0, NAN, 0.5], [0, 0, 0, NAN], [NAN] * 4, [0, NAN, NAN, NAN]]
    )


@given(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=20), st.floats(0.01, 100), st.floats(-50, 50))
def test_another_scale_makes_no_difference(row: list[float], factor: float, shift: float) -> None:
    scores = np.array([row])
    if scores.std() < 0.01:
        return
    moved = scores * factor + shift
    np.testing.assert_allclose(on_one_scale(moved, "standard"), on_one_scale(scores, "standard"), atol=1e-3)


def test_a_part_with_nothing_to_say_counts_as_its_mean() -> None:
    parts = [np.array([[1.0, NAN, NAN]], np.float32), np.array([[2.0, 4.0, NAN]], np.float32)]
    np.testing.assert_allclose(weighted_sum(parts, np.array([0.25, 0.75])), [[1.75, 3.0, NAN]])
    np.testing.assert_allclose(weighted_sum(parts, np.array([1.0, 0.0])), [[1.0, NAN, NAN]])
    np.testing.assert_allclose(weighted_sum(parts, np.array([[1, 0, 0], [0, 1, 1]])), [[1.0, 4.0, NAN]])


def test_list_quality_is_the_ndcg_of_each_list() -> None:
    scores = np.array([[3, 2, 1, 0], [0, 1, NAN, NAN]], np.float32)
    relevant = np.array([[0, 1, 1, 0], [0, 0, 1, 1]], bool)
    first = (1 / np.log2(3) + 1 / 2) / (1 + 1 / np.log2(3))
    assert list_quality(scores, relevant, 3) == pytest.approx([first, 0])


@given(st.integers(1, 4), st.integers(0, 1000))
def test_a_climb_is_never_worse_than_where_it_began(n: int, seed: int) -> None:
    aim = np.random.default_rng(seed).dirichlet(np.ones(n))

    def quality(weights: Any) -> np.ndarray:
        return np.full(5, -((weights - aim) ** 2).sum())  # the lists agree, so that no difference is chance

    weights = climb(quality, n)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
    starts = [np.full(n, 1 / n), *np.eye(n)]
    assert quality(weights).mean() >= max(quality(start).mean() for start in starts) - 1e-12
    assert np.abs(weights - aim).max() < 0.1  # this one has no local optima


def test_a_climb_ends_at_equal_weights_unless_lists_agree_that_others_are_better() -> None:
    noise = np.random.default_rng(0).standard_normal(100)
    best = np.array([0.9, 0.1])

    def quality(loss: float) -> Any:  # each list wants other weights by chance; all of them lose by `loss`
        return lambda weights: noise * (weights[0] - 0.5) - loss * abs(weights[0] - best[0])

    assert climb(quality(10.0), 2) == pytest.approx(best)
    assert climb(quality(0.01), 2).tolist() == [0.5, 0.5]


def test_rating_weights_are_the_least_squares_on_the_simplex() -> None:
    random = np.random.default_rng(3)
    actual = random.uniform(1, 5, 200)
    predicted = actual[:, None] + random.standard_normal((200, 3)) * [0.5, 1.0, 2.0] + [0, 0.1, -2]
    predicted[5, 1] = NAN
    found = rating_weights(predicted, actual)
    keep = np.arange(200) != 5
    other = minimize(
        lambda w: ((predicted[keep] @ w - actual[keep]) ** 2).mean(), np.full(3, 1 / 3), bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, method="SLSQP", tol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(found, other.x, atol=1e-4)
    assert rating_weights(np.full((4, 2), NAN), actual[:4]).tolist() == [0.5, 0.5]


def test_ratings_are_the_mean_of_who_answers() -> None:
    predicted = np.array([[4.0, 2.0], [NAN, 2.0], [NAN, NAN]])
    np.testing.assert_allclose(mean_rating(predicted, np.array([0.75, 0.25])), [3.5, 2.0, NAN])
    np.testing.assert_allclose(mean_rating(predicted, np.array([1.0, 0.0])), [4.0, 2.0, NAN])


# ---- the model -------------------------------------------------------------------------------------------


def test_weighted_by_hand() -> None:
    x = interactions([[5, 5, 5, 0]])
    model = ct.Hybrid([Fixed((1, 2, 3, NAN)), Fixed((3, 2, 1, 7))], weights=[1, 3]).fit(x)
    a = on_one_scale(np.array([[1, 2, 3, NAN], [3, 2, 1, 7]]), "standard")
    np.testing.assert_allclose(model.score(x.to_scipy())[0], 0.25 * np.nan_to_num(a[0]) + 0.75 * a[1], rtol=1e-5)
    assert model.weights_ == {"fixed": 0.25, "fixed 2": 0.75}


def test_switching_by_profile_and_by_item() -> None:
    x = interactions([[5, 5, 5, 0], [4, 0, 0, 0]])
    first, last = (1, NAN, 3, 9), (3, 2, 1, 7)  # item 104 has no ratings
    model = ct.Hybrid([Fixed(first), Fixed(last)], combine="switching", min_profile=2).fit(x)
    one, other = on_one_scale(np.array([first, last]), "standard")
    scores = model.score(x.to_scipy(), np.arange(2))
    np.testing.assert_allclose(scores[0], [one[0], other[1], one[2], other[3]], rtol=1e-6)
    np.testing.assert_allclose(scores[1], other, rtol=1e-6)


def test_names_that_end_with_a_plus_are_understood() -> None:
    assert ct.Hybrid("svd+++tag-knn").labels == ["svd++", "tag-knn"]
    assert ct.Hybrid("ease + svd++").labels == ["ease", "svd++"]
    assert ct.Hybrid("als+als+als").labels == ["als", "als 2", "als 3"]


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"parts": "ease+nonsense"}, r"Hybrid: parts='ease\+nonsense': unknown model 'nonsense'"),
        ({"parts": []}, "Hybrid: parts must have a model at least"),
        ({"parts": [3]}, "Hybrid: parts must be models or names of models, not 3"),
        ({"parts": "als+bias", "weights": "1"}, "Hybrid: weights must be 2 numbers, one a part"),
        ({"parts": "als+bias", "weights": "1+-1"}, "Hybrid: weights must be 2 numbers"),
        ({"parts": "als+bias", "weights": [0, 0]}, "Hybrid: weights must be 2 numbers"),
        ({"parts": "als+bias", "weights": "a+b"}, "Hybrid: weights must be 2 numbers"),
    ],
)
def test_what_is_no_hybrid_is_named(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        ct.Hybrid(**wrong).fit(world(), catalog())


def test_fitted_weights_find_the_part_that_knows() -> None:
    """One part is random and one is not."""
    x = ct.load("synthetic:200x80x4000?seed=2").interactions
    model = ct.Hybrid("random+item-knn").fit(x)
    assert model.weights_["item-knn"] > 0.6
    assert sum(model.weights_.values()) == pytest.approx(1)
    again = ct.Hybrid("random+item-knn").fit(x)
    assert again.weights_ == model.weights_  # the same seed, the same split
    assert ct.Hybrid("bias+random").fit(x).rating_weights_ == {"bias": 1.0, "random": 0.0}


def test_an_explanation_has_a_column_for_each_part_and_adds_up() -> None:
    x = world()
    model = ct.Hybrid("als+genre-knn", weights="1+1").fit(x, catalog())
    user, item = int(x.users.ids[0]), int(x.items.ids[0])
    why = model.explain(user, item, of="score")
    parts = why.contributions
    assert parts.columns == ["item", "rating", "als", "genre-knn", "contribution", "title"]
    np.testing.assert_allclose(parts["als"] + parts["genre-knn"], parts["contribution"], rtol=1e-9)
    score = model.score(x.to_scipy()[0], np.array([0]))[0, 0]
    assert why.base + parts["contribution"].sum() == pytest.approx(score, rel=1e-4)
    assert "als 0.50 + genre-knn 0.50" in why.summary
    by_part = ct.Hybrid("als+bias+random", weights="1+1+1").fit(x).explain(user, item, of="score").contributions
    assert by_part.columns == ["part", "contribution"] and len(by_part) == 3


def test_an_item_nobody_rated_is_left_to_the_part_that_knows_content() -> None:
    x = world()
    hybrid = ct.Hybrid("item-knn+tag-knn", weights="1+1").fit(x, catalog())
    assert np.isfinite(hybrid.score(x.to_scipy())[0, UNRATED_ITEM])
    turns = ct.Hybrid("item-knn+tag-knn", combine="switching").fit(x, catalog())
    alone = on_one_scale(ct.TagKNN().fit(x, catalog()).score(x.to_scipy()), "standard")
    np.testing.assert_allclose(turns.score(x.to_scipy())[:, UNRATED_ITEM], alone[:, UNRATED_ITEM], rtol=1e-5)


def test_parts_may_be_models_around_models_and_are_kept(tmp_path: Path) -> None:
    x = world()
    parts = [ct.Reranked(ct.EASE(), diversity=0.1), ct.ContentFactors(ct.ALS(n_factors=3)), "user-knn"]
    model = ct.Hybrid(parts, weights=[1, 2, 3]).fit(x, catalog())
    model.save(tmp_path / "model")
    loaded: Any = ct.load_model(tmp_path / "model")
    rows = np.arange(x.n_users)
    assert loaded.score(x.to_scipy(), rows).tobytes() == model.score(x.to_scipy(), rows).tobytes()
    assert loaded.parts_[1].model_.train_ is loaded.train_  # stored once
    assert loaded.labels == ["reranked", "content-factors", "user-knn"]
    assert not parts[0].is_fitted  # type: ignore[union-attr]  # copies are fitted


def test_a_part_that_cannot_take_in_new_items_is_named() -> None:
    model = ct.Hybrid(["user-knn", Fixed((1.0,) * world().n_items)], weights="1+1").fit(world())
    new = world().select(np.arange(world().nnz) < 3).with_items([70_001])
    with pytest.raises(CapabilityError, match="Hybrid cannot take them in, for its part Fixed has learned nothing"):
        model.update(new)


def test_strangers_get_lists_and_ratings() -> None:
    x = world()
    model = ct.Hybrid("als+genre-knn").fit(x, catalog())
    profile = profile_of(x, 3)
    assert len(model.recommend_for(profile))
    known = model.predict([int(x.users.ids[3])] * 2, x.items.ids[:2])
    np.testing.assert_allclose(model.predict_for(profile, x.items.ids[:2]), known, rtol=1e-4)


# ---- cold start ------------------------------------------------------------------------------------------


def test_a_hybrid_leads_on_items_held_out_in_a_small_world() -> None:
    dataset = ct.load("synthetic:300x250x8000?seed=1")
    parts = split(dataset.interactions, "new-items", 0)
    models = ["popularity", "genre-knn", "item-knn", ct.Hybrid("item-knn+content-factors")]
    board = ct.compare(dataset, models, split=parts, metrics=["ndcg@10"], progress=False)
    found = {row.model.partition("(")[0]: row.estimates["ndcg@10"] for row in board.rows}
    assert board.rows[0].model.startswith("hybrid")
    for other in ("popularity", "genre-knn"):
        assert found[other].p_value < 0.01
    assert found["item-knn"].value == 0


def test_what_a_hybrid_is_made_of_depends_on_the_catalog() -> None:
    x, known = world(), catalog()
    with_tags, without = ct.Hybrid(combine="switching").fit(x, known), ct.Hybrid(combine="switching")
    assert with_tags.labels == ["item-knn", "content-factors", "tag-knn"]
    plain = ct.Catalog(known.items)
    assert without.fit(x, plain).labels == ["item-knn", "content-factors", "genre-knn"]
