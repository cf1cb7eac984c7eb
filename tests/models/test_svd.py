"""SVD and PureSVD against scipy, LAPACK and their formulas, and SVD against published accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.sparse.linalg import svds

import coterie as ct
from coterie.errors import ParameterError
from tests.contract.cases import interactions
from tests.models import folds

random = np.random.default_rng(3)
DENSE = np.where(random.random((50, 30)) < 0.4, random.integers(1, 11, (50, 30)) / 2, 0.0)
DENSE[7], DENSE[:, 4] = 0.0, 0.0
X = interactions(DENSE)


def aligned(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The same columns with the signs of the others'."""
    return vectors * np.sign((vectors * others).sum(axis=0))


def test_without_centering_it_is_the_truncated_svd_of_the_ratings_with_zeros() -> None:
    model = ct.SVD(n_factors=6, centering="none").fit(X)
    u, s, vt = svds(DENSE, k=6)
    u, s, v = u[:, ::-1], s[::-1], vt[::-1].T
    np.testing.assert_allclose(model.singular_values_, s, rtol=1e-5)
    np.testing.assert_allclose(aligned(v, model.item_factors_), model.item_factors_, atol=1e-4)
    np.testing.assert_allclose(aligned(u * s, model.user_factors_), model.user_factors_, atol=1e-3)
    scores = model.score(X.to_scipy())
    rated = DENSE.any(axis=0)
    np.testing.assert_allclose(scores[3, rated], (u * s @ v.T)[3, rated], atol=1e-4)
    assert np.isnan(scores[:, ~rated]).all()
    predicted = model.predict([4] * 30, X.items.ids)  # user row 3
    np.testing.assert_allclose(predicted[rated], np.clip((u * s @ v.T)[3, rated], 0.5, 5), atol=1e-4)
    assert (np.abs(model.item_factors_).max(axis=0) == model.item_factors_.max(axis=0)).all()


@pytest.mark.parametrize("centering", ["none", "biases"])
def test_explained_shares_tell_the_error_of_every_rank(centering: str) -> None:
    model = ct.SVD(n_factors=40, centering=centering).fit(X)  # type: ignore[arg-type]
    centered, _ = model._centered(X.to_scipy())
    dense = centered.toarray().astype(np.float64)
    left = 1 - model.explained_share_.cumsum()
    for k in (1, 2, 10, 29):
        approximation = model.user_factors_[:, :k] @ model.item_factors_[:, :k].T
        assert np.square(dense - approximation).sum() / np.square(dense).sum() == pytest.approx(left[k - 1], abs=1e-5)
    assert not model.singular_values_[30:].any()  # the data has no more
    assert not model.item_factors_[:, 30:].any()


def test_centered_it_adds_what_the_biases_leave() -> None:
    model, baseline = ct.SVD(n_factors=3).fit(X), ct.BiasBaseline().fit(X)
    users, items = np.repeat(X.users.ids, 30), np.tile(X.items.ids, 50)
    usual = (baseline.mean_ + baseline.user_biases(X.to_scipy())[:, None] + baseline.item_biases_).astype(np.float64)
    left = np.where(DENSE > 0, DENSE - usual, 0)
    u, s, vt = np.linalg.svd(left)
    expected = usual + u[:, :3] * s[:3] @ vt[:3]
    np.testing.assert_allclose(model.predict(users, items).reshape(50, 30), np.clip(expected, 0.5, 5), atol=1e-4)
    np.testing.assert_allclose(model.user_offsets_, usual[:, 0] - model.item_biases_[0], atol=1e-5)
    unknown = model.predict_for({}, X.items.ids)
    np.testing.assert_allclose(unknown, np.clip(baseline.mean_ + baseline.item_biases_, 0.5, 5), rtol=1e-6)


