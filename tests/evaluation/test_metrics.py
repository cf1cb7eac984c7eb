"""Every metric against cases worked by hand and against a slow, obvious twin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.errors import ParameterError
from coterie.evaluation.metrics import METRICS, Predictions, Ranking, parse

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
        ("ndcg@3", [(1 / math.log2(3) + 1 / 2) / IDEAL3, 1]),
        ("ndcg@1", [0, 1]),
        ("map@3", [(1 / 2 + 2 / 3) / 3, 1]),
        ("map@2", [(1 / 2) / 2, 1]),
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


# ---- slow twins --------------------------------------------------------------------------------------


def slow_precision(found: list[int], liked: set[int], k: int) -> float:
    return sum(1 for item in found[:k] if item in liked) / k


def slow_recall(found: list[int], liked: set[int], k: int) -> float:
    return sum(1 for item in found[:k] if item in liked) / len(liked)


def slow_recall_capped(found: list[int], liked: set[int], k: int) -> float:
    return sum(item in liked for item in found[:k]) / min(k, len(liked))


def slow_ndcg(found: list[int], liked: set[int], k: int) -> float:
    gain = sum(1 / math.log2(place + 1) for place, item in enumerate(found[:k], 1) if item in liked)
    return gain / sum(1 / math.log2(place + 1) for place in range(1, min(k, len(liked)) + 1))


def slow_map(found: list[int], liked: set[int], k: int) -> float:
    at_hits = [slow_precision(found, liked, place) for place, item in enumerate(found[:k], 1) if item in liked]
    return sum(at_hits) / min(k, len(liked))


def slow_mrr(found: list[int], liked: set[int], k: int) -> float:
    return next((1 / place for place, item in enumerate(found[:k], 1) if item in liked), 0.0)


def slow_hit_rate(found: list[int], liked: set[int], k: int) -> float:
    return float(any(item in liked for item in found[:k]))


SLOW = {
    "precision": slow_precision,
    "recall": slow_recall,
    "recall_capped": slow_recall_capped,
    "ndcg": slow_ndcg,
    "map": slow_map,
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
    assert {m.name for m in METRICS.values() if m.kind == "ranking" and m.cut} == set(SLOW)


def test_every_metric_documents_itself() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name and metric.title and metric.variant
        assert ":math:" in (metric.function.__doc__ or ""), name


# ---- names --------------------------------------------------------------------------------------------


def test_names_parse_and_come_back() -> None:
    assert parse("ndcg@20").name == "ndcg@20"
    assert parse(" NDCG ", k=7).name == "ndcg@7"
    assert parse("rmse").name == "rmse" and parse("rmse").k is None


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
