"""Bundles from fitted models."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError, UnknownIdError
from coterie.scenarios import bundle, complete, score_bundle
from tests.scenarios.made import two_camps


@pytest.fixture(scope="module")
def model() -> ct.Recommender:
    return ct.EASE(regularization=10.0).fit(*two_camps())


def test_a_bundle_is_of_unseen_items_and_its_parts_add_up(model: ct.Recommender) -> None:
    found = bundle(model, 1, size=4)
    seen = set(model.train_.filter(users=[1]).items.ids.tolist())
    assert len(found.items) == 4 == found.items["item"].n_unique()
    assert not seen & set(found.items["item"])
    assert found.value == pytest.approx(found.relevance + found.complementarity + found.diversity)
    assert found.proven
    assert found.greedy_value <= found.value <= found.bound + 1e-9
    again = score_bundle(model, found.items["item"], 1)
    assert again.value == pytest.approx(found.value)


def test_greedy_says_its_bound(model: ct.Recommender) -> None:
    exact, greedy = bundle(model, 1, 4), bundle(model, 1, 4, method="greedy")
    assert greedy.value == pytest.approx(exact.greedy_value)
    assert greedy.value <= exact.value <= greedy.bound + 1e-9


def test_complementarity_is_npmi_of_likes(model: ct.Recommender) -> None:
    found = score_bundle(model, [100, 103, 118])
    frame = model.train_.to_frame().filter(pl.col("rating") >= 4)  # 4 of 5 is the top quarter of 1 to 5
    likes = {item: set(own["user"]) for (item,), own in frame.group_by("item")}
    n = frame["user"].n_unique()
    for item, other, together, expected, c in found.pairs.select(
        "item", "other", "together", "expected", "complementarity"
    ).iter_rows():
        both = len(likes[item] & likes[other])
        chance = len(likes[item]) * len(likes[other]) / n
        assert together == both
        assert expected == pytest.approx(chance)
        assert c == pytest.approx(both / (both + 5) * np.log(both / chance) / -np.log(both / n))
    assert (100, 103) in found.pairs.select("item", "other").rows()  # of one camp
    assert (103, 118) not in found.pairs.select("item", "other").rows()  # of two


def test_completing_keeps_what_is_given_and_stays_in_the_camp(model: ct.Recommender) -> None:
    found = complete(model, [100, 103], 2, weights=(0.0, 1.0, 0.0))
    assert found.items["item"].to_list()[:2] == [100, 103]
    assert found.items["given"].to_list() == [True, True, False, False]
    assert all(item < 115 for item in found.items["item"])
    known = complete(model, 100, 2, person=2)
    rated = set(model.train_.filter(users=[2]).items.ids.tolist())
    assert not rated & set(known.items["item"].to_list()[1:])


def test_candidates_topics_and_degenerate_sizes(model: ct.Recommender) -> None:
    one = bundle(model, {100: 5.0}, size=1, candidates=[104, 118])
    assert one.items["item"].to_list() == [104]
    assert one.n_candidates == 2
    all_ = bundle(model, {100: 5.0}, size=9, candidates=[104, 118])
    assert sorted(all_.items["item"]) == [104, 118]
    near = bundle(model, {100: 5.0}, 3, topics="neighbors")
    assert "neighbors" in score_bundle(model, [100], topics="neighbors").summary
    assert 0 <= near.diversity <= 0.5


def test_without_a_catalog_neighbors_are_the_topics() -> None:
    x, _ = two_camps()
    found = bundle(ct.ItemKNN().fit(x), 1, 3)
    assert len(found.items) == 3
    assert "title" not in found.items.columns
    with pytest.raises(DataError, match="catalog"):
        bundle(ct.ItemKNN().fit(x), 1, 3, topics="genres")


def test_text_ids_and_ratings_that_are_all_ones() -> None:
    frame = pl.DataFrame({"u": ["ä", "ä", "b", "b", "ç", "ç"], "i": ["x", "ÿ", "x", "ÿ", "x", "z"]})
    found = bundle(ct.EASE(regularization=1.0).fit(Interactions.from_frame(frame, "u", "i")), "ç", 1)
    assert found.items["item"].to_list() == ["ÿ"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": (0.0, 0.0, 0.0)}, "weights must be"),
        ({"weights": (1.0, -1.0, 0.0)}, "weights must be"),
        ({"method": "best"}, "method must be"),
        ({"topics": "tags"}, "topics must be"),
        ({"weights": (1.0, 1.0)}, r"weights must be three numbers.*\(1.0, 1.0\)"),
        ({"weights": (1.0, "1", 1.0)}, "weights must be three numbers"),
        ({"weights": 1.0}, "weights must be three numbers"),
        ({"size": 0}, "^size must be a whole number from 1, not 0"),
        ({"size": "4"}, "^size must be a whole number"),
        ({"pool": "many"}, "^pool must be a whole number"),
        ({"size": 5, "pool": 3}, "pool of at least 5"),
    ],
)
def test_errors_name_the_value(model: ct.Recommender, change: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        bundle(model, 1, **change)  # type: ignore[arg-type]


def test_unknown_and_empty(model: ct.Recommender) -> None:
    with pytest.raises(UnknownIdError, match="unknown item 7"):
        complete(model, [7])
    with pytest.raises(ParameterError, match="empty bundle"):
        complete(model, [])
    with pytest.raises(ParameterError, match=r"^n must be a whole number from 1, not 0"):
        complete(model, [100], 0)
    with pytest.raises(ParameterError, match="empty bundle"):
        score_bundle(model, [])
    everything = dict.fromkeys(model.train_.items.ids.tolist(), 4.0)
    with pytest.raises(DataError, match="all was rated"):
        bundle(model, everything, 2)
