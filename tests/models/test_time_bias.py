"""Biases with time against a dense system, a rating-by-rating twin and effects that were planted."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coterie as ct
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, MemoryBudgetError, ParameterError
from coterie.models import time_effects as when
from coterie.models.time_steps import groups_of, solve_calendar, solve_items, solve_people
from coterie.models.training import Training
from tests.reference import time_steps as twin

START = int(datetime(2016, 1, 4, tzinfo=UTC).timestamp())  # a Monday
DAY = 86_400
OFF = {"user_drift": False, "item_drift": False, "user_scale": False}
ALL = {"user_days": True, "weekday": True, "season": True}


def rated(user: Any, item: Any, values: Any, times: Any, n_users: int, n_items: int) -> Interactions:
    """User ids from 1, item ids from 101."""
    users, items = Vocabulary(np.arange(n_users) + 1, "user"), Vocabulary(np.arange(n_items) + 101, "item")
    return Interactions.from_arrays(users, items, user, item, values, None if times is None else np.asarray(times))


def world(n_users: int = 12, n_items: int = 9, seed: int = 0) -> Interactions:
    """Half-star ratings over two years, several a day."""
    random = np.random.default_rng(seed)
    user, item = np.nonzero(random.random((n_users, n_items)) < 0.6)
    day = random.integers(0, 12, (n_users, 4)) * 61
    times = START + day[user, random.integers(0, 4, len(user))] * DAY + random.integers(0, DAY, len(user))
    return rated(user, item, random.integers(1, 11, len(user)) / 2, times, n_users, n_items)


def pairs(x: Interactions) -> tuple[Any, Any]:
    return x.users.ids[x.user_index], x.items.ids[x.indices]


# ---- the parts of time -----------------------------------------------------------------------------------


@given(st.integers(-(10**10), 10**11))
def test_the_calendar_is_that_of_utc(time: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time)
    of = np.array([time])
    assert when.weekdays(of)[0] == moment.weekday()
    assert when.months(of)[0] == moment.month - 1
    assert when.days(of)[0] == (moment.date() - datetime(1970, 1, 1).date()).days


def test_periods_are_equal_parts_and_hold_at_both_ends() -> None:
    times = np.array([-5, 0, 9, 10, 99, 100, 10_000])
    assert when.periods(times, 0, 100, 10).tolist() == [0, 0, 0, 1, 9, 9, 9]
    assert when.periods(np.array([7, 7]), 7, 7, 10).tolist() == [0, 0]


def test_dates_and_deviations_by_hand() -> None:
    year = int(twin.YEAR)
    times, rows = np.array([0, 4 * year, 7]) + START, np.array([0, 0, 2])
    dates = when.dates_of(times, rows, 3, START + 9)
    assert dates.mean.tolist() == [START + 2 * year, START + 9, START + 7]
    asked, of = START + np.array([-year, 0, year, 3 * year, 99 * year, 0, 50]), np.array([0, 0, 0, 0, 0, 1, 2])
    found = dates.deviations(asked, of, 0.5)
    np.testing.assert_allclose(found, [-np.sqrt(2), -np.sqrt(2), -1, 1, np.sqrt(2), 0, 0], rtol=1e-9)


def test_missing_times_are_the_mean_date_of_the_same_person() -> None:
    filled = when.filled_times(np.array([0, 10, 20, 0, -3]), np.array([0, 0, 0, 1, 1]), 2, 77)
    assert filled.tolist() == [15, 10, 20, 77, 77]


def test_times_of_profiles_are_looked_up_and_what_is_new_is_said_now() -> None:
    x = world()
    end = int(x.timestamps.max())
    users = np.array([3, 0, 3])
    whole = when.profile_times(x.to_scipy()[users], users, x, end)
    part = x.to_scipy()[users].tolil()
    own = [x.timestamps[x.indptr[u] : x.indptr[u + 1]].tolist() for u in users]
    assert whole.tolist() == own[0] + own[1] + own[2]
    new = int(np.setdiff1d(np.arange(x.n_items), x.to_scipy()[0].indices)[0])
    gone = int(x.to_scipy()[0].indices[0])
    part[1, new], part[1, gone] = 4.0, 0.0
    found = when.profile_times(part.tocsr(), users, x, end)
    expected = dict(zip(x.to_scipy()[0].indices.tolist(), own[1], strict=True)) | {new: end}
    del expected[gone]
    assert found.tolist() == own[0] + [expected[i] for i in sorted(expected)] + own[2]
    assert set(when.profile_times(x.to_scipy(), None, x, 5).tolist()) == {5}


# ---- each step is exact ----------------------------------------------------------------------------------


def one_hot(codes: Any, n: int) -> np.ndarray:
    return np.eye(n)[codes]


@pytest.mark.parametrize("grouped", [False, True])
def test_people_are_solved_as_by_one_dense_system(grouped: bool) -> None:
    random = np.random.default_rng(1)
    rows = np.sort(random.integers(0, 5, 60))  # user 5 has nothing
    features = [np.ones(60), random.normal(size=60), None]
    target = random.normal(size=60)
    groups = groups_of(rows * 10 + random.integers(0, 3, 60), rows) if grouped else None
    weights, values = solve_people(target, features, (2.0, 3.0, 9.0), rows, 6, groups, 4.0)
    design = np.hstack([one_hot(rows, 6), one_hot(rows, 6) * features[1][:, None]])  # type: ignore[index]
    penalties = np.repeat([2.0, 3.0], 6)
    if groups is not None:
        design = np.hstack([design, one_hot(groups.of, len(groups.keys))])
        penalties = np.concatenate([penalties, np.full(len(groups.keys), 4.0)])
    solution = twin.ridge(design, target, penalties)
    np.testing.assert_allclose(weights[:, :2].T.ravel(), solution[:12], atol=1e-9)
    assert not weights[:, 2].any() and not weights[5].any()
    np.testing.assert_allclose(values, solution[12:], atol=1e-9)


@pytest.mark.parametrize("periods", [1, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_items_are_solved_as_by_one_dense_system(periods: int, weighted: bool) -> None:
    random = np.random.default_rng(2)
    item, period = random.integers(0, 5, 70), random.integers(0, periods, 70)
    weight = random.normal(1, 0.3, 70) if weighted else None
    target = random.normal(size=70)
    biases, of_periods = solve_items(target, weight, item * periods + period, (6, periods), 2.0, 3.0)
    design, penalties = one_hot(item, 6), np.full(6, 2.0)
    if periods > 1:
        design = np.hstack([design, one_hot(item * periods + period, 6 * periods)])
        penalties = np.concatenate([penalties, np.full(6 * periods, 3.0)])
    solution = twin.ridge(design if weight is None else design * weight[:, None], target, penalties)
    np.testing.assert_allclose(biases, solution[:6], atol=1e-9)
    expected = solution[6:].reshape(6, periods) if periods > 1 else np.zeros((6, 1))
    np.testing.assert_allclose(of_periods, expected, atol=1e-9)


@pytest.mark.parametrize("use", [(True, True), (True, False), (False, True)])
def test_the_calendar_is_solved_as_by_one_dense_system(use: tuple[bool, bool]) -> None:
    random = np.random.default_rng(3)
    weekday, month = random.integers(0, 7, 80), random.integers(0, 9, 80)  # no autumn
    target = random.normal(size=80)
    of_days, of_months = solve_calendar(target, weekday * 12 + month, use, 2.0)
    design = np.hstack([one_hot(weekday, 7) * use[0], one_hot(month, 12) * use[1]])
    solution = twin.ridge(design, target, np.full(19, 2.0), averages(design, [slice(0, 7), slice(7, 19)]))
    np.testing.assert_allclose(np.concatenate([of_days, of_months]), solution, atol=1e-9)
    assert of_days[weekday].mean() == pytest.approx(0, abs=1e-12)
    assert of_months[month].mean() == pytest.approx(0, abs=1e-12)


def averages(design: np.ndarray, parts: list[slice]) -> np.ndarray:
    """What is to be 0 where the effects of each part average 0 over the ratings."""
    rows = np.zeros((len(parts), design.shape[1]))
    for row, part in zip(rows, parts, strict=True):
        row[part] = design[:, part].mean(0)
    return rows


# ---- the model -------------------------------------------------------------------------------------------


def test_without_effects_of_time_it_is_the_bias_baseline() -> None:
    x = world()
    plain, timed = ct.BiasBaseline().fit(x), ct.TimeBiasBaseline(**OFF).fit(x)
    np.testing.assert_allclose(timed.item_biases_, plain.item_biases_, atol=1e-7)
    np.testing.assert_allclose(timed.predict(*pairs(x)), plain.predict(*pairs(x)), rtol=1e-6)
    np.testing.assert_array_equal(timed.predict(*pairs(x)), timed.predict(*pairs(x), x.timestamps))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.fixed_dictionaries(
        {name: st.booleans() for name in ("user_drift", "item_drift", "user_scale", "user_days", "weekday", "season")}
        | {name: st.floats(0, 50) for name in ("user_regularization", "scale_regularization", "period_regularization")}
    ),
)
def test_no_sweep_raises_the_objective(seed: int, how: dict[str, Any]) -> None:
    trace = ct.TimeBiasBaseline(**how, n_iterations=8).fit(world(seed=seed)).objective_
    assert (np.diff(trace) <= 1e-9 * trace[:-1]).all()
    assert trace[0] > 0


def slow_state(model: Any, x: Interactions) -> tuple[dict[str, Any], dict[int, tuple[float, float, float]]]:
    """The unknowns of a fitted model for the twin, and the dates of users by plain loops."""
    people = model._people(x.to_scipy(), np.arange(x.n_users), x)
    days: dict[Any, float] = {}
    for u, t in zip(x.user_index.tolist(), x.timestamps.tolist(), strict=True):
        key = u * (1 << 22) + t // DAY
        if people.groups is not None:
            at = people.groups.keys.tolist().index(key)
            days[u, datetime.fromtimestamp(t, UTC).date()] = float(people.of_days[at])
    dates = {}
    for u in range(x.n_users):
        own = x.timestamps[x.indptr[u] : x.indptr[u + 1]].tolist()
        if own:
            dates[u] = (sum(own) / len(own), min(own), max(own))
    bias, drift, scale = (dict(enumerate(column.tolist())) for column in people.weights.T)
    periods = model.period_biases_ if model.item_drift else np.zeros((x.n_items, 1))
    state = {
        "user": bias, "drift": drift, "scale": scale, "day": days, "mean": model.mean_, "item": model.item_biases_,
        "period": periods, "weekday": model.weekdays_, "month": model.months_, "n_periods": periods.shape[1],
        "begin": int(x.timestamps.min()), "end": int(x.timestamps.max()),
    }  # fmt: skip
    return state, dates


@pytest.mark.parametrize("how", [ALL, {}, {**OFF, "user_days": True}, {**ALL, "power": 1.0, "n_periods": 3}])
def test_predictions_are_the_sum_of_effects_at_any_time(how: dict[str, Any]) -> None:
    x = world()
    model = ct.TimeBiasBaseline(**how).fit(x)
    state, dates = slow_state(model, x)
    random = np.random.default_rng(5)
    user, item = random.integers(0, x.n_users, 300), random.integers(0, x.n_items, 300)
    times = START + random.integers(-900 * DAY, 1800 * DAY, 300)
    times[:150] = random.choice(x.timestamps, 150)  # days on which somebody rated
    times[150:180], user[150:180] = x.timestamps[:30], x.user_index[:30]
    expected = [
        twin.prediction(state, dates, u, i, t, model.power)
        for u, i, t in zip(user.tolist(), item.tolist(), times.tolist(), strict=True)
    ]
    found = model.predict(user + 1, item + 101, times)
    np.testing.assert_allclose(found, np.clip(expected, *x.scale), rtol=1e-5)
    assert np.abs(found - model.predict(user + 1, item + 101)).max() > 0.05


def test_it_comes_to_rest_at_the_least_penalised_squares() -> None:
    """Without the scale the model is linear: one dense system over all unknowns at once has the same solution."""
    x = world()
    how = {"user_scale": False, **ALL, "n_periods": 4, "calendar_regularization": 5.0}
    model = ct.TimeBiasBaseline(**how, n_iterations=1000).fit(x)
    people = model._people(x.to_scipy(), np.arange(x.n_users), x)
    u, i, t = x.user_index, x.indices, x.timestamps
    groups = groups_of(u.astype(np.int64) * 10**6 + t // DAY, u)
    cell = i * 4 + when.periods(t, t.min(), t.max(), 4)
    blocks = [
        (one_hot(u, x.n_users), model.user_regularization),
        (one_hot(u, x.n_users) * people.dates.deviations(t, u, model.power)[:, None], model.drift_regularization),
        (one_hot(groups.of, len(groups.keys)), model.day_regularization),
        (one_hot(i, x.n_items), model.item_regularization),
        (one_hot(cell, x.n_items * 4), model.period_regularization),
        (one_hot(when.weekdays(t), 7), 5.0),
        (one_hot(when.months(t), 12), 5.0),
    ]
    design = np.hstack([block for block, _ in blocks])
    penalties = np.concatenate([np.full(block.shape[1], penalty) for block, penalty in blocks])
    target = x.values - x.mean
    at = np.cumsum([0, *(block.shape[1] for block, _ in blocks)])
    bound = averages(design, [slice(at[5], at[6]), slice(at[6], at[7])])
    solution = twin.ridge(design, target, penalties, bound)
    found = [
        people.weights[:, 0], people.weights[:, 1], people.of_days, model.item_biases_, model.period_biases_.ravel(),
        model.weekdays_, model.months_,
    ]  # fmt: skip
    for k, values in enumerate(found):
        np.testing.assert_allclose(values, solution[at[k] : at[k + 1]], atol=2e-5)
    least = ((target - design @ solution) ** 2).sum() + penalties @ solution**2
    assert model.objective_[-1] == pytest.approx(least, rel=1e-6)


def planted(n: int = 6000) -> tuple[Interactions, Interactions]:
    """Ratings with a fall on Mondays, a rise in July and people who become more generous; learnt from and left out."""
    random = np.random.default_rng(0)
    user, item = np.divmod(random.choice(60 * 400, n, replace=False), 400)
    times = START + random.integers(0, 4 * 365 * DAY, n)
    drift, years = np.linspace(-0.5, 0.5, 60), (times - START) / (365 * DAY) - 2
    values = 3 + random.normal(0, 0.3, 400)[item] + drift[user] * years + random.normal(0, 0.3, n)
    values -= 0.6 * (when.weekdays(times) == 0)
    values += 0.5 * (when.months(times) == 6)
    x = rated(user, item, values, times, 60, 400)
    held_out = random.random(n) < 0.2
    return x.select(~held_out, keep_vocabularies=True), x.select(held_out, keep_vocabularies=True)


def test_planted_effects_are_found() -> None:
    train, test = planted()
    how = {"weekday": True, "season": True, "power": 1.0, "calendar_regularization": 1.0}
    model = ct.TimeBiasBaseline(**how).fit(train)
    assert model.weekdays_[0] - model.weekdays_[1:].mean() == pytest.approx(-0.6, abs=0.05)
    assert model.months_[6] - np.delete(model.months_, 6).mean() == pytest.approx(0.5, abs=0.07)
    drifts = model._people(train.to_scipy(), np.arange(60), train).weights[:, 1]
    assert np.corrcoef(drifts, np.linspace(-0.5, 0.5, 60))[0, 1] > 0.97
    plain = ct.BiasBaseline().fit(train)
    errors = [np.sqrt(((p - test.values) ** 2).mean()) for p in (
        plain.predict(*pairs(test)), model.predict(*pairs(test)), model.predict(*pairs(test), test.timestamps)
    )]  # fmt: skip
    assert errors[2] < 0.68 * errors[0] and errors[2] < 0.68 * errors[1]


def test_a_comparison_asks_at_the_times_of_the_test_ratings() -> None:
    train, test = planted()
    both = train.merge(test)
    how = {"weekday": True, "season": True, "power": 1.0, "calendar_regularization": 1.0}
    board = ct.compare(
        both, [ct.BiasBaseline(), ct.TimeBiasBaseline(**how)], "random", ["rmse"], progress=False
    )  # fmt: skip
    errors = {row.model.partition("(")[0]: row.estimates["rmse"].value for row in board.rows}
    assert errors["time-bias"] < 0.68 * errors["bias"]


# ---- what time the model has not seen, and does not know -------------------------------------------------


def test_times_outside_training_are_held_at_its_ends() -> None:
    x = world()
    model = ct.TimeBiasBaseline().fit(x)
    begin, end = int(x.timestamps.min()), int(x.timestamps.max())
    n = x.nnz

    def at(time: int) -> np.ndarray:
        return model.predict(*pairs(x), np.full(n, time))

    np.testing.assert_array_equal(at(end), at(end + 4000 * DAY))
    np.testing.assert_array_equal(at(begin), at(begin - 4000 * DAY))
    np.testing.assert_array_equal(at(end), model.predict(*pairs(x)))
    assert np.abs(at(begin) - at(end)).max() > 0.05
    np.testing.assert_array_equal(at(0), at(end))  # a missing time is the end of training


def test_a_stranger_says_all_at_the_end_of_training() -> None:
    x = world()
    model = ct.TimeBiasBaseline(season=True, calendar_regularization=1.0).fit(x)
    profile = {101: 5.0, 103: 1.0, 104: 4.5}
    july, end = int(datetime(2017, 7, 5, tzinfo=UTC).timestamp()), int(x.timestamps.max())
    now = model.predict_for(profile, x.items.ids)
    np.testing.assert_array_equal(model.predict_for(profile, x.items.ids, [end] * x.n_items), now)
    assert np.abs(model.predict_for(profile, x.items.ids, [july] * x.n_items) - now).max() > 0.01
    parts = {p["term"]: p["contribution"] for p in model.explain(profile, 102).contributions.to_dicts()}
    assert parts["user drift"] == 0


def test_data_without_times_are_refused_with_the_remedy() -> None:
    x = world()
    bare = rated(x.user_index, x.indices, x.values, None, x.n_users, x.n_items)
    with pytest.raises(
        DataError, match=r"TimeBiasBaseline learns from when .* no timestamps.*timestamp=\.\.\., or .*bias"
    ):
        ct.TimeBiasBaseline().fit(bare)
    zeros = rated(x.user_index, x.indices, x.values, np.zeros(x.nnz, np.int64), x.n_users, x.n_items)
    with pytest.raises(DataError, match=r"every timestamp here is missing \(0 or less\)"):
        ct.TimeBiasBaseline().fit(zeros)
    with pytest.raises(DataError, match="the new ones have none"):
        ct.TimeBiasBaseline().fit(x).update(bare)


def test_single_missing_times_are_the_users_mean_date_and_stretch_nothing() -> None:
    x = world()
    gone = x.timestamps.copy()
    gone[[3, 8]] = 0
    holed = rated(x.user_index, x.indices, x.values, gone, x.n_users, x.n_items)
    filled = gone.copy()
    for place in (3, 8):
        own = [t for u, t in zip(x.user_index, gone, strict=True) if u == x.user_index[place] and t > 0]
        filled[place] = sum(own) // len(own)
    whole = rated(x.user_index, x.indices, x.values, filled, x.n_users, x.n_items)
    found, expected = (ct.TimeBiasBaseline(**ALL).fit(data) for data in (holed, whole))
    assert found.span_.min() > START - 1
    np.testing.assert_allclose(found.item_biases_, expected.item_biases_, atol=1e-6)
    np.testing.assert_allclose(
        found.predict(*pairs(x), x.timestamps), expected.predict(*pairs(x), x.timestamps), rtol=1e-5
    )


def test_times_in_milliseconds_are_odd_dates_and_no_error() -> None:
    x = world()
    later = rated(x.user_index, x.indices, x.values, x.timestamps * 1000, x.n_users, x.n_items)
    model = ct.TimeBiasBaseline(**ALL).fit(later)
    assert np.isfinite(model.score(later.to_scipy(), np.arange(x.n_users))).all()
    assert " person rates " in model.explain(1, 101).summary


@pytest.mark.parametrize("how", [{}, ALL])
def test_data_of_one_moment(how: dict[str, Any]) -> None:
    x = world()
    still = rated(x.user_index, x.indices, x.values, np.full(x.nnz, START), x.n_users, x.n_items)
    model = ct.TimeBiasBaseline(**how, user_regularization=0.0, item_regularization=0.0).fit(still)
    assert np.isfinite(model.score(still.to_scipy(), np.arange(x.n_users))).all()
    assert not model._people(still.to_scipy(), np.arange(x.n_users), still).weights[:, 1].any()


def test_too_many_periods_for_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", "0.0001")
    with pytest.raises(MemoryBudgetError, match="fewer n_periods"):
        ct.TimeBiasBaseline(n_periods=10_000).fit(world())


def test_ctrl_c_in_an_update_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    x = world()
    model = ct.TimeBiasBaseline().fit(x)
    before = model.item_biases_.copy()
    plain = Training.sweeps

    def stopping(self: Training, *args: Any, **more: Any) -> Any:
        for sweep in plain(self, *args, **more):
            if sweep.number == 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield sweep

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Training, "sweeps", stopping)
    with pytest.raises(KeyboardInterrupt, match="it is as it was before the update"):
        model.update(rated([0], [0], [1.0], [START], 1, 1))
    assert model.train_ is x
    np.testing.assert_array_equal(model.item_biases_, before)
    assert signal.getsignal(signal.SIGINT) is handler


# ---- explanations ----------------------------------------------------------------------------------------


def test_an_explanation_names_every_effect_and_adds_up_at_a_time() -> None:
    x = world()
    model = ct.TimeBiasBaseline(**ALL, calendar_regularization=1.0).fit(x)
    time = int(x.timestamps[0])
    why = model.explain(1, int(pairs(x)[1][0]), timestamp=time)
    moment = datetime.fromtimestamp(time, UTC)
    assert set(why.contributions["term"]) == {
        "user bias", "user drift", "user's day", "item bias", "item in this period", "user's scale",
        f"weekday ({moment:%A})", f"month ({moment:%B})",
    }  # fmt: skip
    assert why.base == model.mean_
    total = why.base + why.contributions["contribution"].sum() + why.cut
    assert why.score == pytest.approx(total, abs=1e-12)
    assert why.score == pytest.approx(model.predict([1], [pairs(x)[1][0]], [time])[0], rel=1e-6)
    assert f"On {moment:%Y-%m-%d}" in why.summary
    assert why.score == model.explain(1, int(pairs(x)[1][0]), timestamp=moment).score
    later = model.explain(1, int(pairs(x)[1][0]), timestamp=f"{moment + timedelta(days=200):%Y-%m-%d}")
    assert later.score != why.score
    plain = ct.TimeBiasBaseline(**OFF).fit(x).explain(1, 101)
    assert set(plain.contributions["term"]) == {"user bias", "item bias"}
    with pytest.raises(ParameterError, match="explains a score; leave it out"):
        model.explain(1, 101, of="score", timestamp=time)
