"""`load(catalog=...)`: a table of items beside ratings that come in a single file or frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import coterie as ct
from coterie.errors import DataError

RATINGS = "user,item,rating\n1,10,4\n1,2,3\n3,10,5\n"
ITEMS = """item,title,genres
10,"Heat, The (1995)",Crime|Drama
2,Älva (2001),(no genres listed)
99,Nobody's (1950),Drama
"""


def files(folder: Path, items: str, ratings: str = RATINGS, name: str = "items.csv") -> dict[str, Any]:
    (folder / "ratings.csv").write_text(ratings)
    (folder / name).write_text(items)
    return {"name_or_path": folder / "ratings.csv", "catalog": folder / name, "cache": False}


@pytest.mark.parametrize(
    "change", [(",", ","), ("item,", "movieId,"), ("item,title", "ID,Name"), (",genres", ",Genre")]
)
def test_titles_and_genres_by_the_usual_names(tmp_path: Path, change: tuple[str, str]) -> None:
    dataset = ct.load(**files(tmp_path, ITEMS.replace(*change, 1)))
    assert dataset.catalog is not None
    assert dataset.catalog.items.select("item", "name", "year", "genres").rows() == [
        (10, "Heat, The", 1995, ["Crime", "Drama"]),
        (2, "Älva", 2001, []),
        (99, "Nobody's", 1950, ["Drama"]),
    ]
    assert dataset.report.tables == {"ratings": 3, "movies": 3}
    assert dataset.filter(genres=["crime"]).interactions.nnz == 2


def test_ids_are_what_they_are_in_the_ratings(tmp_path: Path) -> None:
    ratings = "user,item\n1,007\n2,7\n"
    dataset = ct.load(**files(tmp_path, "item,title\n007,Bond\n7,Seven\n", ratings))
    assert dataset.catalog is not None
    assert dataset.catalog.titles(["007", "7"]).to_list() == ["Bond", "Seven"]


def test_frames_and_parquet_and_another_name_for_the_item(tmp_path: Path) -> None:
    frame = pl.DataFrame({"sku": ["b", "a"], "title": ["B", "A"], "genres": [["x"], ["x", "y"]]})
    ratings = pl.DataFrame({"user": [1, 2], "sku": ["a", "b"]})
    frame.write_parquet(tmp_path / "items.parquet")
    for given in (frame, tmp_path / "items.parquet", frame.to_dict(as_series=False)):
        dataset = ct.load(ratings, item="sku", catalog=given)
        assert dataset.catalog is not None and dataset.catalog.genres == ["x", "y"]


def test_it_takes_the_place_of_what_comes_along() -> None:
    items = pl.DataFrame({"item": [1, 2], "genres": ["Own", ""]})
    catalog = ct.load("movielens-sample", catalog=items).catalog
    assert catalog is not None and catalog.genres == ["Own"]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ("id,colour\n10,red\n", "has 'id', 'colour'; a table of items needs a first line"),
        ("item,title\n10,A\n10,B\n", "item 10 stands more than once"),
        ("item,title\nten,A\n", "line 2: item is not an integer 'ten'"),
        ("item,title\n77,A\n", "has none of the items that are rated: it has ids such as 77, the ratings such as 2"),
        ("item,title\n", "has none of the items that are rated"),
        ("", "is empty"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, items: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        ct.load(**files(tmp_path, items))


def test_a_missing_file_and_what_is_none(tmp_path: Path) -> None:
    ratings = files(tmp_path, ITEMS)["name_or_path"]
    for catalog, said in ((tmp_path / "no.csv", "not there"), (tmp_path, "a folder"), (5, "path or a frame, not int")):
        with pytest.raises(DataError, match=said):
            ct.load(ratings, catalog=catalog, cache=False)


def test_lines_that_are_left_out_are_counted(tmp_path: Path) -> None:
    given = files(tmp_path, ITEMS + "eleven,B,\n")
    with pytest.warns(UserWarning, match="1 line was skipped"):
        dataset = ct.load(**given, on_error="skip")
    assert dataset.report.skipped == 1
    assert dataset.catalog is not None and len(dataset.catalog) == 3
