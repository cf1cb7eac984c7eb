"""Bayesian factor models against posteriors by the book, worlds whose noise is known, and published accuracies."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie as ct
from coterie.data.interactions import Interactions
from coterie.errors import MemoryBudgetError, ParameterError
from coterie.models.bayesian_mf import BayesianMF
from coterie.models.gibbs import ROUNDS, draw_normal_wishart, draw_shape, draw_wishart
from tests.models.folds import folds
from tests.models.slow import interactions, world
from tests.reference import gibbs as reference

Array = np.ndarray[Any, np.dtype[Any]]
SMALL: dict[str, Any] = {"n_factors": 3, "n_burn_in": 10, "n_samples": 4, "thinning": 2}
UNRATED = 7  # an item of the small world

each_kind = pytest.mark.parametrize("kind", [ct.BayesianMF, ct.BayesianSVDPlusPlus], ids=lambda kind: kind.name)
each_noise = pytest.mark.parametrize("noise", ["individual", "common"])


@cache
def small_world() -> Array:
    dense = world(30, 12)
    dense[:, UNRATED], dense[5] = np.nan, np.nan
    return dense


@cache
def small(kind: type[BayesianMF], noise: Any) -> BayesianMF:
    return kind(noise=noise, **SMALL).fit(interactions(small_world()))


def books(model: BayesianMF, ratings: Array) -> tuple[Array, Array]:
    """Predicted ratings (n_items,) and their standard deviations for one person, from the learned arrays alone."""
    d, (n_samples, n_items) = model.n_factors + 1, (len(model.user_means_), len(model.item_factors_))
    rated, means, variances = ~np.isnan(ratings), [], []
    for s in range(n_samples):
        z = np.column_stack([model.item_factors_[:, s * (d - 1) : (s + 1) * (d - 1)], model.item_bias_samples_[:, s]])
        z = z.astype(np.float64) + model.item_means_[s]
        prior, precision = model.user_means_[s].copy(), model.user_precisions_[s]
        if isinstance(model, ct.BayesianSVDPlusPlus) and rated.any():
            y = model.implicit_factors_[:, s * d : (s + 1) * d]
            prior += y[rated].sum(axis=0) / np.sqrt(rated.sum())
        betas, alpha, shape = model.item_noise_[:, s].astype(np.float64), model.noise_precisions_[s], 0.0
        about = ((ratings - model.mean_) / model.spread_, z, betas, prior, precision)
        inverse_alpha = 1 / alpha
        if model.noise == "individual":
            shape = model.noise_shapes_[s]
            alpha, inverse_alpha = reference.expected_alpha(*about, alpha, shape, ROUNDS)
        center, a = reference.posterior(*about, alpha)
        x = np.column_stack([z[:, :-1], np.ones(n_items)])
        means.append(x @ center + z[:, -1])
        covariance = np.linalg.inv(a)
        variance = np.einsum("ia,ab,ib->i", x, covariance, x) + inverse_alpha / betas
        w, of_items = np.array([*center[:-1], 1.0]), np.linalg.inv(model.item_precisions_[s])
        variance[UNRATED] += w @ of_items @ w + np.trace(of_items[:-1, :-1] @ covariance[:-1, :-1])
        variances.append(variance)
    return (
        model.mean_ + model.spread_ * np.mean(means, axis=0),
        model.spread_ * np.sqrt(np.mean(variances, axis=0) + np.var(means, axis=0)),
    )


@each_noise
@each_kind
def test_known_users_and_strangers_are_predicted_by_the_book(kind: type[BayesianMF], noise: Any) -> None:
    model, dense = small(kind, noise), small_world()
    x = model.train_
    together = model.score(x.to_scipy())
    for user in (0, 5, 11):
        predicted, spread = books(model, dense[user])
        alone = model.score(x.to_scipy()[user])[0]
        known = np.arange(x.n_items) != UNRATED
        np.testing.assert_allclose(together[user, known], predicted[known], atol=1e-4)
        np.testing.assert_allclose(alone[known], predicted[known], atol=1e-4)
        assert np.isnan(alone[UNRATED])
        clipped = np.clip(predicted, *x.scale)
        np.testing.assert_allclose(model.predict([user + 1] * x.n_items, x.items.ids), clipped, atol=1e-4)
        np.testing.assert_allclose(model.predict_std([user + 1] * x.n_items, x.items.ids), spread, rtol=1e-3)
        profile = {101 + i: float(r) for i, r in enumerate(dense[user]) if not np.isnan(r)}
        np.testing.assert_allclose(model.predict_std_for(profile, x.items.ids), spread, rtol=1e-3)


@each_kind
def test_what_is_known_of_nobody_is_the_base_of_every_explanation(kind: type[BayesianMF]) -> None:
    model = small(kind, "individual")
    for item in (101, 103):
        assert model.explain(1, item).base == pytest.approx(float(model.predict_for({}, [item])[0]), rel=1e-4)
    assert model.explain({}, 101).contributions.is_empty()


@each_kind
def test_the_less_is_known_the_wider_the_spread(kind: type[BayesianMF]) -> None:
    model = small(kind, "individual")
    items = model.train_.items.ids
    spread = model.predict_std_for({}, items)
    assert spread.argmax() == UNRATED
    assert (model.predict_std_for({101 + i: 3.0 for i in range(12)}, items) < spread).all()
    with pytest.raises(ParameterError, match="2 users and 1 items; predict_std takes pairs"):
        model.predict_std([1, 2], [101])


# ---- worlds whose noise is known -------------------------------------------------------------------------


@cache
def generated(seed: int = 0) -> tuple[Interactions, Interactions, Array]:
    """Ratings of two tastes and biases with noise that differs between people: training, held out, each one's noise."""
    random = np.random.default_rng(seed)
    n, m = 150, 80
    p, q = random.standard_normal((n, 2)), random.standard_normal((m, 2)) * 0.7
    noise = np.where(np.arange(n) % 2, 0.4, 1.2)
    full = 3 + random.standard_normal((n, 1)) * 0.4 + random.standard_normal(m) * 0.4 + p @ q.T
    full += noise[:, None] * random.standard_normal((n, m))
    rated, held = random.random((n, m)) < 0.5, random.random((n, m)) < 0.2
    everything = interactions(np.where(rated, full, np.nan))
    of = held[everything.user_index, everything.indices]
    return everything.select(~of, True), everything.select(of, True), noise


