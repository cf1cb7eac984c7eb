"""ALS and ImplicitALS against the formulas of the papers, and on real ratings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.errors import DataError, DivergenceError, ParameterError
from coterie.evaluation import split
from tests.contract.cases import interactions, world
from tests.models.folds import folds

DENSE = np.array([[5, 3, 0, 1, 4], [4, 0, 0, 1, 0], [1, 1, 0, 5, 2], [0, 0, 5, 4, 1], [0, 1, 5, 4, 0], [2, 2, 2, 0, 0]])


def explicit_objective(model: Any, x: ct.Interactions) -> float:
    """The docstring's equation, a rating at a time."""
    p, q = model.user_factors_.astype(float), model.item_factors_.astype(float)
    b_u, b_i, mean = np.zeros(x.n_users), np.zeros(x.n_items), 0.0
    if model.biases:
        mean = model.mean_
        b_u, b_i = model.user_offsets_.astype(float) - mean, model.item_biases_.astype(float)
    total = 0.0
    for u, i, r in zip(x.user_index, x.indices, x.values, strict=True):
        total += (r - mean - b_u[u] - b_i[i] - p[u] @ q[i]) ** 2
    for counts, factors, biases in ((x.user_counts, p, b_u), (x.item_counts, model.unit_ * q, b_i)):
        n = counts if model.count_weighted else (counts > 0)
        total += model.regularization * float((n * ((factors**2).sum(axis=1) + biases**2)).sum())
    return total


@pytest.mark.parametrize("high", [5, 60])
@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("count_weighted", [True, False])
def test_the_traced_objective_is_that_of_the_formula_and_never_rises(
    biases: bool, count_weighted: bool, high: int
) -> None:
    x = world()
    x = replace(x, values=x.values * np.float32(high / 5))
    model = ct.ALS(3, 0.2, count_weighted, biases, n_iterations=12).fit(x)
    assert model.objective_[-1] == pytest.approx(explicit_objective(model, x), rel=1e-5)
    assert (np.diff(model.objective_) <= 1e-6 * model.objective_[0]).all()


@pytest.mark.parametrize("dense", [[[3], [4], [5], [4]], [[1, 2, 3, 4, 5]]], ids=["item", "user"])
def test_one_item_or_one_user_is_enough(dense: list[list[int]]) -> None:
    x = interactions(np.array(dense))
    model = ct.ALS(2, 0.05, init_scale=0.1, n_iterations=5).fit(x)
    assert model.objective_[-1] == pytest.approx(explicit_objective(model, x), rel=1e-5, abs=1e-6)
    assert (np.diff(model.objective_) <= 1e-6).all()
    np.testing.assert_allclose(
        model.recommend_for({})["score"].max(), model.mean_ + model.item_biases_.max(), rtol=1e-6
    )


@pytest.mark.parametrize("high", [5, 60])
@pytest.mark.parametrize("biases", [True, False])
def test_users_and_items_are_the_solutions_of_their_systems(biases: bool, high: int) -> None:
    dense = DENSE * (high / 5)
    x = interactions(dense)
    model = ct.ALS(2, 0.3, biases=biases, n_iterations=200).fit(x)
    assert model.unit_ == (1 if high == 5 else 16)
    mean = model.mean_ if biases else 0.0
    offsets = model.user_offsets_ if biases else np.zeros(x.n_users)
    item_biases = model.item_biases_ if biases else np.zeros(x.n_items)
    for side, mine, others, own, theirs, pull in (
        (dense, model.user_factors_, model.item_factors_, offsets - mean, item_biases + mean, 0.3),
        (dense.T, model.item_factors_, model.user_factors_, item_biases, offsets, 0.3 * model.unit_**2),
    ):
        for row, ratings in enumerate(side):
            rated = np.flatnonzero(ratings)
            design = np.hstack([others[rated], np.ones((len(rated), int(biases)))])
            pulls = np.array([pull, pull, 0.3][: design.shape[1]])
            matrix = design.T @ design + len(rated) * np.diag(pulls)
            expected = np.linalg.solve(matrix, design.T @ (ratings[rated] - theirs[rated]))
            found = np.append(mine[row], own[row]) if biases else mine[row]
            np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-4 * high / 5)


def test_without_regularization_too_few_ratings_are_an_error_that_names_who() -> None:
    with pytest.raises(DivergenceError, match=r"user 2 has 2 ratings and 3 unknowns.*larger regularization"):
        ct.ALS(3, 0.0, biases=False).fit(interactions(DENSE[:, [0, 1, 3, 4]]))


