"""NMF against scikit-learn's, its own promises, and published accuracy."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import non_negative_factorization

import coterie as ct
from coterie.data.catalog import Catalog
from coterie.errors import DataError, ParameterError
from tests.contract.cases import interactions, world
from tests.models import folds

random = np.random.default_rng(5)
# Two tastes: the first half of the users rate the first half of the items, mostly
LIKES = np.where(np.arange(60)[:, None] % 2 == np.arange(24) % 2, 0.6, 0.08)
DENSE = np.where(random.random((60, 24)) < LIKES, random.integers(6, 11, (60, 24)) / 2, 0.0)
DENSE[7], DENSE[:, 4] = 0.0, 0.0
X = interactions(DENSE)


def peer(start: tuple[Any, Any], sweeps: int, solver: str) -> tuple[Any, Any]:
    w, h = (part.astype(np.float64) for part in start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        w, h, _ = non_negative_factorization(
            DENSE, W=w.copy(), H=h.copy(), n_components=len(h), init="custom", solver=solver, max_iter=sweeps, tol=0,
            alpha_W=0.02 / 24, alpha_H=0.02 / 60, l1_ratio=0.0,
        )  # fmt: skip
    return w, h


def squared(w: Any, h: Any) -> float:
    return float(np.square(DENSE - w @ h).sum() + 0.02 * np.square(w).sum() + 0.02 * np.square(h).sum())


def start(seed: int, k: int) -> tuple[Any, Any]:
    """Where `NMF` begins."""
    chance = np.random.default_rng(seed)
    w, h = (np.abs(chance.standard_normal((n, k), np.float32)) for n in DENSE.shape)
    scale = np.sqrt(DENSE.mean() / k)
    return w * scale, h.T * scale


def test_multiplicative_steps_have_the_trace_of_scikit_learn() -> None:
    model = ct.NMF(
        n_factors=5, reading="zeros", regularization=0.02, solver="multiplicative", n_iterations=12, random_state=3
    ).fit(X)
    trace = [squared(*peer(start(3, 5), sweeps, "mu")) for sweeps in range(1, 13)]
    np.testing.assert_allclose(model.objective_, trace, rtol=1e-5)


def test_zeros_reach_the_objective_of_scikit_learn() -> None:
    found, expected = [], []
    for seed in range(7):  # each start ends in a valley of its own
        model = ct.NMF(n_factors=5, reading="zeros", regularization=0.02, n_iterations=200, random_state=seed).fit(X)
        assert squared(model.user_factors_, model.item_factors_.T) == pytest.approx(model.objective_[-1], rel=1e-4)
        found.append(model.objective_[-1])
        expected.append(squared(*peer(start(seed, 5), 500, "cd")))
    assert min(found) <= 1.002 * min(expected)
    assert np.median(found) <= 1.01 * np.median(expected)


@pytest.mark.parametrize("reading", ["observed", "zeros"])
@pytest.mark.parametrize("solver", ["hals", "multiplicative"])
def test_factors_stay_non_negative_and_the_objective_never_rises(reading: Any, solver: Any) -> None:
    model = ct.NMF(n_factors=6, reading=reading, solver=solver, regularization=0.05, n_iterations=40).fit(X)
    assert (model.user_factors_ >= 0).all() and (model.item_factors_ >= 0).all()
    assert (np.diff(model.objective_) <= 1e-5 * model.objective_[:-1]).all()
    assert model.objective_[-1] < 0.9 * model.objective_[0]


@pytest.mark.parametrize("scale", [1, 12])
def test_the_objective_of_rated_entries_is_the_formula(scale: int) -> None:
    dense = DENSE * scale
    model = ct.NMF(n_factors=3, n_iterations=400).fit(interactions(dense))
    assert model.unit_ == {1: 0.5, 12: 8}[scale]
    rated = dense > 0
    w, h = model.user_factors_.astype(np.float64), model.item_factors_.astype(np.float64)
    errors = np.square(np.where(rated, dense - w @ h.T, 0)).sum()
    pulled = model.unit_ * h
    penalty = rated.sum(axis=1) @ np.square(w).sum(axis=1) + rated.sum(axis=0) @ np.square(pulled).sum(axis=1)
    assert errors + 0.1 * penalty == pytest.approx(model.objective_[-1], rel=1e-4)


def test_parts_are_the_items_that_go_together() -> None:
    catalog = Catalog.from_titles(pl.DataFrame({"item": X.items.ids, "title": [f"Title {i}" for i in X.items.ids]}))
    model = ct.NMF(n_factors=2, reading="zeros").fit(X, catalog)
    table = model.parts(8)
    assert table.columns == ["factor", "rank", "item", "weight", "title"]
    assert table["title"].to_list() == [f"Title {item}" for item in table["item"]]
    sides = []
    for (factor,), part in table.group_by("factor", maintain_order=True):
        assert part["rank"].to_list() == list(range(1, 9))
        rows = X.items.indices(part["item"])
        counts = X.item_counts[rows]
        leads = (part["weight"].to_numpy() * counts / (counts + 20)).tolist()
        assert leads == sorted(leads, reverse=True)
        weights = model.item_factors_[rows, int(factor)]  # type: ignore[arg-type]
        np.testing.assert_array_equal(weights, part["weight"])
        sides.append(set(part["item"] % 2))
    assert sorted(map(sorted, sides)) == [[0], [1]]
    shares = model.user_factors_.sum(axis=0) * model.item_factors_.sum(axis=0)
    assert shares[0] > shares[1]
    few = ct.NMF(n_factors=3).fit(interactions([[4.0, 0.0], [0.0, 2.0]])).parts()
    assert few["weight"].min() > 0  # type: ignore[operator]
    for bad in (0, True, 2.5):
        with pytest.raises(ParameterError, match="k must be a whole number from 1"):
            model.parts(bad)  # type: ignore[arg-type]


def test_an_explanation_adds_up_parts_named_by_their_items() -> None:
    model = ct.NMF(n_factors=4).fit(X)
    why = model.explain(1, 103)
    assert why.contributions.columns == ["factor", "part", "contribution"]
    names = dict(zip(why.contributions["factor"], why.contributions["part"], strict=True))
    for (factor,), part in model.parts(3).group_by("factor"):
        assert names[factor] == ", ".join(map(str, part["item"]))  # type: ignore[index]
    products = model.user_factors_[0] * model.item_factors_[2]
    for factor, contribution in why.contributions.select("factor", "contribution").iter_rows():
        assert contribution == pytest.approx(products[factor], abs=1e-4)
    assert why.contributions["part"][0] in why.summary


def test_who_and_what_nobody_knows_is_answered() -> None:
    model = ct.NMF(n_factors=4).fit(X)
    assert not model.item_factors_[4].any() and not model.user_factors_[7].any()
    assert model.predict([8, 1], [101, 105]) == pytest.approx([X.mean, X.mean])  # a silent user, an unrated item
    assert model.recommend([8]).is_empty()
    assert 105 not in model.recommend(X.users.ids.tolist(), 100)["item"]


def test_new_items_are_solved_against_the_users() -> None:
    model = ct.NMF(n_factors=4, regularization=0.05).fit(X)
    fans = X.users.ids[::2].tolist()
    new = ct.Interactions.from_frame(
        pl.DataFrame({"user": fans, "item": [900] * len(fans), "rating": [5.0] * len(fans)}), "user", "item", "rating"
    )
    model.update(new)
    assert model.item_factors_.shape == (25, 4)
    assert (model.item_factors_ >= 0).all()
    assert model.predict([1, 3], [900, 900]).min() > 4


def test_what_cannot_be_factorised_is_refused() -> None:
    negative = interactions([[1.0, -2.0], [3.0, 4.0]])
    with pytest.raises(DataError, match="at least 0, and the lowest is -2"):
        ct.NMF().fit(negative)
    with pytest.raises(DataError, match="lowest of the new ones is -2"):
        ct.NMF().fit(interactions([[1.0, 2.0], [3.0, 4.0]])).update(negative)
    with pytest.raises(ParameterError, match="regularization must be above 0 with reading='observed', not 0"):
        ct.NMF(regularization=0.0).fit(X)


def test_accuracy_on_movielens(shared: Path) -> None:
    rmse, mae = folds.cross_validated(ct.NMF, shared)
    assert rmse < 0.922 and mae < 0.729


@pytest.mark.parametrize("options", [{}, {"reading": "zeros"}, {"solver": "multiplicative"}])
def test_the_trace_is_the_error_of_what_predict_returns_after_every_sweep(options: dict[str, Any]) -> None:
    x = world()
    cold = np.isin(x.indices, np.argsort(x.item_counts, kind="stable")[-3:])
    held = cold | (np.random.default_rng(2).random(x.nnz) < 0.2)
    train, rest = x.select(~held, keep_vocabularies=True), x.select(held)
    trace = ct.NMF(n_factors=4, n_iterations=6, **options).fit(train, validation=rest).held_out_rmse_
    for sweeps in (1, 3, 6):
        model = ct.NMF(n_factors=4, n_iterations=sweeps, **options).fit(train)
        predicted = model.predict(rest.users.ids[rest.user_index], rest.items.ids[rest.indices])
        error = np.sqrt(((predicted.astype(np.float64) - rest.values) ** 2).mean())
        assert trace[sweeps - 1] == pytest.approx(error, abs=1e-5)