@pytest.mark.parametrize("noise", ["individual", "common"])
def test_ratings_fall_within_the_spread_as_often_as_it_says(noise: Any) -> None:
    train, held_out, truth = generated()
    model = ct.BayesianMF(n_factors=3, noise=noise, n_burn_in=40, n_samples=25, thinning=2).fit(train)
    pairs = train.users.ids[held_out.user_index], train.items.ids[held_out.indices]
    apart = (held_out.values - model.predict(*pairs)) / model.predict_std(*pairs)
    assert np.mean(np.abs(apart) < 1) == pytest.approx(0.683, abs=0.03 if noise == "individual" else 0.12)
    assert np.sqrt(np.mean(apart**2)) == pytest.approx(1.0, abs=0.06)
    steady = truth[held_out.user_index] < 1
    inside = [np.mean(np.abs(apart[group]) < 1) for group in (steady, ~steady)]
    if noise == "individual":  # it nearly holds of either kind of person; both are drawn a little to the middle
        np.testing.assert_allclose(inside, 0.683, atol=0.08)
    else:  # on average only: too wide for some, too narrow for others
        assert inside[0] > 0.8 and inside[1] < 0.62


def test_steady_people_teach_more() -> None:
    train, held_out, _ = generated()
    errors = {}
    for noise in ("individual", "common"):
        model = ct.BayesianMF(3, noise, n_burn_in=40, n_samples=25, thinning=2).fit(train, validation=held_out)  # type: ignore[arg-type]
        pairs = train.users.ids[held_out.user_index], train.items.ids[held_out.indices]
        errors[noise] = float(np.sqrt(np.mean((model.predict(*pairs) - held_out.values) ** 2)))
        assert model.held_out_rmse_[-1] == pytest.approx(errors[noise], rel=1e-4)  # type: ignore[attr-defined]
        assert len(model.objective_) == 90 and model.objective_[-1] < model.objective_[0]  # type: ignore[attr-defined]
    assert errors["individual"] < errors["common"]
    baseline = ct.BiasBaseline().fit(train).predict(*pairs)
    assert errors["common"] < 0.8 * np.sqrt(np.mean((baseline - held_out.values) ** 2))