def test_more_factors_than_there_are_items() -> None:
    model = ct.ALS(50, 0.1).fit(interactions(DENSE))
    assert np.isfinite(model.score(interactions(DENSE).to_scipy())).all()


def test_held_out_error_is_traced_on_real_ratings(shared: Path) -> None:
    train, held_out = next(folds(shared))
    model = ct.ALS(16, 0.1).fit(train)
    error = model.predict(held_out["user"], held_out["item"]) - held_out["rating"].to_numpy()
    assert np.sqrt((error**2).mean()) < 0.93
    parts = split(train, "random", 0)
    watched = ct.ALS(16, 0.12, n_iterations=8).fit(parts.train, validation=parts.test)
    assert watched.held_out_rmse_[-1] < watched.held_out_rmse_[0]


# ---- implicit --------------------------------------------------------------------------------------------


def implicit_objective(model: ct.ImplicitALS, dense: np.ndarray) -> float:
    """The docstring's equations over all pairs."""
    p, q = model.user_factors_.astype(float), model.item_factors_.astype(float)
    scores, chosen = p @ q.T, dense > 0
    if model.loss == "original":
        all_weight = 1.0
        total = np.where(chosen, (1 + model.alpha * dense) * (1 - scores) ** 2, scores**2).sum()
    else:
        all_weight = model.unobserved_weight
        total = np.where(chosen, model.alpha * dense * (1 - scores) ** 2, 0).sum() + all_weight * (scores**2).sum()
    for axis, factors in ((1, p), (0, q)):
        n = chosen.sum(axis=axis) + all_weight * dense.shape[axis]
        total += model.regularization * float(((n**model.regularization_exponent) * (factors**2).sum(axis=1)).sum())
    return float(total)


@pytest.mark.parametrize("solver", ["cholesky", "cg", "ials++"])
@pytest.mark.parametrize("loss", ["original", "ials++"])
def test_the_implicit_objective_is_that_of_the_formula_and_never_rises(loss: Any, solver: Any) -> None:
    x = world()
    model = ct.ImplicitALS(
        20, 0.05, 2.0, 0.3, 0.7, loss, solver, block_size=8, n_iterations=400, init_scale=0.3
    ).fit(x)  # fmt: skip
    assert (np.diff(model.objective_) <= 1e-5 * model.objective_[0]).all()
    # the users are solved once more after the last sweep, which changes little by then
    assert model.objective_[-1] == pytest.approx(implicit_objective(model, x.to_scipy().toarray()), rel=1e-3)


def test_all_solvers_come_to_the_same_place() -> None:
    x = world()
    ends = [
        ct.ImplicitALS(6, 0.05, solver=solver, block_size=8, n_iterations=300).fit(x).objective_[-1]  # type: ignore[arg-type]
        for solver in ("cholesky", "cg", "ials++")
    ]
    assert ends == pytest.approx([ends[0]] * 3, rel=1e-3)


@pytest.mark.parametrize("solver", ["cholesky", "cg", "ials++"])
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_a_scale_of_all_weights_changes_nothing(scale: float, solver: Any) -> None:
    x = world()
    plain, scaled = (
        ct.ImplicitALS(8, 0.05 * c, c, 0.2 * c, 0.0, solver=solver, block_size=8, n_iterations=5).fit(x)
        for c in (1.0, scale)
    )
    np.testing.assert_allclose(scaled.objective_ / scale, plain.objective_, rtol=1e-4)
    np.testing.assert_allclose(scaled.user_factors_, plain.user_factors_, rtol=0.02, atol=2e-3)


def test_conjugate_gradients_go_on_where_squares_leave_single_precision() -> None:
    exact, steps = (ct.ImplicitALS(8, 1e12, n_iterations=5, solver=s).fit(world()) for s in ("cholesky", "cg"))  # type: ignore[arg-type]
    assert steps.objective_[-1] == pytest.approx(exact.objective_[-1], rel=1e-3)


@pytest.mark.filterwarnings("ignore:the profile rates item")
def test_weights_below_zero_are_refused() -> None:
    dense = interactions(DENSE)
    with pytest.raises(DataError, match=r"above 0.*there is -5"):
        ct.ImplicitALS().fit(replace(dense, values=-dense.values))
    for weightless in (ct.ImplicitALS(alpha=0), ct.ImplicitALS(alpha=0, loss="original", solver="ials++")):
        with pytest.raises(ParameterError, match=r"alpha=0 gives choices no weight.*raise it"):
            weightless.fit(dense)
    model = ct.ImplicitALS(4).fit(dense)
    before, (user, item) = model.user_factors_.copy(), (dense.users.ids[0], dense.items.ids[0])
    for low in (0.0, -3.0):
        bad = ct.Interactions.from_frame(pl.DataFrame({"u": [user], "i": [item], "r": [low]}), "u", "i", "r")
        with pytest.raises(DataError, match=f"above 0.*there is {low:g}"):
            model.update(bad)
        with pytest.raises(ParameterError, match=f"values above 0.*not {low:g}"):
            model.recommend_for({item: low})
    np.testing.assert_array_equal(model.user_factors_, before)


