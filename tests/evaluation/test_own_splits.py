"""Splits that a person brings: checked, made of parts with ids of their own, or read from two files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.evaluation import Split, compare, load_split, split
from coterie.evaluation.evaluate import Questions
from coterie.evaluation.metrics import parse
from coterie.evaluation.tuning import tuned
from coterie.models.base import Recommender
from coterie.models.baselines import BiasBaseline, Popularity
from coterie.models.ease import EASE
from tests.evaluation.made import make, triples


def test_a_split_of_ones_own_is_checked() -> None:
    x = make([(u, i, 3.0, i) for u in range(4) for i in range(4)])
    first = np.arange(x.nnz) < 9
    train, test = (x.select(keep, keep_vocabularies=True) for keep in (first, ~first))
    assert Split.of(train, test, "mine").description == "mine"
    with pytest.raises(DataError, match="also training ratings, the first of user 0 and item 0"):
        Split.of(train, x)
    with pytest.raises(DataError, match="different ids"):
        Split.of(train, x.select(~first))


def test_given_ratings_are_checked() -> None:
    x = make([(u, i, 3.0, i) for u in range(4) for i in range(4)])
    strangers = x.user_index >= 2
    train, told, test = (
        x.select(keep, keep_vocabularies=True)
        for keep in (~strangers, strangers & (x.indices < 3), strangers & (x.indices == 3))
    )
    made = Split.of(train, test, given=told)
    assert made.profiles is told and made.n_test_users == 2
    with pytest.raises(DataError, match="2 users have both given and training ratings, the first of them user 0"):
        Split.of(train, test, given=train)
    with pytest.raises(DataError, match="2 test ratings are also given ratings, the first of user 2 and item 3"):
        Split.of(train, test, given=x.select(strangers, keep_vocabularies=True))
    one = told.select(told.user_index == 2, keep_vocabularies=True)
    assert Split.of(train, test, given=one).dropped["test users without given ratings, left out"] == 1
    with pytest.raises(DataError, match=r"given ratings .* have different ids"):
        Split.of(train, test, given=x.select(strangers))


OLD = {("b", 1): 5.0, ("b", 2): 3.0, ("a", 1): 2.0}


def supplied(table: dict[tuple[str, int], float]) -> Interactions:
    users, items = zip(*table, strict=True)
    return Interactions.from_frame({"u": users, "i": items, "r": list(table.values())}, "u", "i", "r")


tables = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.integers(1, 5)), st.sampled_from([1.0, 3.0, 5.0]), min_size=1
)


@given(tables, tables)
def test_parts_with_ids_of_their_own_become_one_split(one: dict[Any, float], other: dict[Any, float]) -> None:
    train, test = supplied(one), supplied(other)
    try:
        made = Split.of_parts(train, test, overlap="drop")
    except DataError as error:
        assert "leaves no test ratings" in str(error)
        return
    assert triples(made.train) == triples(train)
    known = {user for user, _ in one}
    expected = {(*pair, value) for pair, value in other.items() if pair not in one and pair[0] in known}
    assert triples(made.test) == expected
    assert made.dropped.get("test ratings that training has too, left out", 0) == len(one.keys() & other.keys())
    for whole, first, second in (
        (made.train.users, train.users, test.users),
        (made.train.items, train.items, test.items),
    ):
        assert whole.ids.tolist() == list(dict.fromkeys([*first.ids.tolist(), *second.ids.tolist()]))
    assert made.train.users == made.test.users and made.train.items == made.test.items


def test_pairs_in_both_parts_are_refused_or_left_out_as_the_caller_chose() -> None:
    test = {("b", 1): 4.0, ("b", 9): 1.0, ("z", 1): 1.0}
    with pytest.raises(DataError, match="1 test rating is also a training rating, the first of user 'b' and item 1"):
        Split.of_parts(supplied(OLD), supplied(test))
    assert Split.of_parts(supplied(OLD), supplied(test), overlap="drop").dropped == {
        "test ratings that training has too, left out": 1,
        "test users without training ratings, left out": 1,
        "test ratings of those users, left out": 1,
        "test items without training ratings, kept": 1,
        "test ratings of those items": 1,
    }
    with pytest.raises(ParameterError, match="overlap must be 'error', 'drop' or 'keep', not 'warn'"):
        Split.of_parts(supplied(OLD), supplied(test), overlap="warn")  # type: ignore[arg-type]
    numbers = Interactions.from_frame({"u": [1], "i": [1]}, "u", "i")
    with pytest.raises(DataError, match="user ids are text here, but the new ones are integers"):
        Split.of_parts(supplied(OLD), numbers)


def test_a_split_from_two_files(tmp_path: Path) -> None:
    first, second = tmp_path / "train.csv", tmp_path / "test.csv"
    first.write_text("who,what,stars\n1,10,4\n1,20,3\n2,10,5\n")
    second.write_text("who,what,stars\n2,20,1\n2,30,5\n3,10,2\n")
    columns = {"user": "who", "item": "what", "rating": "stars"}
    data, made = load_split(first, second, **columns, cache=False)
    assert made.train.to_frame().rows() == data.interactions.to_frame().rows() == [(1, 10, 4), (1, 20, 3), (2, 10, 5)]
    assert made.test.to_frame().rows() == [(2, 20, 1), (2, 30, 5)]
    assert made.train.n_users == 3 and made.train.n_items == 3 and not made.timed
    assert "train" in made.description and "test" in made.description
    board = compare(data, ["popularity"], made, ["recall@1"], relevant_from=5, progress=False)
    assert board.n_users == 1
    with pytest.raises(DataError, match="3 test ratings are also training ratings"):
        load_split(data, first, **columns, cache=False)


def test_what_both_files_have_may_stay_and_is_then_found() -> None:
    x = make([(u, i, 1.0 + (u + i) % 5, u + i) for u in range(5) for i in range(6)])
    kept = Split.of_parts(x, x.select(x.indices < 3), overlap="keep")
    assert kept.test.nnz == 15
    with pytest.raises(DataError, match=r'15 test ratings are also .* overlap="drop" .* allow_leaks=True'):
        compare(x, "popularity", kept, "ndcg", progress=False)
    board = compare(x, "popularity", kept, "ndcg", progress=False, allow_leaks=True)
    assert (
        "15 test ratings are also" in next(f for f in board.findings if f.check == "test ratings in training").message
    )


@pytest.mark.parametrize(
    ("model", "towards"), [(Popularity(), None), (BiasBaseline(), None), (BiasBaseline(), "zero"), (EASE(), "mean")]
)
@pytest.mark.parametrize("how", ["time", "users"])
def test_what_is_learnt_from_decays_and_what_is_asked_about_does_not(
    how: str, model: Recommender, towards: Any
) -> None:
    x = make([(u, i, 1.0 + (u + i) % 5, 86_400 * (3 * u + 7 * i + 1)) for u in range(12) for i in range(9)])
    plain = split(x, how)
    promised = plain.decayed(30, towards)
    assert promised.train is plain.train and promised.test is plain.test
    weighed = promised.for_model(model)
    assert weighed.test is plain.test and weighed.for_model(model) is weighed
    assert weighed.description.endswith("old training ratings weigh less, half in 30 days")
    told = [part for part in (plain.train, plain.given) if part is not None]
    latest = max(int(part.timestamps.max()) for part in told)
    for before, after in zip(told, [weighed.train, weighed.given], strict=False):
        ages = (latest - before.timestamps) / 86_400
        weights = 0.5 ** (ages / 30)
        means = {u: before.values[before.user_index == u].mean(dtype=float) for u in set(before.user_index.tolist())}
        mean = np.array([means[u] for u in before.user_index.tolist()])
        to_mean = (towards or ("mean" if model.predicts_ratings else "zero")) == "mean"
        expected = mean + weights * (before.values - mean) if to_mean else before.values * weights
        np.testing.assert_allclose(after.values, expected, rtol=1e-6)


def test_each_model_of_a_comparison_has_its_own_reading_of_age() -> None:
    x = make([(u, i, 1.0 + (u * i) % 5, 86_400 * (3 * u + 7 * i + 1)) for u in range(12) for i in range(9)])
    plain = split(x, "time")
    latest = int(plain.train.timestamps.max())
    answers = compare(x, ["ease", "bias"], plain.decayed(9), ["ndcg@3", "rmse"], relevant_from=4, progress=False)
    for name, towards in (("ease", "zero"), ("bias", "mean")):
        by_hand = dataclasses.replace(plain, train=plain.train.decayed(9, latest, towards))
        alone = compare(x, [name], by_hand, ["ndcg@3", "rmse"], relevant_from=4, progress=False)
        found = next(row for row in answers.rows if row.model == name)
        values, expected = (
            {metric: e and e.value for metric, e in row.estimates.items()} for row in (found, alone.rows[0])
        )
        assert values == expected and expected["ndcg@3"] is not None, name


def test_a_search_within_a_comparison_is_judged_by_ratings_that_do_not_age(monkeypatch: pytest.MonkeyPatch) -> None:
    x = make([(u, i, 1.0 + (u * i) % 5, 86_400 * (3 * u + 7 * i + 1)) for u in range(12) for i in range(9)])
    seen: dict[str, Any] = {}

    def search(model: Recommender, data: Interactions, **asked: Any) -> Any:
        seen.update(asked, data=data)
        raise KeyboardInterrupt  # what it found does not matter here

    monkeypatch.setattr("coterie.evaluation.search.tune", search)
    outer = split(x, "time")
    for half_life in (None, 9.0):
        part = outer if half_life is None else outer.decayed(half_life)
        with pytest.raises(KeyboardInterrupt):
            tuned(EASE(), Questions(part, 4.0, 3, False), parse("ndcg@3"), 1.0, 0)
        assert seen["data"] is outer.train
        inner = seen["split"]
        assert (None if inner is None else inner.half_life) == half_life
    assert inner.test.fingerprint == split(outer.train).test.fingerprint
    with pytest.raises(DataError, match="no timestamps"):
        split(supplied(OLD | {("a", 2): 1.0}), "random:0.3").decayed(30)
