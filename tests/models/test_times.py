"""Times that callers give: any form, one a pair, and handed to the models that ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.data.times import given_times
from coterie.errors import ParameterError
from coterie.evaluation.evaluate import Questions, ask
from coterie.evaluation.splits import split
from coterie.models.base import Recommender
from tests.contract.cases import catalog, world

NEW_YEAR = 1_514_764_800


@dataclass(eq=False)
class Clock(Recommender):
    """Predicts the minute of the hour at which it is asked; without a time, -1."""

    name: ClassVar[str] = "clock"
    predicts_ratings = True
    predicts_at_times = True

    def _fit(self, train: Any, catalog: Any) -> None:
        self.asked_: list[Any] = []

    def _score(self, profiles: Any, users: Any) -> Any:
        return np.zeros(profiles.shape, np.float32)

    def _predict_at(self, profiles: Any, users: Any, rows: Any, items: Any, times: Any) -> Any:
        self.asked_.append(None if times is None else times.tolist())
        return np.full(len(rows), 2.0) if times is None else 1 + (times // 60 % 4)


@pytest.mark.parametrize(
    "times",
    [
        [NEW_YEAR, NEW_YEAR + 86_400],
        np.array([NEW_YEAR, NEW_YEAR + 86_400]),
        [NEW_YEAR + 0.5, NEW_YEAR + 86_400.0],
        ["2018-01-01", "2018-01-02"],
        [datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 1, 2, tzinfo=UTC)],
        np.array(["2018-01-01", "2018-01-02"], "datetime64[s]"),
        pl.Series([datetime(2018, 1, 1), datetime(2018, 1, 2)]),
        pl.Series([NEW_YEAR, NEW_YEAR + 86_400]),
        (t for t in (NEW_YEAR, NEW_YEAR + 86_400)),
    ],
)
def test_times_come_in_any_form(times: Any) -> None:
    assert given_times(times, 2, "pairs").tolist() == [NEW_YEAR, NEW_YEAR + 86_400]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([1], "1 timestamps for 2 pairs; give as many"),
        ([1, 2, 3], "3 timestamps for 2 pairs"),
        (np.ones((2, 2)), "2 timestamps for 2 pairs"),
        ([5, None], "number 2 of 2, None, is missing"),
        ([float("nan"), 5.0], "number 1 of 2, nan, is missing"),
        (["2018-01-01", "soon"], "number 2 of 2, 'soon', is missing or cannot be read"),
        ([True, False], "Unix seconds, datetimes or text"),
        ([1, "a"], "Unix seconds, datetimes or text"),
    ],
)
def test_times_that_are_none_are_refused(times: Any, said: str) -> None:
    with pytest.raises(ParameterError, match=said) as error:
        given_times(times, 2, "pairs")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrapped", [False, True])
def test_every_pair_is_asked_about_at_its_own_time(wrapped: bool) -> None:
    x = world()
    model: Any = ct.Reranked(Clock(), never=["War"]) if wrapped else Clock()
    model.fit(x, catalog())
    assert model.predicts_at_times
    random = np.random.default_rng(0)
    users, items = random.choice(x.users.ids, 200), random.choice(x.items.ids, 200)
    times = random.integers(10**9, 2 * 10**9, 200)
    expected = 1 + (times // 60 % 4)
    np.testing.assert_array_equal(model.predict(users, items, times), expected)
    assert set(model.predict(users, items)) == {2}
    np.testing.assert_array_equal(model.predict_for({}, items, times), expected)
    rows = x.users.indices(users)
    np.testing.assert_array_equal(model.rate(x.to_scipy(), rows, x.items.indices(items), times=times), expected)
    for ask_wrongly in (
        lambda: model.predict(users, items, times[:-1]),
        lambda: model.predict_for({}, items, times[:-1]),
        lambda: model.rate(x.to_scipy(), rows, x.items.indices(items), times=times[:-1]),
    ):
        with pytest.raises(ParameterError, match=r"199 (timestamps|times) for 200"):
            ask_wrongly()


def test_a_split_is_asked_about_at_the_times_of_its_test_ratings() -> None:
    parts = split(world(), "time")
    model = Clock().fit(parts.train)
    answers = ask(model, Questions(parts, relevant_from=0, k=0, ratings=True))
    assert answers.predictions is not None
    np.testing.assert_array_equal(answers.predictions.predicted, 1 + (parts.test.timestamps // 60 % 4))


def test_models_that_do_not_ask_for_times_take_no_notice() -> None:
    x = world()
    model = ct.BiasBaseline().fit(x)
    users, items = x.users.ids[:5], x.items.ids[:5]
    np.testing.assert_array_equal(model.predict(users, items, [1] * 5), model.predict(users, items))
    user, item = int(users[0]), int(items[0])
    assert model.explain(user, item, timestamp="2018-01-01").score == model.explain(user, item).score
    with pytest.raises(ParameterError, match="5 users"):
        model.predict(users, items[:4])
