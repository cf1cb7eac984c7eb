"""The leaderboard: fair, honest about noise, and not brought down by one model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.evaluation import compare, relevance_threshold, split_at_random
from coterie.evaluation.leaderboard import Row
from coterie.models.baselines import Popularity, Random
from tests.evaluation.small import Broken, Mean, world


def test_the_better_model_leads_and_the_difference_is_in_words() -> None:
    board = compare(world(300), [Random(), Popularity()], "random", ["ndcg@5", "coverage@5", "rmse"], progress=False)
    assert [row.model for row in board.rows] == ["popularity", "random"]
    first, second = (row.estimates["ndcg@5"] for row in board.rows)
    assert first is not None and second is not None
    assert first.low is not None and first.high is not None and first.low < first.value < first.high
    assert second.difference == pytest.approx(second.value - first.value)
    assert first.p_value is None and second.p_value is not None
    assert second.p_value == second.p_uncorrected < 0.001  # of one comparison there is nothing to correct
    assert not second.within_noise and board.verdict(board.rows[1]) == "behind the leader"
    assert board.words()[0].startswith("By ndcg@5, popularity leads with 0.")
    assert board.words()[1] == "random is behind it by more than noise (corrected p < 0.001)."
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
    assert board.leader is None and board.words() == [
        "No model could be judged.",
        "broken failed: MemoryError: no room for 3 <numbers>",
    ]
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
    assert any("mean gave no rating for 1 test rating; the training mean stood in." in note for note in board.notes)
    assert board.rows[0].estimates["rmse"].value == pytest.approx(5 - 3.0)  # type: ignore[union-attr]


def test_one_user_has_no_interval_and_nothing_is_claimed() -> None:
    x = Interactions.from_frame(pl.DataFrame({"u": [1] * 10, "i": list(range(10))}), "u", "i")
    board = compare(x, ["random", "popularity"], "random", ["ndcg@3"], progress=False)
    assert all(e is not None and e.low is None and e.within_noise for e in (r.estimates["ndcg@3"] for r in board.rows))
    assert any(f.check == "few users" and f.count == 1 for f in board.findings)
    assert board.verdict(board.rows[1]) == "no verdict"


def test_the_same_seed_gives_the_same_figures() -> None:
    boards = [compare(world(times=True), ["random", "popularity"], progress=False).to_dict() for _ in range(2)]
    for board in boards:
        for row in board["rows"]:
            for cost in ("fit_seconds", "recommend_seconds", "predict_seconds", "peak_bytes"):
                del row[cost]
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
        for part in ("difference", "p_value", "p_uncorrected"):
            assert line[part] == row["metrics"]["ndcg@5"][part]
        assert line["model_bytes"] == row["model_bytes"] and line["mean_popularity"] == row["mean_popularity"]
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


@pytest.mark.parametrize(
    ("label", "options"),
    [
        ("ease", []),
        ("item-knn(similarity=pearson, n_neighbors=40)", ["similarity=pearson", "n_neighbors=40"]),
        ("again(ease(a=1, b=2), never=('Comedy', 2), most={'Drama': 3, 'War': 1})",
         ["ease(a=1, b=2)", "never=('Comedy', 2)", "most={'Drama': 3, 'War': 1}"]),
    ],
)  # fmt: skip
def test_options_of_a_label_are_taken_apart_but_not_what_is_in_brackets(label: str, options: list[str]) -> None:
    assert Row(label, {}, {}).options == options
