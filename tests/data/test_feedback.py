"""Behaviours and their weights, age, and plain yes: of frames, files and what is loaded already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.errors import DataError, DataWarning, ParameterError

WEIGHTS = {"view": 1, "cart": 3, "buy": 5.5}
LOG = {
    "user": [1, 1, 2, 2, 2, 3],
    "item": ["a", "a", "a", "b", "b", "c"],
    "event": ["view", "buy", "cart", "view", "view", "buy"],
    "many": [2.0, 1.0, 1.0, 3.0, 1.0, 0.5],
    "time": [10, 20, 30, 40, 50, 60],
}
DAY = 86_400


def of_log(duplicates: Any = "sum", log: Any = LOG, **columns: Any) -> ct.Interactions:
    columns = {"behavior": "event", "weights": WEIGHTS, **columns}
    with pytest.warns(DataWarning, match="2 rows repeat"):
        return ct.Interactions.from_frame(log, "user", "item", duplicates=duplicates, **columns)


def values(x: ct.Interactions) -> dict[tuple[Any, Any], float]:
    return {(user, item): value for user, item, value, *_ in x.to_frame().iter_rows()}


# ---- behaviours ------------------------------------------------------------------------------------------


def test_a_behaviour_is_rated_by_its_weight() -> None:
    assert values(of_log()) == {(1, "a"): 6.5, (2, "a"): 3.0, (2, "b"): 2.0, (3, "c"): 5.5}
    assert values(of_log("max")) == {(1, "a"): 5.5, (2, "a"): 3.0, (2, "b"): 1.0, (3, "c"): 5.5}


def test_a_weight_is_multiplied_with_a_rating() -> None:
    assert values(of_log(rating="many")) == {(1, "a"): 7.5, (2, "a"): 3.0, (2, "b"): 4.0, (3, "c"): 2.75}


def test_merged_behaviours_have_the_latest_time() -> None:
    times = of_log(timestamp="time").timestamps
    assert times is not None and times.tolist() == [20, 30, 50, 60]


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["buy", "cart", "view"])])
def test_behaviours_of_other_types(kind: Any) -> None:
    frame = pl.DataFrame(LOG).with_columns(pl.col("event").cast(kind))
    assert values(of_log(log=frame)) == values(of_log())


def test_behaviours_that_are_numbers() -> None:
    codes = {**LOG, "event": [1, 3, 2, 1, 1, 3]}
    assert values(of_log(log=codes, weights={1: 1, 2: 3, 3: 5.5})) == values(of_log())
    assert values(of_log(log=codes, weights={"1": 1, "2": 3, "3": 5.5})) == values(of_log())


def test_an_unknown_behaviour_is_named_with_those_that_there_are() -> None:
    for event in ("wish", None):
        log = {**LOG, "event": ["view", "view", event, "buy", "buy", "buy"]}
        with pytest.raises(DataError, match=rf"row 3: behavior is none of view, cart, buy: .*event={event!r}"):
            ct.Interactions.from_frame(log, "user", "item", behavior="event", weights=WEIGHTS)


@pytest.mark.parametrize(
    ("behavior", "weights", "match"),
    [
        (None, {"view": 1}, "no column of behaviours; name it with behavior="),
        ("event", None, "'event' needs a weight for each"),
        ("event", {}, "'event' needs a weight for each"),
        ("event", {"view": 0}, "weight of behavior 'view' must be a number other than 0, not 0"),
        ("event", {"view": float("nan")}, "weight of behavior 'view' must be a number other than 0, not nan"),
        ("event", {"view": "3"}, "weight of behavior 'view' must be a number other than 0, not '3'"),
        ("event", {"1": 2, 1: 3}, "a behavior has two weights"),
        ("user", {"view": 1}, "one column cannot be two things"),
    ],
)
def test_weights_are_checked(behavior: Any, weights: Any, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        ct.Interactions.from_frame(LOG, "user", "item", behavior=behavior, weights=weights)
    with pytest.raises(ParameterError, match=match):
        ct.load(LOG, behavior=behavior, weights=weights)


@pytest.mark.filterwarnings("ignore:.*rows repeat")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("cache", [True, False])
def test_a_file_of_behaviours(
    ending: str, cache: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    file, frame = tmp_path / f"log.{ending}", pl.DataFrame(LOG)
    frame.write_csv(file) if ending == "csv" else frame.write_parquet(file)

    def load(**options: Any) -> ct.Interactions:
        options = {"weights": WEIGHTS, "duplicates": "sum", **options}
        return ct.load(file, behavior="event", cache=cache, **options).interactions

    for _ in range(2):
        assert values(load()) == values(of_log())
    assert values(load(weights={**WEIGHTS, "buy": 9})) == values(of_log(weights={**WEIGHTS, "buy": 9}))
    assert values(load(rating="many")) == values(of_log(rating="many"))
    assert not [str(w.message) for w in recwarn if "No column was taken for ratings" in str(w.message)]
    with pytest.raises(DataError, match=r"behavior is none of view, cart.*on_error=\"skip\""):
        load(weights={"view": 1, "cart": 3})
    some = load(weights={"view": 1, "cart": 3}, on_error="skip")
    assert values(some) == {(1, "a"): 1.0, (2, "a"): 3.0, (2, "b"): 2.0}


def test_a_file_without_a_header_has_behaviours_where_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    pl.DataFrame(LOG).select("user", "event", "item").write_csv(file, include_header=False)
    with pytest.warns(DataWarning, match="rows repeat"):
        x = ct.load(file, user=0, item=2, behavior=1, weights=WEIGHTS, duplicates="sum").interactions
    assert values(x) == values(of_log())


def test_known_columns_are_not_given(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="behavior cannot be given for a known name"):
        ct.load("synthetic:60x40x900", behavior="event", weights=WEIGHTS)


# ---- age -------------------------------------------------------------------------------------------------


def timed(ratings: list[float], days: list[float]) -> ct.Interactions:
    n, times = range(len(days)), np.array([d * DAY for d in days], np.int64)
    return ct.Interactions.from_frame({"u": n, "i": n, "r": np.array(ratings, float), "t": times}, "u", "i", "r", "t")


def test_a_rating_loses_half_its_value_in_a_half_life() -> None:
    x = timed([4, 3, -2, 5], [100, 90, 70, 102.5])
    expected = [rating * 0.5 ** ((102.5 - day) / 10) for rating, day in [(4, 100), (3, 90), (-2, 70), (5, 102.5)]]
    np.testing.assert_allclose(x.decayed(10).values, expected, rtol=1e-6)
    later = x.decayed(10, now=int(112.5 * DAY))
    np.testing.assert_allclose(later.values, np.array(expected) / 2, rtol=1e-6)
    assert x.values.tolist() == [4, 3, -2, 5], "the interactions themselves stay as they are"
    assert later.values.dtype == np.float32 and not later.values.flags.writeable
    assert later.users == x.users and later.timestamps is not None


def test_what_is_very_old_counts_next_to_nothing_and_is_never_zero() -> None:
    x = timed([5, 4, 5], [0, 19_999.4, 20_000])
    assert x.decayed(0.01).values.tolist() == [5 * 2.0**-60, 4 * 2.0**-60, 5]
    assert (np.square(x.decayed(0.01).values) > 0).all(), "models square what they learn from"
    assert x.decayed(0.01, towards="mean").values.tolist() == [5, 4, 5]  # each is its person's mean


# Two people: days, ratings. The means are 3 and 2, whatever the age.
STARS = {"u": [1, 1, 1, 2, 2], "i": [1, 2, 3, 1, 3], "r": [5, 3, 1, 1, 3], "d": [0, 5, 10, 5, 10]}


def stars() -> ct.Interactions:
    return ct.Interactions.from_frame({**STARS, "t": [d * DAY for d in STARS["d"]]}, "u", "i", "r", "t")


def test_an_old_rating_says_less_and_is_no_lower() -> None:
    x, w = stars(), 0.5 ** (5 / 10)
    weighed = x.decayed(10, towards="mean")
    expected = [3 + 0.5 * (5 - 3), 3 + w * (3 - 3), 1, 2 + w * (1 - 2), 3]
    np.testing.assert_allclose(weighed.values, expected, rtol=1e-6)
    later = x.decayed(10, now=20 * DAY, towards="mean")
    np.testing.assert_allclose(later.values, [3.5, 3, 2, 2 - 0.5 * w, 2.5], rtol=1e-6)
    np.testing.assert_array_equal(x.decayed(1e12, towards="mean").values, x.values)
    assert weighed.scale == later.scale == x.scale == (1, 5), "the scale is that of the ratings as they were given"
    with pytest.raises(ParameterError, match="towards must be 'zero' or 'mean', not 'means'"):
        x.decayed(10, towards="means")  # type: ignore[arg-type]


def test_the_scale_of_decayed_ratings_is_kept_with_a_model(tmp_path: Path) -> None:
    model = ct.BiasBaseline().fit(stars().decayed(10, now=20 * DAY, towards="mean"))
    model.save(tmp_path / "model")
    assert ct.load_model(tmp_path / "model").train_.scale == (1, 5)


@pytest.mark.parametrize("half_life", [0, -1, float("nan"), float("inf"), True, "10"])
def test_a_half_life_is_a_number_of_days(half_life: Any) -> None:
    with pytest.raises(ParameterError, match=f"half_life must be a number of days above 0, not {half_life!r}"):
        timed([1], [1]).decayed(half_life)


def test_times_are_needed_and_now_is_no_earlier() -> None:
    with pytest.raises(DataError, match="no timestamps"):
        ct.Interactions.from_frame({"user": [1], "item": [2]}, "user", "item").decayed(3)
    with pytest.raises(ParameterError, match=rf"now is 5, but there is a rating of {DAY}"):
        timed([1], [1]).decayed(3, now=5)
    with pytest.raises(ParameterError, match=r"now must be a time in whole Unix seconds, not 1\.5"):
        timed([1], [0]).decayed(3, now=1.5)  # type: ignore[arg-type]
    assert timed([1], [1]).filter(min_rating=2).decayed(3).nnz == 0


# ---- plain yes -------------------------------------------------------------------------------------------


def test_ratings_become_yes_or_fall_out() -> None:
    x = timed([4, 0, 3.5, 5], [1, 2, 3, 4])
    assert x.binarized().values.tolist() == [1, 1, 1, 1]
    some = x.binarized(4)
    assert values(some) == {(0, 0): 1.0, (3, 3): 1.0}
    assert some.shape == (2, 2) and some.timestamps is not None and some.timestamps.tolist() == [DAY, 4 * DAY]
    assert x.binarized(6).shape == (0, 0)


def test_load_makes_of_ratings_what_interactions_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    x = timed([4, 0, 3.5, 5], [1, 2, 3, 4])
    file = tmp_path / "ratings.csv"
    x.to_frame().write_csv(file)
    for _ in range(2):  # from the file, then from the store, which keeps the ratings as they are
        loaded = ct.load(file, implicit=3.5, half_life=2).interactions
        assert loaded.fingerprint == x.binarized(3.5).decayed(2).fingerprint
        assert ct.load(file, implicit=True).interactions.fingerprint == x.binarized().fingerprint
        assert ct.load(file).interactions.fingerprint == x.fingerprint
    for wrong in ("all", float("nan")):
        with pytest.raises(ParameterError, match=f"implicit must be True or the lowest rating.*not {wrong!r}"):
            ct.load(file, implicit=wrong)