def test_it_ranks_far_better_than_popularity_on_real_ratings(shared: Path) -> None:
    train, _ = next(folds(shared))
    board = ct.compare(train.binarized(4.0), ["popularity", ct.ImplicitALS(32)], "random", ["ndcg@10"], progress=False)
    best, popular = (row.estimates["ndcg@10"].value for row in board.rows)  # type: ignore[union-attr]
    assert board.rows[0].model.startswith("implicit-als")
    assert best > 1.5 * popular


@pytest.mark.parametrize("model", [ct.ALS(4), ct.ALS(4, biases=False), ct.ImplicitALS(4)], ids=str)
def test_new_items_are_solved_against_the_users(model: Any) -> None:
    x = world()
    fresh = ct.Interactions.from_arrays(
        ct.Vocabulary(x.users.ids[:12], "user"), ct.Vocabulary([5], "item"),
        np.arange(12), np.zeros(12, int), np.full(12, 4.0), np.full(12, 10**9),
    )  # fmt: skip
    model.fit(x).update(fresh)
    table = model.recommend(int(x.users.ids[20]), 100)
    assert 5 in table["item"].to_list()
    assert model.item_factors_[model.train_.items.index(5)].any()


def test_rank_is_a_number_from_one() -> None:
    with pytest.raises(ParameterError, match="n_factors"):
        ct.ALS(0).fit(world())


@pytest.mark.parametrize(
    "model",
    [
        ct.ALS(regularization=3.0, n_iterations=40),
        ct.ALS(regularization=1000.0),
        ct.ALS(regularization=1000.0, count_weighted=False, n_iterations=40),
        ct.BiasedMF(4, 0.04, 20.0, n_epochs=60),
        ct.SVDPlusPlus(4, 0.04, 20.0, n_epochs=60),
        ct.BPR(4, regularization=19.0, n_epochs=200),
    ],
    ids=str,
)
def test_without_factors_biases_still_make_lists(model: Any) -> None:
    """A strong λ takes factors to 0, popular items' first."""
    x = world()
    model.fit(x)
    assert not model.item_factors_[x.item_counts > 0].any(axis=1).all()
    user = x.users.ids[0]
    table = model.recommend([user], k=x.n_items)
    assert len(table) == np.count_nonzero(x.item_counts) - x.user_counts[0]
    if model.predicts_ratings:  # within the scale, so nothing is cut off
        np.testing.assert_allclose(table["score"], model.predict([user] * len(table), table["item"]), rtol=1e-5)
    assert model.explain(user, table["item"][0], of="score").score == pytest.approx(table["score"][0], rel=1e-5)


def test_equal_ratings_make_lists() -> None:
    ratings = pl.DataFrame({"u": [1, 1, 2, 2, 3], "i": [1, 2, 2, 3, 3], "r": [4.0] * 5})
    model = ct.ALS().fit(ct.Interactions.from_frame(ratings, "u", "i", "r"))
    assert model.recommend([1]).rows() == [(1, 1, 3, 4.0)]
    model.update(ct.Interactions.from_frame(pl.DataFrame({"u": [3], "i": [4], "r": [4.0]}), "u", "i", "r"))
    assert sorted(model.recommend([1])["item"]) == [3, 4]


def test_the_held_out_trace_is_the_error_of_the_model_also_for_what_nobody_rated() -> None:
    from tests.contract.cases import catalog

    x = world()
    cold = x.indices % 5 == 0
    train, rest = x.select(~cold, keep_vocabularies=True), x.select(cold, keep_vocabularies=True)
    assert (train.item_counts == 0).any()
    model = ct.ALS(4, 0.05, features="genres", n_iterations=3).fit(train, catalog(), validation=rest)
    found = model.predict(rest.users.ids[rest.user_index], rest.items.ids[rest.indices])
    assert model.held_out_rmse_[-1] == pytest.approx(np.sqrt(np.mean((found - rest.values) ** 2)), rel=1e-5)