def test_what_somebody_rated_says_something_whatever_the_ratings() -> None:
    """Two kinds of people rate different items, and mostly agree with their kind on those that all rate."""
    random = np.random.default_rng(1)
    n, m, shared = 200, 60, 20
    kind, part = np.arange(n) % 2, np.arange(m) % 2
    full = 3 + 0.5 * random.standard_normal((n, m))
    full[:, :shared] += np.where(kind == 1, 1.0, -1.0)[:, None] * np.where(part[:shared] == 1, 1.0, -1.0)
    rated = random.random((n, m)) < np.where(kind[:, None] == part, 0.3, 0.03)
    rated[:, :shared] = random.random((n, shared)) < np.where(np.arange(n) < 120, 0.7, 0.0)[:, None]
    model = [
        cls(n_factors=3, n_burn_in=40, n_samples=20, thinning=1).fit(interactions(np.where(rated, full, np.nan)))
        for cls in (ct.BayesianMF, ct.BayesianSVDPlusPlus)
    ]
    strangers = np.arange(120, n)  # they rated nothing that tells the kinds apart, and nothing that is asked
    pairs = np.repeat(strangers + 1, shared), np.tile(np.arange(shared) + 101, len(strangers))
    plain, implicit = (np.sqrt(np.mean((m.predict(*pairs) - full[strangers, :shared].ravel()) ** 2)) for m in model)
    assert implicit < 0.75 * plain


# ---- what is drawn ---------------------------------------------------------------------------------------


def test_wishart_draws_have_the_moments_of_the_distribution() -> None:
    random = np.random.default_rng(0)
    scale = np.array([[0.5, 0.2, 0.0], [0.2, 0.4, -0.1], [0.0, -0.1, 0.3]])
    draws = np.array([draw_wishart(scale, 6, random) for _ in range(6000)])
    np.testing.assert_allclose(draws.mean(axis=0), 6 * scale, atol=0.06)
    expected = 6 * (scale**2 + np.outer(np.diag(scale), np.diag(scale)))
    np.testing.assert_allclose(draws.var(axis=0), expected, rtol=0.12)


def test_mean_and_precision_of_many_rows_are_theirs() -> None:
    random = np.random.default_rng(0)
    truth = np.array([[4.0, 1.0], [1.0, 2.0]])
    rows = random.multivariate_normal([1.0, -2.0], np.linalg.inv(truth), 20_000)
    draws = [draw_normal_wishart(rows, random) for _ in range(50)]
    np.testing.assert_allclose(np.mean([mean for mean, _ in draws], axis=0), [1.0, -2.0], atol=0.02)
    np.testing.assert_allclose(np.mean([precision for _, precision in draws], axis=0), truth, rtol=0.05)
    spread = np.cov(np.array([mean for mean, _ in draws]).T) * len(rows)
    np.testing.assert_allclose(np.diag(spread), np.diag(np.linalg.inv(truth)), rtol=0.6)
    mean, precision = draw_normal_wishart(np.zeros((0, 3)), random)  # without rows it is the prior
    assert np.isfinite(mean).all() and (np.linalg.eigvalsh(precision) > 0).all()


@pytest.mark.parametrize("shape", [2.0, 8.0])
def test_the_shape_of_noise_is_found(shape: float) -> None:
    random = np.random.default_rng(0)
    precisions = random.gamma(shape, 1 / shape, 4000)
    assert np.mean([draw_shape(precisions, random) for _ in range(50)]) == pytest.approx(shape, rel=0.12)


# ---- size and accuracy -----------------------------------------------------------------------------------


def test_samples_that_do_not_fit_are_refused_with_how_many_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", "0.001")
    with pytest.raises(MemoryBudgetError, match=r"BayesianMF with n_samples=10000 would.*n_samples=\d+ would fit"):
        ct.BayesianMF(n_samples=10_000).fit(interactions(world()))
    fits = ct.BayesianMF(n_factors=2, n_samples=100, thinning=1).fit(interactions(world()))
    assert fits.item_factors_.shape == (10, 200)


def test_accuracy_on_movielens(shared: Path) -> None:
    """The first of the five folds, harder than their mean by 0.002; few sweeps, which cost another 0.003."""
    train, held_out = next(folds(shared))
    bounds = {ct.BayesianMF: 0.897, ct.BayesianSVDPlusPlus: 0.882}
    for cls, bound in bounds.items():
        model = cls(n_factors=10, n_burn_in=30, n_samples=40, thinning=2).fit(train)
        error = model.predict(held_out["user"], held_out["item"]).astype(np.float64) - held_out["rating"].to_numpy()
        assert np.sqrt(np.mean(error**2)) < bound
        apart = error / model.predict_std(held_out["user"], held_out["item"])
        assert np.mean(np.abs(apart) < 1) == pytest.approx(0.683, abs=0.02)
        assert np.sqrt(np.mean(apart**2)) == pytest.approx(1.0, abs=0.03)
