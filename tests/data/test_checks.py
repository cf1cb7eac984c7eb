"""Sanity checks and descriptions: each oddity is found where it was put, and nothing where nothing is odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import coterie as ct
from coterie.data.checks import CheckReport, check, look_alikes
from coterie.data.dataset import Dataset
from coterie.data.describe import gini
from coterie.errors import DataError, ParameterError

NOW = 1_000_000


def dataset(rows: list[tuple[Any, ...]], catalog: ct.Catalog | None = None, **options: Any) -> Dataset:
    names = ["user", "item", "rating", "timestamp"][: len(rows[0])]
    frame = pl.DataFrame(rows, schema=names, orient="row", strict=False)
    loaded = ct.load(frame, **options)
    return Dataset(loaded.ratings, catalog, "odd", loaded.report)


def look(data: Dataset, **options: Any) -> CheckReport:
    return check(data, **{"now": NOW, "min_user_ratings": 1, **options})


SOUND = [(1, 1, 5.0, 10), (1, 2, 1.0, 20), (2, 1, 3.0, 30)]


def test_nothing_odd() -> None:
    report = look(dataset(SOUND))
    assert {c.status for c in report.checks} == {"ok"} and {c.count for c in report.checks} == {0}
    assert report.exit_status == 0
    frame = report.to_frame()
    assert frame.columns == ["check", "status", "count", "detail"] and len(frame) == 11
    with pytest.raises(KeyError, match="there are rows"):
        report["weather"]


@pytest.mark.filterwarnings("ignore::coterie.errors.DataWarning")
def test_duplicates_are_known_after_merging() -> None:
    found = look(dataset([*SOUND, (1, 1, 4.0, 11)], duplicates="max"))["duplicate (user, item) pairs"]
    assert (found.status, found.count) == ("warn", 1) and "kept the max" in found.detail


@pytest.mark.filterwarnings("ignore::coterie.errors.DataWarning")
def test_skipped_rows_and_what_is_not_finite() -> None:
    report = look(dataset([*SOUND, (1, 9, float("inf"), 4), (None, 9, 4.0, 4)], on_error="skip"))
    assert (report["rows"].status, report["rows"].count) == ("warn", 2)
    assert "1 user id is missing" in report["rows"].detail
    assert report["ratings that are not finite"].count == 1
    broken = dataset(SOUND)
    assert broken.ratings is not None
    values = np.array([5, np.nan, 3], np.float32)
    raw = ct.Interactions(
        broken.ratings.users, broken.ratings.items, broken.ratings.indptr, broken.ratings.indices, values
    )
    report = look(Dataset(raw))
    assert report["ratings that are not finite"].status == "error"
    assert report["ratings that are not finite"].detail == "such as user 1 item 2"
    assert report.exit_status == 1


@pytest.mark.parametrize(
    ("levels", "scale"),
    [
        ([1.0], "1 to 1"),
        ([0.0, 1.0], "0 to 1"),
        ([1.0, 3.0, 5.0], "1 to 5 in steps of 1"),
        ([0.5, 3.0, 4.5], "0.5 to 5 in steps of 0.5"),
        ([1.0, 9.0], "1 to 10 in steps of 1"),
        ([0.0, 7.5], "0 to 10 in steps of 0.5"),
        ([87.0, 12.0], "0 to 100 in steps of 1"),
        ([1.234, 5.678], "no usual scale fits; ratings lie between 1.234 and 5.678"),
    ],
)
def test_scales_are_seen(levels: list[float], scale: str) -> None:
    found = look(dataset([(1, n, level) for n, level in enumerate(levels)]))["ratings off the scale"]
    assert found.status == "ok" and scale in found.detail


def test_ratings_off_the_scale() -> None:
    rows = [(u, 1, 4.0 + (u % 2)) for u in range(500)] + [(500, 1, 55.0), (501, 1, 3.7)]
    found = look(dataset(rows))["ratings off the scale"]
    assert (found.status, found.count) == ("warn", 2)
    assert "found 3.7, 55, such as user 500 item 1, user 501 item 1" in found.detail
    given = look(dataset(rows), scale=(1, 5))
    assert (given["ratings off the scale"].status, given["ratings off the scale"].count) == ("error", 1)
    assert given.exit_status == 1
    assert look(dataset(rows), scale=(1, 60, 1))["ratings off the scale"].count == 1
    assert look(dataset(rows), scale=(0, 100))["ratings off the scale"].status == "ok"


def test_catalog_both_ways() -> None:
    catalog = ct.Catalog.from_titles(pl.DataFrame({"item": [1, 7, 8]}))
    report = look(dataset(SOUND, catalog))
    assert (report["rated but not in the catalog"].status, report["rated but not in the catalog"].count) == ("warn", 1)
    assert report["rated but not in the catalog"].detail == "items, with 1 ratings: 2"
    assert (report["in the catalog but not rated"].status, report["in the catalog but not rated"].count) == ("ok", 2)


def test_users_with_few_ratings() -> None:
    found = look(dataset(SOUND), min_user_ratings=2)["users with fewer than 2 ratings"]
    assert (found.status, found.count, found.detail) == ("warn", 1, "of 2 users, such as 2")


@pytest.mark.filterwarnings("ignore::coterie.errors.DataWarning")
def test_times() -> None:
    rows = [(1, 1, 5.0, NOW + 1), (1, 2, 1.0, 0), (1, 3, 1.0, None), (2, 1, 3.0, NOW)]
    report = look(dataset(rows))
    assert (report["times in the future"].status, report["times in the future"].count) == ("warn", 1)
    assert (report["times missing"].status, report["times missing"].count) == ("warn", 2)
    for unit, parts in (("milliseconds", 1_000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000)):
        report = look(dataset([(1, 1, 5.0, 1112484676 * parts)]))
        assert f"look like {unit}: divide them by {parts:,}" in report["times in the future"].detail
    assert "look like" not in look(dataset([(1, 1, 5.0, NOW + 5)]))["times in the future"].detail


@pytest.mark.filterwarnings("ignore::coterie.errors.DataWarning")
def test_ids_that_differ_only_in_type() -> None:
    rows = [("1", "a", 5.0), ("01", "a", 5.0), (" 1", "a", 5.0), ("1.0", "b", 5.0), ("10", "b", 4.0), ("x1", "b", 4.0)]
    report = look(dataset(rows))
    found = report["ids that differ only in type"]
    assert (found.status, found.count) == ("error", 1)
    assert sorted(found.detail.split(" and ")) == ["' 1'", "'01'", "'1'", "'1.0'"]
    assert report.exit_status == 1
    mixed = ct.load({"user": [1, "1", "x"], "item": [1, 2, 3]})
    assert look(mixed)["ids that differ only in type"].count == 1


def test_ids_of_mixed_kinds() -> None:
    rows = [(str(n), "b", 5.0) for n in range(9)]
    assert look(dataset(rows))["ids of mixed kinds"].status == "ok"
    found = look(dataset([*rows, ("abc", "c ", 5.0), (" 1", "d", 5.0)]))["ids of mixed kinds"]
    assert (found.status, found.count) == ("warn", 3)
    shown = "user ids among 9 that are integers: ' 1', 'abc'; item ids with spaces around them: 'c '"
    assert found.detail == shown


def test_look_alikes_of_plain_ids() -> None:
    assert look_alikes(ct.Vocabulary(["a", "A", "0", "10", "100", "1e1", "b ", "-1"])) == []
    assert look_alikes(ct.Vocabulary([1, 10])) == []
    assert look_alikes(ct.Vocabulary(["b ", "b", "000", "0"])) == [["b ", "b"], ["000", "0"]]


def test_wrong_parameters() -> None:
    with pytest.raises(ParameterError, match="min_user_ratings must be at least 1, not 0"):
        check(dataset(SOUND), min_user_ratings=0)
    for scale in ((5, 1), (1, 2, 3, 4), (1, 5, 0), (1, 5, -1), (1, 5, float("inf"))):
        with pytest.raises(ParameterError, match="scale must be"):
            look(dataset(SOUND), scale=scale)
    with pytest.raises(DataError, match="no ratings table"):
        check(Dataset(None))


def test_the_real_data_is_sound(shared: Path) -> None:
    report = check(ct.load(shared / "ml-latest-small", cache=False))
    assert report.exit_status == 0
    assert [c.name for c in report.checks if c.status == "warn"] == []
    assert report["in the catalog but not rated"].count == 18
    assert report["in the catalog but not rated"].detail == "of 9,742 items"


# ---- descriptions ----------------------------------------------------------------------------------------------


def test_description(shared: Path) -> None:
    """The counts that the module prints, on the first 1000 users; empty tags count as one text, as there."""
    described = ct.load(shared / "ml-20m-1000users", cache=False).describe()
    assert (described.movies, described.users, described.rated_movies) == (27_278, 1000, 9746)
    assert (described.tags, described.genres, described.unrefined_tags) == (1128, 19, 4268)
    assert (described.tagging_users, described.taggings) == (2422, 25_758)
    assert (described.rating_min, described.rating_max) == (0.5, 5.0)
    assert described.density == pytest.approx(150_629 / (1000 * 9746))
    assert described.ratings_per_user is not None and described.ratings_per_user["min"] == 20
    assert described.to_frame().filter(pl.col("what") == "ratings_per_user median")["value"].item() == 71


def test_description_of_little() -> None:
    described = dataset(SOUND).describe()
    assert (described.users, described.ratings, described.rated_movies, described.movies) == (2, 3, 2, None)
    assert described.ratings_per_item == {
        "min": 1, "p10": 1.1, "p25": 1.25, "median": 1.5, "p75": 1.75, "p90": 1.9, "p99": 1.99, "max": 2,
    }  # fmt: skip
    assert (described.first_time, described.last_time) == (10, 30)
    assert Dataset(None).describe().to_frame()["value"].null_count() == len(Dataset(None).describe().to_frame())


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([5, 5, 5], 0.0), ([0, 0, 0, 8], 0.75), ([1, 3], 0.25), ([], 0.0), ([7], 0.0)],
)
def test_gini(counts: list[int], expected: float) -> None:
    assert gini(np.array(counts)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_gini_is_half_the_relative_mean_difference(seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 100, 50)
    slowly = np.abs(counts[:, None] - counts[None, :]).mean() / (2 * counts.mean())
    assert gini(counts) == pytest.approx(slowly)


# ---- reductions by what is known of items ----------------------------------------------------------------------


def test_dataset_filter() -> None:
    titles = ["A (1990)", "B (1995)", "C (2000)", "D"]
    genres = ["Drama", "Comedy", "Drama|Comedy", "War"]
    catalog = ct.Catalog.from_titles(pl.DataFrame({"item": [1, 2, 3, 4], "title": titles, "genres": genres}))
    data = dataset([(1, 1, 5.0), (1, 2, 4.0), (2, 3, 3.0), (2, 4, 3.0)], catalog)

    def items(**conditions: Any) -> list[Any]:
        return data.filter(**conditions).interactions.to_frame()["item"].to_list()

    assert items(genres=["Drama"]) == [1, 3]
    assert items(genres=["Comedy", "War"]) == [2, 3, 4]
    assert items(genres=["comedy", "WAR"]) == [2, 3, 4]
    assert items(years=(1990, 1995)) == [1, 2]
    assert items(years=(1995, 2000), genres=["Comedy"], users=[2]) == [3]
    assert items(genres=["War"], years=(1900, 2000)) == []
    assert items(genres=["War"], users=[1, 2], items=[1, 4]) == [4]  # of user 1 and item 1 nothing is left
    assert items(genres=["War"], first_users=1) == []
    assert data.filter(genres=["War"]).interactions.shape == (1, 1)
    assert data.filter(genres=["War"], keep_vocabularies=True).interactions.shape == (2, 4)
    with pytest.raises(ParameterError, match=r"genres must be a list such as \['War'\]"):
        items(genres="War")
    with pytest.raises(ParameterError, match=r"first and the last, not \(2000, 1990\)"):
        items(years=(2000, 1990))
    with pytest.raises(DataError, match="no catalog"):
        dataset(SOUND).filter(genres=["Drama"])