def test_contributions_are_the_formula() -> None:
    model = ct.SVD(n_factors=3).fit(X)
    profile = {101: 5.0, 103: 1.0, 110: 3.0}
    why = model.explain(profile, 120)
    row = model._profile(profile)
    centered, offsets = model._centered(row)
    assert offsets is not None
    through = model.item_factors_ @ model.item_factors_[19]
    expected = dict(zip([101, 103, 110], centered.data * through[row.indices], strict=True))
    for line in why.contributions.iter_rows(named=True):
        assert line["rating"] == profile[line["item"]]
        assert line["contribution"] == pytest.approx(expected[line["item"]], rel=1e-4)
    assert why.base == pytest.approx(float(offsets[0] + model.item_biases_[19]))


def test_pure_svd_scores_as_svd_without_centering_and_only_ranks() -> None:
    pure, plain = ct.PureSVD(n_factors=5).fit(X), ct.SVD(n_factors=5, centering="none").fit(X)
    assert repr(pure) == "PureSVD(n_factors=5, tolerance=0.001)"
    assert "centering" not in pure.parameters()
    scores = pure.score(X.to_scipy())
    np.testing.assert_array_equal(scores, plain.score(X.to_scipy()))
    q = np.linalg.svd(DENSE)[2][:5].T
    rated = DENSE.any(axis=0)
    np.testing.assert_allclose(scores[0, rated], (DENSE[0] @ q @ q.T)[rated], atol=1e-4)  # equation 12
    with pytest.raises(TypeError, match="centering"):
        ct.PureSVD(centering="biases")  # type: ignore[call-arg]


def test_an_item_whose_ratings_are_all_as_expected_has_a_score() -> None:
    model = ct.SVD().fit(interactions([[3, 3, 0], [3, 0, 3], [0, 3, 3]]))
    assert not model.item_factors_.any()
    assert model.recommend([1])["item"].to_list() == [103]
    np.testing.assert_allclose(model.predict([1, 1], [101, 103]), 3)


def test_new_users_are_folded_in() -> None:
    model = ct.SVD(n_factors=4).fit(X)
    new = ct.Interactions.from_frame(
        pl.DataFrame({"user": [900, 900], "item": [101, 102], "rating": [5.0, 1.0]}), "user", "item", "rating"
    )
    expected = model.score(model._profile({101: 5.0, 102: 1.0}))
    model.update(new)
    np.testing.assert_allclose(model.user_factors_[-1] @ model.item_factors_[5], expected[0, 5] -
        model.user_offsets_[-1] - model.item_biases_[5], atol=1e-5)  # fmt: skip
    assert model.user_factors_.shape == (51, 4)


@pytest.mark.parametrize("model", [ct.SVD(n_factors=4), ct.PureSVD(n_factors=4)], ids=str)
def test_new_items_wait_for_a_fit(model: ct.SVD) -> None:
    before = model.fit(X).score(X.to_scipy())
    new = ct.Interactions.from_frame(
        pl.DataFrame({"user": [900, 900], "item": [101, 7000], "rating": [5.0, 1.0]}), "user", "item", "rating"
    )
    model.update(new)
    scores = model.score(model.train_.to_scipy())
    assert scores.shape == (51, X.n_items + 1)
    np.testing.assert_allclose(scores[:-1, :-1], before, atol=1e-5)
    assert np.isnan(scores[:, -1]).all() and np.isfinite(scores[-1]).any()
    assert 7000 not in model.recommend(900, 1000, exclude_seen=False)["item"]
    assert np.isfinite(model.fit(model.train_).score(model.train_.to_scipy())[:, -1]).any()


@pytest.mark.parametrize("tolerance", [0.0, 0.5])
def test_the_tolerance_has_its_range(tolerance: float) -> None:
    with pytest.raises(ParameterError, match=r"tolerance must be between 1e-06 and 0\.1"):
        ct.SVD(tolerance=tolerance).fit(X)


def test_accuracy_on_movielens(shared: Path) -> None:
    rmse, mae = folds.cross_validated(lambda: ct.SVD(n_factors=16), shared)
    assert rmse < 0.928 and mae < 0.732
