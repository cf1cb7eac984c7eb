"""Models whose hyper-parameters suit any scale of ratings: twice the ratings, twice the predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie as ct
from coterie.evaluation import split
from coterie.models.scale import unit_of
from tests.contract.cases import catalog, world

MODELS = [
    ct.ALS(4, 0.2),
    ct.ALS(4, 0.5, count_weighted=False, biases=False),
    ct.ALS(4, features="genres+tags"),
    ct.NMF(4),
    ct.NMF(4, solver="multiplicative"),
    ct.NMF(4, reading="zeros", regularization=2.0),
    ct.BiasedMF(4, n_epochs=5),
    ct.SVDPlusPlus(4, n_epochs=5),
    ct.TimeBiasBaseline(n_periods=3, user_days=True, weekday=True),
]
RATERS = [ct.ALS, ct.NMF, ct.BiasedMF, ct.SVDPlusPlus]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.label)
STRANGER = {int(i): 0.5 * (n + 1) for n, i in enumerate(world().items.ids[:8])}


def scaled(x: ct.Interactions, factor: float) -> ct.Interactions:
    return replace(x, values=x.values * np.float32(factor))


def fitted(model: Any, x: ct.Interactions, **more: Any) -> Any:
    return replace(model).fit(x, catalog(), **more)


def more_ratings() -> ct.Interactions:
    """By known and new users, of known and new items, and one of them far off the scale."""
    users, items = [*world().users.ids[:6].tolist(), 1, 2], [*world().items.ids[:4].tolist(), 3]
    rows, columns = (part.ravel() for part in np.indices((8, 5)))
    values = np.random.default_rng(1).integers(1, 11, 40) / 2
    values[0] = 9.0
    vocabularies = ct.Vocabulary(users, "user"), ct.Vocabulary(items, "item")
    return ct.Interactions.from_arrays(*vocabularies, rows, columns, values, np.full(40, 10**9))


def says(model: Any, factor: float) -> list[Any]:
    """What a model predicts and why, over the factor that the ratings were multiplied by."""
    x, items = model.train_, model.train_.items.ids.tolist()
    stranger = {item: rating * factor for item, rating in STRANGER.items()}
    known = model.predict(np.repeat(x.users.ids[:5], len(items)), items * 5)
    told = [model.predict_for(stranger, items), model.score(x.to_scipy())]
    for who in (int(x.users.ids[2]), stranger):
        why = model.explain(who, items[3])
        told += [why.score, why.base, why.contributions["contribution"].to_numpy()]
    return [np.asarray(part) / factor for part in (known, *told)]


def assert_alike(model: Any, found: list[Any], expected: list[Any]) -> None:
    """Equal to the bit, since units are powers of two; where LAPACK pivots by size, up to rounding."""
    for one, other in zip(found, expected, strict=True):
        if model.name == "time-bias":
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("low", "high", "unit"),
    [
        (1, 5, 1), (0.5, 5, 1), (2, 2, 1), (0, 1, 0.25), (1, 3, 0.5), (1, 10, 2), (-10, 10, 4), (10, 100, 16),
        (0, 100, 32), (1, 1e6, 2**18),
    ],
)  # fmt: skip
def test_the_unit_is_the_width_in_five_star_scales(low: float, high: float, unit: float) -> None:
    assert unit_of(low, high) == unit


@each_model
@pytest.mark.parametrize("factor", [2.0, 32.0, 0.5])
def test_twice_the_ratings_are_twice_the_predictions(model: Any, factor: float, tmp_path: Path) -> None:
    x = world()
    plain = fitted(model, x, validation=x)
    other = fitted(model, scaled(x, factor), validation=scaled(x, factor))
    assert (plain.unit_, other.unit_) == (1, factor)
    assert_alike(model, says(other, factor), says(plain, 1.0))
    traces = other.objective_ / factor**2, other.held_out_rmse_ / factor
    assert_alike(model, [*traces], [plain.objective_, plain.held_out_rmse_])
    other.save(tmp_path / "model")
    loaded = ct.load_model(tmp_path / "model")
    assert loaded.unit_ == factor
    assert_alike(model, says(loaded, factor), says(plain, 1.0))


@each_model
def test_updates_keep_the_unit_and_refits_take_the_new_one(model: Any) -> None:
    x, new, factor = world(), more_ratings(), 32.0
    plain, other = fitted(model, x), fitted(model, scaled(x, factor))
    before = says(plain, 1.0)[0]
    plain.update(new)
    other.update(scaled(new, factor))
    assert unit_of(*plain.train_.scale) == 2
    unit = 2 if model.update_equals_refit else 1
    assert (plain.unit_, other.unit_) == (unit, unit * factor)
    after = says(plain, 1.0)
    assert np.abs(after[0][: len(x.items)] - before[: len(x.items)]).max() > 0.01
    assert_alike(model, says(other, factor), after)


@pytest.mark.parametrize("model_class", RATERS)
def test_models_from_before_there_were_units_are_what_they_were(model_class: Any, tmp_path: Path) -> None:
    model = model_class(n_factors=4).fit(scaled(world(), 4.0))
    expected = says(model, 4.0)
    del model.unit_
    model.save(tmp_path / "model")
    loaded = ct.load_model(tmp_path / "model")
    assert loaded.unit_ == 1
    assert_alike(model, says(loaded, 4.0), expected)
    assert all(np.isfinite(part).any() for part in says(loaded.update(scaled(more_ratings(), 4.0)), 4.0))


def tastes() -> tuple[ct.Interactions, ct.Interactions]:
    """Half-star ratings that four factors explain in part: to learn from, and held out."""
    random = np.random.default_rng(8)
    shape = (500, 150)
    p, q = (random.standard_normal((n, 4)) for n in shape)
    means = 3.2 + 0.4 * random.standard_normal((500, 1)) + 0.5 * random.standard_normal(150)
    full = np.clip(np.round(2 * (means + 0.35 * p @ q.T + 0.5 * random.standard_normal(shape))) / 2, 0.5, 5)
    rows, columns = np.nonzero(random.random(shape) < 0.4)
    ids = ct.Vocabulary(np.arange(500), "user"), ct.Vocabulary(np.arange(150), "item")
    x = ct.Interactions.from_arrays(*ids, rows, columns, full[rows, columns])
    held = random.random(x.nnz) < 0.2
    return x.select(~held, keep_vocabularies=True), x.select(held, keep_vocabularies=True)


def rmse(model: Any, train: ct.Interactions, test: ct.Interactions, factor: float) -> float:
    model.fit(scaled(train, factor))
    found = model.predict(test.users.ids[test.user_index], test.items.ids[test.indices]) / factor
    return float(np.sqrt(((found - test.values) ** 2).mean()))


@pytest.mark.parametrize("model_class", RATERS)
def test_on_any_scale_factors_tell_more_than_biases(model_class: Any) -> None:
    train, test = tastes()
    base, stars = (rmse(model, train, test, 1.0) for model in (ct.BiasBaseline(), model_class()))
    assert stars < 0.75 * base
    for factor in (20.0, 0.2, 2e5):
        assert rmse(model_class(), train, test, factor) == pytest.approx(stars, rel=0.06)  # units are powers of two


@pytest.mark.parametrize("model_class", RATERS)
def test_real_ratings_from_10_to_100_are_predicted_as_well_as_stars(model_class: Any, shared: Path) -> None:
    parts = split(ct.load(shared / "ml-latest-small").interactions, "random", 0)
    stars, tens = (rmse(model_class(), parts.train, parts.test, factor) for factor in (1.0, 20.0))
    assert tens == pytest.approx(stars, rel=0.02)
