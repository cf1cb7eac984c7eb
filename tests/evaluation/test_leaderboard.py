"""The leaderboard: fair, honest about noise, and not brought down by one model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.evaluation import compare, relevance_threshold, split_at_random
from coterie.evaluation.estimates import Estimate
from coterie.evaluation.metrics import PerUser
from coterie.evaluation.significance import bootstrap, bootstrap_means, interval
from coterie.models.base import Recommender
from coterie.models.baselines import Popularity, Random
from coterie.models.bayesian_mf import BayesianMF
from coterie.models.parameters import Range

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(eq=False)
class Mean(Recommender):
    """Predicts item means, moved by `shift`; keeps nothing back for items nobody rated (NaN)."""

    name: ClassVar[str] = "mean"
    predicts_ratings: bool = True
    shift: Annotated[float, Range(help="added to every prediction")] = 0.0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        with np.errstate(invalid="ignore"):
            self.means_ = (train.to_scipy().sum(axis=0).A1 / train.item_counts + self.shift).astype(np.float32)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return np.tile(self.means_, (profiles.shape[0], 1))


@dataclass(eq=False)
class Broken(Recommender):
    """Fails when it is fitted."""

    name: ClassVar[str] = "broken"

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        raise MemoryError("no room for 3 <numbers>")

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        raise AssertionError


def world(n_users: int = 60, n_items: int = 40, seed: int = 0, times: bool = False) -> Interactions:
    """Ratings in which popular items are popular with everyone."""
    generator = np.random.default_rng(seed)
    chance = 0.8 / np.sqrt(np.arange(1, n_items + 1))
    user, item = np.nonzero(generator.random((n_users, n_items)) < chance)
    columns = {"user": user, "item": item, "rating": generator.integers(1, 6, len(user)).astype(float)}
    frame = pl.DataFrame(columns | ({"time": generator.integers(0, 1000, len(user))} if times else {}))
    return Interactions.from_frame(frame, "user", "item", "rating", "time" if times else None)


def test_the_better_model_leads_and_the_difference_is_in_words() -> None:
    board = compare(world(), [Random(), Popularity()], "random", ["ndcg@5", "coverage@5", "rmse"], progress=False)
    assert [row.model for row in board.rows] == ["popularity", "random"]
    first, second = (row.estimates["ndcg@5"] for row in board.rows)
    assert first is not None and second is not None
    assert first.low is not None and first.high is not None and first.low < first.value < first.high
    assert second.difference == pytest.approx(second.value - first.value)
    assert not second.within_noise and board.verdict(board.rows[1]) == "behind the leader"
    assert board.words()[0].startswith("By ndcg@5, popularity leads with 0.")
    assert board.words()[1] == "random is behind it by more than noise."
    assert all(row.estimates["rmse"] is None for row in board.rows)
    coverage = board.rows[0].estimates["coverage@5"]
    assert coverage is not None and coverage.low is None


def test_equals_are_within_noise() -> None:
    board = compare(world(), [Random(random_state=1), Random(random_state=2)], "random", "ndcg@5", progress=False)
    assert board.verdict(board.rows[1]) == "within noise of the leader"
    assert "within noise of it" in board.words()[1]


def test_a_model_that_fails_is_a_row_and_the_others_go_on() -> None:
    board = compare(world(), [Broken(), "popularity"], "random", progress=False)
    assert [row.model for row in board.rows] == ["popularity", "broken"]
    assert board.rows[1].error == "MemoryError: no room for 3 <numbers>"
    assert board.verdict(board.rows[1]) == "failed"
    assert "no room for 3" in str(board)
    assert board.to_frame()["error"].to_list() == [None, "MemoryError: no room for 3 <numbers>"]


def test_all_failed() -> None:
    board = compare(world(), [Broken()], "random", progress=False)
    assert board.leader is None and board.words() == ["No model could be judged."]
    json.dumps(board.to_dict())


def test_smaller_is_better_for_rmse_and_rankers_have_none() -> None:
    board = compare(world(), [Mean(shift=3.0), "popularity", Mean()], "random", ["rmse", "mae"], progress=False)
    assert [row.model for row in board.rows] == ["mean", "mean(shift=3.0)", "popularity"]
    assert board.verdict(board.rows[2]) == "has no rmse"
    assert board.rows[1].estimates["rmse"].difference > 0  # type: ignore[union-attr]


def test_figures_are_those_worked_out_from_the_models_own_answers() -> None:
    x = world()
    parts = split_at_random(x, 0.3, random_state=5)
    board = compare(x, [Mean()], parts, ["recall@4", "rmse", "precision@4"], relevant_from=4, progress=False)
    model = Mean().fit(parts.train)
    recalls, precisions = [], []
    for user in x.users.ids.tolist():
        liked = parts.test.to_frame().filter((pl.col("user") == user) & (pl.col("rating") >= 4))["item"].to_list()
        if liked:
            hits = len(set(model.recommend(user, k=4)["item"].to_list()) & set(liked))
            recalls.append(hits / len(liked))
            precisions.append(hits / 4)
    test = parts.test.to_frame()
    predicted = model.predict(test["user"], test["item"])
    predicted = np.where(np.isnan(predicted), parts.train.mean, predicted)
    rmse = float(np.sqrt(np.mean((predicted - test["rating"].to_numpy()) ** 2)))
    values = {name: estimate.value for name, estimate in board.rows[0].estimates.items() if estimate}
    assert values == pytest.approx(
        {"recall@4": np.mean(recalls), "rmse": rmse, "precision@4": np.mean(precisions)}, rel=1e-6
    )
    assert board.n_users == len(recalls)


def test_ratings_without_a_prediction_are_counted() -> None:
    x = Interactions.from_frame(
        pl.DataFrame({"u": [1, 1, 2, 2, 2], "i": [1, 2, 1, 2, 3], "r": [1.0, 5, 2, 4, 5], "t": [1, 2, 3, 4, 9]}),
        *("u", "i", "r", "t"),
    )
    board = compare(x, [Mean()], "time:0.2", ["rmse"], progress=False)
    assert "mean gave no rating for 1 test ratings; the training mean stood in." in board.notes
    assert board.rows[0].estimates["rmse"].value == pytest.approx(5 - 3.0)  # type: ignore[union-attr]


def test_one_user_has_no_interval_and_nothing_is_claimed() -> None:
    x = Interactions.from_frame(pl.DataFrame({"u": [1] * 10, "i": list(range(10))}), "u", "i")
    board = compare(x, ["random", "popularity"], "random", ["ndcg@3"], progress=False)
    assert all(e is not None and e.low is None and e.within_noise for e in (r.estimates["ndcg@3"] for r in board.rows))
    assert any("1 users are few" in note for note in board.notes)
    assert board.verdict(board.rows[1]) == "behind (no interval)"


def test_the_same_seed_gives_the_same_figures() -> None:
    boards = [compare(world(times=True), ["random", "popularity"], progress=False).to_dict() for _ in range(2)]
    for board in boards:
        for row in board["rows"]:
            del row["fit_seconds"], row["recommend_seconds"], row["predict_seconds"]
    assert boards[0] == boards[1]
    assert boards[0]["split"]["description"].startswith("by time")


def test_instances_are_not_fitted_and_unary_data_has_no_rmse() -> None:
    model = Popularity()
    frame = world().to_frame().drop("rating")
    board = compare(Interactions.from_frame(frame, "user", "item"), model, progress=False)
    assert not hasattr(model, "train_")
    assert [m.name for m in board.measures] == ["ndcg@10", "recall@10", "precision@10", "coverage@10"]
    assert board.relevant_from == 1


def test_to_frame_and_to_dict_say_the_same() -> None:
    board = compare(world(), ["random", "popularity"], "random", ["ndcg@5", "coverage@5"], progress=False)
    frame, record = board.to_frame(), json.loads(json.dumps(board.to_dict()))
    for line, row in zip(frame.iter_rows(named=True), record["rows"], strict=True):
        assert line["model"] == row["model"] and line["verdict"] == row["verdict"]
        assert line["ndcg@5_low"] == row["metrics"]["ndcg@5"]["low"]
        assert line["difference"] == row["metrics"]["ndcg@5"]["difference"]
    assert "coverage@5_low" not in frame.columns


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"models": []}, "models is empty"),
        ({"models": ["random", "random"]}, "'random' twice"),
        ({"models": ["nothing"]}, "unknown model 'nothing'"),
        ({"models": "random", "metrics": []}, "metrics is empty"),
        ({"models": "random", "metrics": ["ndgc@10"]}, "unknown metric 'ndgc@10'"),
    ],
)
def test_wrong_questions_are_refused_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        compare(world(), progress=False, **options)


def test_nothing_relevant_is_an_error_that_says_what_would_be() -> None:
    with pytest.raises(DataError, match="choose relevant_from=5 or lower"):
        compare(world(), ["random"], "random", relevant_from=6, progress=False)


@pytest.mark.parametrize(
    ("scale", "threshold"),
    [(np.arange(1, 6), 4), (np.arange(1, 11) / 2, 4), (np.arange(1, 11), 8), ([0, 1], 1), ([1], 1), ([-1, 1], 1)],
)
def test_the_top_quarter_of_the_scale_is_relevant(scale: Any, threshold: float) -> None:
    scale = np.asarray(scale, float)
    x = Interactions.from_frame(pl.DataFrame({"u": 1, "i": range(len(scale)), "r": scale}), "u", "i", "r")
    assert relevance_threshold(x) == threshold


def test_deviations_are_asked_of_the_models_that_have_them_and_of_the_others_there_is_none() -> None:
    models = [BayesianMF(n_factors=2, n_samples=4, n_burn_in=2), Mean(), "popularity"]
    names = ["rmse", "deviation_calibration", "r2", "rating_coverage"]
    board = compare(world(), models, "random", names, progress=False)
    by_model = {row.model.partition("(")[0]: row.estimates for row in board.rows}
    found = by_model["bayesian-mf"]["deviation_calibration"]
    assert found is not None and 0 < found.value < 0.5 and found.low is not None and found.low < found.high
    assert by_model["mean"]["deviation_calibration"] is None and by_model["mean"]["r2"] is not None
    assert by_model["popularity"]["r2"] is None
    assert " - " in str(board)
    assert set(board.to_frame()["deviation_calibration"].is_null().to_list()) == {True, False}


# ---- significance ----------------------------------------------------------------------------------------


@given(st.integers(0, 100), st.integers(2, 12))
def test_bootstrap_equals_its_slow_twin(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    values, weights = generator.random((n, 2)), generator.integers(1, 5, n).astype(float)
    means = bootstrap_means(values, weights, seed, n_resamples=20)
    draws = np.random.default_rng(seed).integers(0, n, (20, n), np.int32)
    for drawn, mean in zip(draws, means, strict=True):
        expected = sum(weights[u] * values[u] for u in drawn) / sum(weights[u] for u in drawn)
        assert mean == pytest.approx(expected)


@given(st.integers(0, 100), st.integers(2, 12))
def test_models_with_values_of_different_users_and_of_several_means_share_their_draws(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    some = PerUser(generator.random(n), generator.integers(0, 2, n).astype(float))
    all_of_them = PerUser(generator.random((n, 2)), np.ones(n))
    found = bootstrap([some, all_of_them], seed)
    assert [means.shape[1:] for means in found] == [(), (2,)]
    draws = np.random.default_rng(seed).integers(0, n, (len(found[0]), n), np.int32)
    for drawn, one, two in zip(draws[:20], *found, strict=False):
        weight = some.weights[drawn].sum()
        expected = (some.values * some.weights)[drawn].sum() / weight if weight else np.nan
        assert one == pytest.approx(expected, nan_ok=True)
        assert two == pytest.approx(all_of_them.values[drawn].mean(axis=0))


def test_the_interval_leaves_out_draws_without_a_value() -> None:
    assert interval(np.array([np.nan, 2.0, 2.0])) == (2.0, 2.0)


def test_blocks_of_draws_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    values, weights = np.random.default_rng(0).random((50, 3)), np.ones(50)
    whole = bootstrap_means(values, weights, 1, 64)
    monkeypatch.setattr("coterie.evaluation.significance._BLOCK_BYTES", 8 * 50 * 16)
    assert np.allclose(whole, bootstrap_means(values, weights, 1, 64))


def test_the_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(size=(2000, 1))
    low, high = interval(bootstrap_means(values, np.ones(2000), 0)[:, 0])
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.1)


def test_within_noise_is_whether_the_interval_of_the_difference_has_zero() -> None:
    assert Estimate(1, 0, 2, -0.1, -0.3, 0.1).within_noise
    assert not Estimate(1, 0, 2, -0.1, -0.3, -0.05).within_noise
