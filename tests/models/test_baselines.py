"""Baselines against loops, a closed form and published accuracies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import coterie as ct
from tests.models.folds import cross_validated
from tests.models.slow import biases, interactions, world


@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_biases_are_alternating_means(iterations: int) -> None:
    dense = world()
    x = interactions(dense)
    model = ct.BiasBaseline(2.0, 3.0, iterations).fit(x)
    mean, of_users, of_items = biases(dense, iterations, 2.0, 3.0)
    assert model.mean_ == pytest.approx(mean)
    np.testing.assert_allclose(model.item_biases_, of_items, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.user_biases(x.to_scipy()), of_users, rtol=1e-4, atol=1e-6)
    expected = mean + of_users[:, None] + of_items
    np.testing.assert_allclose(model.score(x.to_scipy()), expected, rtol=1e-5)


def test_biases_come_to_rest_at_the_least_penalised_squares() -> None:
    dense = world()
    x = interactions(dense)
    model = ct.BiasBaseline(user_regularization=2.0, item_regularization=3.0, n_iterations=500).fit(x)
    n, m = dense.shape
    user, item = np.nonzero(~np.isnan(dense))
    design = np.zeros((len(user), n + m))
    design[np.arange(len(user)), user] = 1
    design[np.arange(len(user)), n + item] = 1
    penalty = np.diag([2.0] * n + [3.0] * m)
    target = dense[user, item] - np.nanmean(dense)
    solution = np.linalg.solve(design.T @ design + penalty, design.T @ target)
    np.testing.assert_allclose(model.item_biases_, solution[n:], atol=1e-5)
    np.testing.assert_allclose(model.user_biases(x.to_scipy()), solution[:n], atol=1e-5)


def test_an_explanation_of_biases_names_both() -> None:
    model = ct.BiasBaseline().fit(interactions(world()))
    why = model.explain(1, 101)
    assert why.base == pytest.approx(model.mean_)
    assert set(why.contributions["term"]) == {"user bias", "item bias"}
    assert f"{model.mean_:.2f}" in why.summary


def test_published_accuracy_of_biases(shared: Path) -> None:
    """Surprise's "baseline" has RMSE 0.944 and MAE 0.748 on these folds."""
    rmse, mae = cross_validated(ct.BiasBaseline, shared)
    assert rmse == pytest.approx(0.944, abs=0.0005)
    assert mae == pytest.approx(0.748, abs=0.0005)


def test_popularity_is_how_many_rated() -> None:
    dense = world()
    x = interactions(dense)
    scores = ct.Popularity().fit(x).score(x.to_scipy())
    np.testing.assert_array_equal(scores, np.tile((~np.isnan(dense)).sum(axis=0), (len(dense), 1)))


def test_random_is_fixed_by_seed_and_profile_and_otherwise_even() -> None:
    x = interactions(world(400, 30))
    profiles = x.to_scipy()
    scores = ct.Random(random_state=1).fit(x).score(profiles)
    np.testing.assert_array_equal(scores, ct.Random(random_state=1).fit(x).score(profiles))
    assert (scores != ct.Random(random_state=2).fit(x).score(profiles)).mean() > 0.99
    assert scores.mean() == pytest.approx(0.5, abs=0.01)
    assert scores.std() == pytest.approx(np.sqrt(1 / 12), abs=0.01)
    assert len({row.tobytes() for row in scores}) == len({row.tobytes() for row in (profiles.toarray() > 0)})


def test_weighted_popularity_is_what_ratings_add_up_to() -> None:
    dense = world()
    model = ct.Popularity(weighted=True).fit(interactions(dense))
    np.testing.assert_allclose(model.score(np.zeros((1, dense.shape[1])))[0], np.nansum(dense, axis=0), rtol=1e-6)
    assert "add up to" in model.explain({}, 101).summary
