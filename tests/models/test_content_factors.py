"""Factors from content: maps against dense solutions, ALS with features against its equation, items nobody rated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge

import coterie as ct
from coterie.content.features import ItemFeatures
from coterie.data.catalog import Catalog
from coterie.errors import DataError, ParameterError
from coterie.evaluation import split
from coterie.models.content_maps import CONSTANT, Ridge, content_of, kernel_map
from tests.contract.cases import UNRATED_ITEM, catalog, interactions, world

DENSE = [[5, 3, 0, 1, 0], [4, 0, 2, 1, 0], [1, 1, 0, 5, 0], [0, 2, 5, 4, 0]]


def about(genres: list[str], titles: list[str] | None = None) -> Catalog:
    """A catalog of items from 101 with these genres."""
    frame = pl.DataFrame({"item": range(101, 101 + len(genres)), "genres": genres})
    return Catalog.from_titles(frame if titles is None else frame.with_columns(pl.Series("title", titles)))


# ---- what items are about --------------------------------------------------------------------------------


def test_features_stand_side_by_side_in_rows_of_length_one() -> None:
    x = interactions(DENSE)
    known = about(["War", "War|Drama", "Drama", "Comedy", ""], ["a (1990)", "b (1995)", "c (2000)", "d", "e"])
    content = content_of(x, known, "genres+years", "it")
    assert content.names[0] == CONSTANT and "genres: War" in content.names and "years: about 1995" in content.names
    matrix = content.matrix.toarray()
    genres = matrix[:, [name.startswith("genres") for name in content.names]]
    years = matrix[:, [name.startswith("years") for name in content.names]]
    np.testing.assert_allclose(np.linalg.norm(genres, axis=1), [1, 1, 1, 1, 0], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(years, axis=1), [1, 1, 1, 0, 0], rtol=1e-6)
    near, far = years[0] @ years[1], years[0] @ years[2]
    assert 1 > near > far > 0
    assert matrix[:, 0].tolist() == [1, 1, 1, 1, 0]
    assert not matrix[4].any()
    assert content_of(x, known, "all", "it").names == content.names  # there are no tags and no genome


@pytest.mark.parametrize("features", ["", "genre", "genres+", "genres+genres", "all+genres"])
def test_features_that_there_are_not_are_named(features: str) -> None:
    with pytest.raises(ParameterError, match="ContentFactors: features must be 'all', or some of genres, tags"):
        ct.ContentFactors(features=features).fit(world(), catalog())


def test_content_is_needed() -> None:
    for model in (ct.ContentFactors(), ct.ALS(features="all"), ct.Hybrid("item-knn+content-factors")):
        assert model.needs_catalog
        with pytest.raises(DataError, match="needs a catalog with genres, tags, a tag genome or years"):
            model.fit(world())
    nothing = Catalog.from_titles(pl.DataFrame({"item": world().items.ids}))
    with pytest.raises(DataError, match="needs a catalog with genres"):
        ct.ContentFactors().fit(world(), nothing)
    with pytest.raises(DataError, match="years need a catalog with years"):
        ct.ContentFactors(features="years").fit(world(), nothing)
    assert not ct.ALS().needs_catalog


# ---- maps ------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 12), m=st.integers(1, 12), seed=st.integers(0, 2**16), lam=st.sampled_from([0.01, 1.0, 30.0]))
def test_ridge_is_the_dense_solution(n: int, m: int, seed: int, lam: float) -> None:
    random = np.random.default_rng(seed)
    f, y = random.random((n, m)) * (random.random((n, m)) < 0.6), random.standard_normal((n, 3))
    a = random.integers(0, 4, n).astype(float)
    found = Ridge(sp.csr_matrix(f), a, lam).solve(y)  # n < m takes the other formula
    expected = np.linalg.solve(f.T @ (a[:, None] * f) + lam * np.eye(m), f.T @ (a[:, None] * y))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def kernel_case(n: int = 30) -> tuple[ItemFeatures, Any, Any]:
    random = np.random.default_rng(5)
    f = random.random((n, 6)).astype(np.float32)
    features = ItemFeatures(tuple("abcdef"), sp.csr_matrix(f), "made")
    return features, random.integers(1, 5, n).astype(float), random.standard_normal((n, 2))


def test_a_kernel_map_around_all_items_is_kernel_ridge_regression() -> None:
    features, a, y = kernel_case()
    a[20:] = 0
    found = kernel_map(features, a, y, np.arange(20, 30), 0.3, 0.8, n_landmarks=500)
    f, mean = features.matrix.toarray().astype(float), a @ y / a.sum()
    other = KernelRidge(alpha=0.3, kernel="rbf", gamma=1 / (2 * 0.8**2)).fit(
        f[:20], y[:20] - mean, sample_weight=a[:20]
    )
    np.testing.assert_allclose(found, other.predict(f[20:]) + mean, rtol=1e-5, atol=1e-6)


def test_few_landmarks_are_the_items_with_most_and_solve_the_smaller_problem() -> None:
    features, a, y = kernel_case()
    found = kernel_map(features, a, y, np.array([3]), 0.3, 0.8, n_landmarks=4)
    f = features.matrix.toarray().astype(float)

    def kernel(left: Any, right: Any) -> Any:
        return np.exp(-((left[:, None] - right[None]) ** 2).sum(axis=2) / (2 * 0.8**2))

    marks = np.sort(np.argsort(-a, kind="stable")[:4])
    across, mean = kernel(f, f[marks]), a @ y / a.sum()
    left = across.T @ (a[:, None] * across) + 0.3 * kernel(f[marks], f[marks])
    c = np.linalg.solve(left, across.T @ (a[:, None] * (y - mean)))
    np.testing.assert_allclose(found, kernel(f[[3]], f[marks]) @ c + mean, rtol=1e-6)


# ---- ALS with features -----------------------------------------------------------------------------------


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("count_weighted", [True, False])
def test_the_objective_with_features_is_that_of_the_docstring_and_never_rises(
    biases: bool, count_weighted: bool
) -> None:
    x, known = world(), catalog()
    model = ct.ALS(3, 0.2, count_weighted, biases, n_iterations=8, features="genres+tags", feature_regularization=0.7)
    model.fit(x, known)
    assert (np.diff(model.objective_) <= 1e-6 * model.objective_[0]).all()
    items = np.column_stack([model.item_factors_, model.item_biases_]) if biases else model.item_factors_
    people = model.user_factors_.astype(float)
    offsets = model.user_offsets_ - model.mean_ if biases else np.zeros(x.n_users)
    said = content_of(x, known, "genres+tags", "it").matrix.toarray() @ model.feature_factors_
    predicted = (people @ model.item_factors_.T)[x.user_index, x.indices]
    if biases:
        predicted = predicted + model.user_offsets_[x.user_index] + model.item_biases_[x.indices]
    n_u, n_i = (c if count_weighted else c > 0 for c in (x.user_counts, x.item_counts))
    total = float(((x.values - predicted) ** 2).sum())
    total += 0.2 * float(n_u @ ((people**2).sum(axis=1) + offsets**2)) + 0.2 * float(n_i @ ((items - said) ** 2).sum(1))
    total += 0.7 * float((model.feature_factors_**2).sum())
    assert model.objective_[-1] == pytest.approx(total, rel=1e-5)
    np.testing.assert_allclose(items[UNRATED_ITEM], said[UNRATED_ITEM], rtol=1e-5, atol=1e-6)


def test_where_it_ends_items_solve_their_equations_and_the_map_is_the_ridge_of_them() -> None:
    x, known = interactions(DENSE), about(["War", "War|Drama", "Drama", "Comedy", "War"])
    model = ct.ALS(2, 0.3, biases=False, n_iterations=400, features="genres", feature_regularization=2.0).fit(x, known)
    content = content_of(x, known, "genres", "it").matrix.toarray().astype(float)
    q, p = model.item_factors_.astype(float), model.user_factors_.astype(float)
    said = content @ model.feature_factors_
    for item, ratings in enumerate(np.array(DENSE).T):
        rated = np.flatnonzero(ratings)
        left = p[rated].T @ p[rated] + 0.3 * len(rated) * np.eye(2)
        right = p[rated].T @ ratings[rated] + 0.3 * len(rated) * said[item]
        expected = np.linalg.solve(left, right) if len(rated) else said[item]
        np.testing.assert_allclose(q[item], expected, rtol=1e-3, atol=1e-3)
    n = 0.3 * x.item_counts
    expected = np.linalg.solve(content.T @ (n[:, None] * content) + 2 * np.eye(4), content.T @ (n[:, None] * q))
    np.testing.assert_allclose(model.feature_factors_, expected, rtol=1e-3, atol=1e-3)


def test_features_need_a_pull() -> None:
    with pytest.raises(ParameterError, match="features take a regularization above 0"):
        ct.ALS(2, 0.0, features="genres").fit(world(), catalog())


# ---- items that nobody rated -----------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["als", "implicit-als", "svd", "nmf", "bpr", "biased-mf", "svd++"])
@pytest.mark.parametrize("mapping", ["ridge", "kernel"])
def test_only_what_nobody_rated_changes(model: str, mapping: Any) -> None:
    x = world()
    plain = ct.ContentFactors(model)._plain.fit(x)
    made = ct.ContentFactors(model, mapping=mapping).fit(x, catalog())
    assert made.mapped_.tolist() == (x.item_counts == 0).tolist()
    rows = np.arange(x.n_users)
    before, after = plain.score(x.to_scipy(), rows), made.score(x.to_scipy(), rows)
    rated = x.item_counts > 0
    np.testing.assert_allclose(after[:, rated], before[:, rated], rtol=1e-5, atol=1e-6)
    assert np.isnan(before[:, UNRATED_ITEM]).all()
    assert np.isfinite(after[x.user_counts > 0, UNRATED_ITEM]).all()
    why = made.explain(int(x.users.ids[0]), int(x.items.ids[UNRATED_ITEM]), of="score")
    assert "Nobody has rated it: its factors come from its content." in why.summary


def test_a_model_without_factors_is_refused() -> None:
    for model in ("item-knn", ct.EASE()):
        with pytest.raises(ParameterError, match="base must be one of factors, such as implicit-als, als or bpr"):
            ct.ContentFactors(model).fit(world(), catalog())


def test_an_item_without_ratings_and_without_features_has_no_score() -> None:
    x = interactions(DENSE)
    for model in (ct.ContentFactors("als"), ct.ALS(features="genres")):
        scores = model.fit(x, about(["War", "War|Drama", "Drama", "Comedy", ""])).score(x.to_scipy())
        assert np.isnan(scores[:, 4]).all()
        assert np.isfinite(scores[:, :4]).all()


@pytest.mark.parametrize("model", [ct.ContentFactors(), ct.ContentFactors("als"), ct.ALS(features="genres+tags")])
def test_a_new_item_that_the_catalog_knows_has_a_score_after_an_update(model: Any, tmp_path: Path) -> None:
    """Item -5 stands in the catalog and in no rating; one user rates another item that was not there."""
    model.fit(world(), catalog())
    new = world().select(np.arange(world().nnz) < 3).with_items([-5, 70_001])
    model.update(new)
    assert model.train_.items.ids[-2:].tolist() == [-5, 70_001]
    scores = model.score(model.train_.to_scipy(), np.arange(model.train_.n_users))
    known = model.train_.user_counts > 0
    assert np.isfinite(scores[known, -2]).all()
    assert np.isnan(scores[:, -1]).all()
    model.save(tmp_path / "model")
    again = ct.load_model(tmp_path / "model").score(model.train_.to_scipy(), np.arange(model.train_.n_users))
    assert again.tobytes() == scores.tobytes()


def test_an_update_learns_from_what_ratings_taught_alone() -> None:
    """People become what they become in the model by itself: mapped rows are no ratings."""
    new = world().select(np.arange(world().nnz) < 3).with_items([70_001])
    model, plain = ct.ContentFactors().fit(world(), catalog()).update(new), ct.ImplicitALS().fit(world()).update(new)
    assert model.mapped_[UNRATED_ITEM]
    np.testing.assert_allclose(model.model_.user_factors_, plain.user_factors_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.model_.gram_, plain.gram_, rtol=1e-3, atol=1e-4)


# ---- cold start ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cold() -> tuple[ct.Dataset, Any]:
    dataset = ct.load("synthetic:400x300x12000?seed=1")
    return dataset, split(dataset.interactions, "new-items", 0)


def test_held_out_items_are_ranked_better_than_by_chance_and_rated_better_than_by_their_mean(
    cold: tuple[ct.Dataset, Any],
) -> None:
    dataset, parts = cold
    models = [
        "random",
        "popularity",
        "genre-knn",
        ct.ContentFactors(),
        ct.ALS(),
        ct.ALS(features="all", feature_regularization=100.0),
    ]
    board = ct.compare(dataset, models, split=parts, metrics=["ndcg@10", "rmse"], progress=False)
    found = {row.model: row.estimates for row in board.rows}
    lists = {name: e["ndcg@10"].value for name, e in found.items()}
    assert lists["content-factors"] > max(lists["random"], lists["popularity"], lists["genre-knn"])
    assert lists["als"] == 0  # it has nothing to say of them
    assert found["als(features=all, feature_regularization=100.0)"]["rmse"].value < found["als"]["rmse"].value
