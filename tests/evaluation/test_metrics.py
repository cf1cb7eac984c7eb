"""Every metric against cases worked by hand and against a slow, obvious twin."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.errors import ParameterError
from coterie.evaluation.metrics import METRICS, Predictions, Ranking, parse
from coterie.evaluation.metrics import ranking as ranking_metrics
from coterie.evaluation.significance import bootstrap

# User 0 gets items 3, 1, 4 and likes 1, 2 and 4. User 1 gets 0 alone and likes 0.
HAND = Ranking.of(np.array([[3, 1, 4], [0, -1, -1]]), np.array([[0, 1, 1, 0, 1], [1, 0, 0, 0, 0]], bool), n_items=5)
IDEAL3 = 1 + 1 / math.log2(3) + 1 / 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("precision@3", [2 / 3, 1 / 3]),
        ("precision@1", [0, 1]),
        ("recall@3", [2 / 3, 1]),
        ("recall@2", [1 / 3, 1]),
        ("recall_capped@2", [1 / 2, 1]),
        ("recall_capped@1", [0, 1]),
        ("r_precision@3", [2 / 3, 1]),
        ("r_precision@2", [1 / 3, 1]),
        ("ndcg@3", [(1 / math.log2(3) + 1 / 2) / IDEAL3, 1]),
        ("ndcg@1", [0, 1]),
        ("ndcg_full@3", [(1 / math.log2(3) + 1 / 2) / IDEAL3, 1]),
        ("ndcg_full@2", [1 / math.log2(3) / IDEAL3, 1]),
        ("map@3", [(1 / 2 + 2 / 3) / 3, 1]),
        ("map@2", [(1 / 2) / 2, 1]),
        ("map_full@3", [(1 / 2 + 2 / 3) / 3, 1]),
        ("map_full@2", [(1 / 2) / 3, 1]),
        ("mrr@3", [1 / 2, 1]),
        ("mrr@1", [0, 1]),
        ("hit_rate@3", [1, 1]),
        ("hit_rate@1", [0, 1]),
    ],
)
def test_ranking_metrics_by_hand(name: str, expected: list[float]) -> None:
    measure = parse(name)
    assert measure.per_user(HAND).values == pytest.approx(expected, abs=1e-12)
    assert measure.value(HAND) == pytest.approx(np.mean(expected), abs=1e-12)


def test_coverage_by_hand() -> None:
    assert parse("coverage@3").value(HAND) == 4 / 5
    assert parse("coverage@1").value(HAND) == 2 / 5


def test_rating_metrics_weigh_ratings_not_users() -> None:
    predictions = Predictions(np.array([0, 0, 0, 1]), np.array([4.0, 3, 5, 2]), np.array([4.0, 4, 3, 5]), 2)
    assert parse("rmse").value(predictions) == pytest.approx(math.sqrt((0 + 1 + 4 + 9) / 4))
    assert parse("mae").value(predictions) == pytest.approx((0 + 1 + 2 + 3) / 4)
    assert parse("rmse").per_user(predictions).values == pytest.approx([5 / 3, 9])


def test_r2_is_one_less_the_share_that_is_left_of_the_variance() -> None:
    predictions = Predictions(np.array([0, 0, 0, 1]), np.array([4.0, 3, 5, 2]), np.array([4.0, 4, 3, 5]), 2)
    left = (0 + 1 + 4 + 9) / sum((r - 3.5) ** 2 for r in (4, 3, 5, 2))
    assert parse("r2").value(predictions) == pytest.approx(1 - left)
    mean = dataclasses.replace(predictions, predicted=np.full(4, 3.5))
    assert parse("r2").value(mean) == pytest.approx(0)
    assert parse("r2").value(dataclasses.replace(predictions, predicted=predictions.actual)) == 1
    assert math.isnan(parse("r2").value(dataclasses.replace(predictions, actual=np.full(4, 3.0))))


def test_the_interval_of_r2_is_that_of_r2_worked_out_anew_for_every_draw() -> None:
    generator = np.random.default_rng(0)
    user = np.repeat(np.arange(30), generator.integers(1, 6, 30))
    actual = generator.integers(1, 6, len(user)).astype(float)
    predicted = actual + generator.normal(size=len(user))
    measure = parse("r2")
    found = measure.metric.finish(bootstrap([measure.per_user(Predictions(user, actual, predicted, 30))], 4)[0])
    for drawn, value in zip(np.random.default_rng(4).integers(0, 30, (len(found), 30), np.int32), found, strict=True):
        r, e = (np.concatenate([v[user == u] for u in drawn]) for v in (actual, predicted - actual))
        assert value == pytest.approx(1 - (e**2).sum() / ((r - r.mean()) ** 2).sum())


def test_rating_coverage_by_hand() -> None:
    predictions = Predictions(np.array([0, 0, 0, 1]), np.ones(4), np.ones(4), 2)
    assert parse("rating_coverage").value(predictions) == 1
    answered = dataclasses.replace(predictions, answered=np.array([True, False, True, False]))
    assert parse("rating_coverage").value(answered) == 1 / 2
    assert parse("rating_coverage").per_user(answered).values == pytest.approx([2 / 3, 0])


def test_calibration_of_deviations_by_hand() -> None:
    # Errors of 0, 1 and 2 deviations: inside from the level 0 on, from 0.683 on, and from 0.954 on.
    user, actual = np.array([0, 0, 1, 1]), np.array([3.0, 3, 3, 3])
    made = Predictions(user, actual, np.array([3.0, 4, 1, 1]), 2, None, np.array([1.0, 1, 1, np.nan]))
    expected = np.mean([abs(p - (1 / 3 if p < 0.683 else 2 / 3)) for p in np.arange(1, 10) / 10])
    assert parse("deviation_calibration").value(made) == pytest.approx(expected)
    answered = dataclasses.replace(made, answered=np.array([True, True, False, True]))
    expected = np.mean([abs(p - (1 / 2 if p < 0.683 else 1)) for p in np.arange(1, 10) / 10])
    assert parse("deviation_calibration").value(answered) == pytest.approx(expected)
    assert math.isnan(parse("deviation_calibration").value(dataclasses.replace(made, deviations=None)))


def test_true_deviations_are_calibrated_and_wrong_ones_are_not() -> None:
    generator = np.random.default_rng(0)
    n, sigma = 20_000, generator.uniform(0.5, 2, 20_000)
    actual = generator.normal(3, sigma)
    for factor, low, high in ((1.0, 0, 0.01), (0.5, 0.15, 0.3), (2.0, 0.15, 0.3)):
        made = Predictions(np.arange(n) // 10, actual, np.full(n, 3.0), n // 10, None, factor * sigma)
        assert low <= parse("deviation_calibration").value(made) <= high


# ---- slow twins --------------------------------------------------------------------------------------


def slow_precision(found: list[int], liked: set[int], k: int) -> float:
    return sum(1 for item in found[:k] if item in liked) / k


def slow_recall(found: list[int], liked: set[int], k: int) -> float:
    return sum(1 for item in found[:k] if item in liked) / len(liked)


def slow_recall_capped(found: list[int], liked: set[int], k: int) -> float:
    return sum(1 for item in found[:k] if item in liked) / min(k, len(liked))


def slow_r_precision(found: list[int], liked: set[int], k: int) -> float:
    return sum(1 for item in found[:k][: len(liked)] if item in liked) / len(liked)


def slow_ndcg(found: list[int], liked: set[int], k: int) -> float:
    gain = sum(1 / math.log2(place + 1) for place, item in enumerate(found[:k], 1) if item in liked)
    return gain / sum(1 / math.log2(place + 1) for place in range(1, min(k, len(liked)) + 1))


def slow_ndcg_full(found: list[int], liked: set[int], k: int) -> float:
    gain = sum(1 / math.log2(place + 1) for place, item in enumerate(found[:k], 1) if item in liked)
    return gain / sum(1 / math.log2(place + 1) for place in range(1, len(liked) + 1))


def slow_map(found: list[int], liked: set[int], k: int) -> float:
    at_hits = [slow_precision(found, liked, place) for place, item in enumerate(found[:k], 1) if item in liked]
    return sum(at_hits) / min(k, len(liked))


def slow_map_full(found: list[int], liked: set[int], k: int) -> float:
    return slow_map(found, liked, k) * min(k, len(liked)) / len(liked)


def slow_mrr(found: list[int], liked: set[int], k: int) -> float:
    return next((1 / place for place, item in enumerate(found[:k], 1) if item in liked), 0.0)


def slow_hit_rate(found: list[int], liked: set[int], k: int) -> float:
    return float(any(item in liked for item in found[:k]))


SLOW = {
    "precision": slow_precision,
    "recall": slow_recall,
    "recall_capped": slow_recall_capped,
    "r_precision": slow_r_precision,
    "ndcg": slow_ndcg,
    "ndcg_full": slow_ndcg_full,
    "map": slow_map,
    "map_full": slow_map_full,
    "mrr": slow_mrr,
    "hit_rate": slow_hit_rate,
}


@st.composite
def rankings(draw: st.DrawFn) -> tuple[list[list[int]], list[set[int]], int, int]:
    n_items, longest = draw(st.integers(1, 8)), draw(st.integers(1, 6))
    people = st.tuples(
        st.permutations(range(n_items)).flatmap(
            lambda order: st.integers(0, min(longest, n_items)).map(lambda n: list(order)[:n])
        ),
        st.sets(st.integers(0, n_items - 1), min_size=1),
    )
    drawn = draw(st.lists(people, min_size=1, max_size=5))
    return [found for found, _ in drawn], [liked for _, liked in drawn], n_items, longest


@given(rankings(), st.integers(1, 7))
def test_ranking_metrics_equal_their_slow_twins(case: Any, k: int) -> None:
    lists, liked, n_items, longest = case
    items = np.array([found + [-1] * (longest - len(found)) for found in lists])
    ranking = Ranking.of(items, np.array([[i in likes for i in range(n_items)] for likes in liked]), n_items)
    for name, slow in SLOW.items():
        values = parse(f"{name}@{k}").per_user(ranking).values
        expected = [slow(found, likes, k) for found, likes in zip(lists, liked, strict=True)]
        assert values == pytest.approx(expected, abs=1e-12), name
        assert np.all((values >= 0) & (values <= 1 + 1e-12))
    reached = {item for found in lists for item in found[:k]}
    assert parse(f"coverage@{k}").value(ranking) == pytest.approx(len(reached) / n_items)


def test_every_ranking_metric_has_a_twin() -> None:
    assert {m.name for m in ranking_metrics.METRICS if m.cut} == set(SLOW)


def test_every_metric_documents_itself() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name == parse(name).metric.name and metric.title and metric.variant
        assert ":math:" in (metric.function.__doc__ or ""), name


# ---- names --------------------------------------------------------------------------------------------


def test_names_parse_and_come_back() -> None:
    assert parse("ndcg@20").name == "ndcg@20"
    assert parse(" NDCG ", k=7).name == "ndcg@7"
    assert parse("rmse").name == "rmse" and parse("rmse").k is None
    assert parse("r2").name == "r2" and parse("recall_capped@5").name == "recall_capped@5"


def test_a_name_says_that_candidates_were_sampled() -> None:
    measure = dataclasses.replace(parse("ndcg@10"), sampled=100)
    assert measure.name == "ndcg@10 (sampled 100)"
    assert measure.title == "NDCG of the first 10, ranked among 100 sampled items only"
    assert dataclasses.replace(parse("rmse"), sampled=100).name == "rmse"  # ratings are of the test's own items


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("accuracy", "unknown metric 'accuracy'; there are precision"),
        ("rmse@10", "leave out @10"),
        ("ndcg@0", "not at 0"),
        ("ndcg@ten", "unknown metric"),
    ],
)
def test_wrong_names_say_what_is_right(name: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        parse(name)


def test_a_catalogue_metric_has_no_value_of_one_user() -> None:
    with pytest.raises(ParameterError, match="whole catalogue"):
        parse("coverage@3").per_user(HAND)
