"""BiasedMF, SVDPlusPlus and BPR: what they end with, what they refuse, and how accurate they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, DivergenceError, ParameterError
from tests.models.folds import cross_validated, ratings
from tests.models.slow import interactions, world

NAN = np.nan
RATERS: list[Any] = [ct.BiasedMF, ct.SVDPlusPlus]


def small() -> Interactions:
    return interactions(world(60, 40, seed=3))


def implicit_sums(model: Any, x: Interactions) -> np.ndarray:
    """z_u of SVD++ by its definition; nothing in BiasedMF."""
    sums = np.zeros(model.user_factors_.shape)
    if hasattr(model, "implicit_factors_"):
        for u, row in enumerate(x.to_scipy()):
            sums[u] = model.implicit_factors_[row.indices].sum(axis=0) / np.sqrt(max(1, row.nnz))
    return sums


@pytest.mark.parametrize("model_class", RATERS)
def test_users_end_at_their_minimum(model_class: Any) -> None:
    x = small()
    model = model_class(n_factors=5, n_epochs=5).fit(x)
    sums = implicit_sums(model, x)
    for u, row in enumerate(x.to_scipy()):
        q = np.column_stack([model.item_factors_[row.indices], np.ones(row.nnz)]).astype(float)
        left = row.data - model.mean_ - model.item_biases_[row.indices] - q[:, :-1] @ sums[u]
        solved = np.linalg.solve(q.T @ q + model.regularization * row.nnz * np.eye(6), q.T @ left)
        np.testing.assert_allclose(model.user_factors_[u], solved[:-1] + sums[u], rtol=1e-3, atol=1e-5)
        assert model.user_offsets_[u] == pytest.approx(model.mean_ + solved[-1], rel=1e-5)


@pytest.mark.parametrize(("times", "unit"), [(1, 1), (12, 16)])
@pytest.mark.parametrize("model_class", RATERS)
def test_the_objective_is_that_of_the_formula_where_nothing_moves(model_class: Any, times: int, unit: int) -> None:
    x = interactions(times * world(60, 40, seed=3))
    model = model_class(n_factors=5, n_epochs=1, learning_rate=0.0, regularization=0.5, random_state=4).fit(x)
    random = np.random.default_rng(4)
    p, q = (0.1 * random.standard_normal((n, 5), np.float32).astype(float) for n in x.shape)
    p *= unit
    users, items = x.user_index, x.indices
    errors = x.values - x.mean - (p[users] * q[items]).sum(axis=1)
    expected = (errors**2).sum() + 0.5 * ((p[users] ** 2).sum() + ((unit * q[items]) ** 2).sum())
    assert model.unit_ == unit
    assert model.objective_[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("model_class", RATERS)
def test_a_step_is_that_of_the_formula_in_ratings_of_any_scale(model_class: Any) -> None:
    x = interactions([[10.0, NAN], [NAN, 100.0]])  # two ratings that have nothing in common, in whatever order
    rate, pull, unit = 0.1, 0.3, 16
    model = model_class(n_factors=3, n_epochs=1, learning_rate=rate, regularization=pull, random_state=4).fit(x)
    random = np.random.default_rng(4)
    p, q = (0.1 * random.standard_normal((n, 3), np.float32).astype(float) for n in x.shape)
    p *= unit
    for n, rating in enumerate((10.0, 100.0)):
        error = rating - 55.0 - p[n] @ q[n]
        assert model.item_biases_[n] == pytest.approx(rate * error, rel=1e-5)
        stepped = q[n] + rate * (error * p[n] / unit**2 - pull * q[n])
        np.testing.assert_allclose(model.item_factors_[n], stepped, rtol=1e-5)
        if model_class is ct.SVDPlusPlus:
            np.testing.assert_allclose(model.implicit_factors_[n], rate * error * q[n], rtol=1e-4)


@pytest.mark.parametrize("model_class", RATERS)
def test_the_objective_falls(model_class: Any) -> None:
    objective = model_class().fit(small()).objective_
    assert objective[-1] < 0.5 * objective[0]


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
@pytest.mark.parametrize("model_class", [*RATERS, ct.BPR])
def test_a_learning_rate_that_is_too_high_is_named(model_class: Any) -> None:
    highest = model_class.parameters()["learning_rate"].range.high
    x = interactions(world(60, 40, seed=3) * 1e3)
    with pytest.raises(DivergenceError, match=rf"{model_class.__name__} diverged.*smaller learning_rate"):
        model_class(learning_rate=float(highest), regularization=1.0).fit(x)


@pytest.mark.parametrize("model_class", RATERS)
def test_fewer_ratings_than_unknowns_need_regularization(model_class: Any) -> None:
    sweeps: list[int] = []
    with pytest.raises(DivergenceError, match=r"user 1 has \d+ ratings and 61 unknowns.*larger regularization"):
        model_class(n_factors=60, regularization=0.0).fit(small(), watch=lambda done, *_: bool(sweeps.append(done)))
    assert not sweeps  # it is known before anything is learned


def test_bpr_learns_who_likes_what() -> None:
    random = np.random.default_rng(0)
    group = np.arange(120) % 2
    likes = np.where(group[:, None] == np.arange(80) % 2, 0.5, 0.02)
    x = interactions(np.where(random.random((120, 80)) < likes, 1.0, NAN))
    for options in ({}, {"negatives": "popular"}, {"biases": False}):
        model = ct.BPR(n_factors=8, **options).fit(x)  # type: ignore[arg-type]
        lists = model.recommend(x.users.ids.tolist(), k=5)
        right = (lists["user"] - 1) % 2 == (lists["item"] - 101) % 2
        assert right.mean() > 0.9  # type: ignore[operator]
        assert model.objective_[0] == pytest.approx(np.log(0.5), abs=0.05)
        assert model.objective_[-1] > model.objective_[0] + 0.2


def test_popular_negatives_leave_less_to_popularity() -> None:
    random = np.random.default_rng(1)
    x = interactions(np.where(random.random((200, 50)) < np.linspace(0.02, 0.5, 50), 1.0, NAN))
    even, popular = (ct.BPR(n_factors=4, negatives=how).fit(x).item_biases_ for how in ("uniform", "popular"))
    counts = x.item_counts
    assert np.corrcoef(counts, even)[0, 1] > 0.8
    assert np.polyfit(counts, popular, 1)[0] < 0.7 * np.polyfit(counts, even, 1)[0]


def test_values_weigh_choices() -> None:
    """Everybody chose the first as strongly as ten times the second, and some third item."""
    dense = np.full((40, 30), NAN)
    dense[np.arange(40), 2 + np.arange(40) % 28] = 5.0
    dense[:, 0], dense[:, 1] = 10.0, 1.0
    model = ct.BPR(n_factors=4, n_epochs=20).fit(interactions(dense))
    assert model.item_biases_[0] > model.item_biases_[1] > 0
    plain = ct.BPR(n_factors=4, n_epochs=20).fit(interactions(np.where(np.isnan(dense), NAN, 1.0)))
    assert plain.item_biases_[0] == pytest.approx(plain.item_biases_[1], abs=0.05)
    scaled = ct.BPR(n_factors=4, n_epochs=20).fit(interactions(dense * 4))  # only proportions count
    np.testing.assert_allclose(scaled.item_biases_, model.item_biases_, rtol=1e-5)


def test_values_that_are_no_weights_are_refused() -> None:
    dense = world()
    dense[3, np.flatnonzero(~np.isnan(dense[3]))[0]] = -1.0
    with pytest.raises(DataError, match=r"values above 0.*there is -1"):
        ct.BPR().fit(interactions(dense))
    model = ct.BPR(n_epochs=2).fit(interactions(world()))
    with pytest.raises(ParameterError, match=r"values above 0.*not -2"), pytest.warns(ct.errors.DataWarning):
        model.recommend_for({101: -2.0})


# ---- on real ratings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_class", "published"), [(ct.BiasedMF, (0.934, 0.737)), (ct.SVDPlusPlus, (0.919, 0.721))]
)
def test_movielens_100k_is_predicted_as_well_as_published(model_class: Any, published: Any, shared: Path) -> None:
    rmse, mae = cross_validated(model_class, shared)
    assert rmse <= published[0] and mae <= published[1]


def test_solving_for_the_users_loses_nothing_to_the_trained_factors(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of people in MovieLens 1M, and above what popularity finds."""
    lines = ratings(shared, "ml-1m").filter(pl.col("user") % 4 == 0)
    users, items = (Vocabulary(lines[name].unique().sort(), name) for name in ("user", "item"))
    rows, columns = users.indices(lines["user"]), items.indices(lines["item"])
    held_out = np.random.default_rng(0).random(len(lines)) < 0.2
    train, rest = (
        Interactions.from_arrays(users, items, rows[part], columns[part], np.ones(part.sum(), np.float32))
        for part in (~held_out, held_out)
    )
    trained: list[np.ndarray] = []
    plain = ct.BPR._ascend

    def watch(self: Any, cells: Any, random: Any, rate: Any, people: np.ndarray, *more: Any) -> float:
        trained[:] = [people]
        return plain(self, cells, random, rate, people, *more)

    monkeypatch.setattr(ct.BPR, "_ascend", watch)
    model = ct.BPR().fit(train)

    def ndcg(scores: np.ndarray) -> float:
        scores[train.user_index, train.indices] = -np.inf
        best = np.argsort(-scores, axis=1)[:, :10]
        hits = np.take_along_axis(rest.to_scipy().toarray(), best, axis=1)
        discounts = 1 / np.log2(np.arange(2, 12))
        ideal = np.array([discounts[:n].sum() for n in rest.user_counts])
        return float(((hits @ discounts)[ideal > 0] / ideal[ideal > 0]).mean())

    solved = ndcg(model.score(train.to_scipy()))
    assert solved > ndcg(trained[0][:, :64] @ model.item_factors_.T + model.item_biases_) - 0.005
    assert solved > 1.3 * ndcg(np.tile(train.item_counts, (train.n_users, 1)).astype(np.float64))
