"""Titles: what the catalog takes from them, and how a typed one finds its item."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import coterie as ct
from coterie.errors import DataError, UnknownIdError


@pytest.mark.parametrize(
    ("title", "name", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Fear, The (1995)", "Fear, The", 1995),
        ("Jack's Back (1988) ", "Jack's Back", 1988),
        ("Babylon 5", "Babylon 5", None),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("1984", "1984", None),
        ("Death Note: Desu nôto (2006–2007)", "Death Note: Desu nôto", 2006),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Big Bang Theory, The (2007-)", "Big Bang Theory, The", 2007),
        ("Diplomatic Immunity (2009– )", "Diplomatic Immunity", 2009),
        ("Mona (Mona ja aika) (1983))", "Mona (Mona ja aika)", 1983),
        ("Land Before Time III (1995) (V)", "Land Before Time III", 1995),
        ("Millions Game, The (Das Millionenspiel)", "Millions Game, The (Das Millionenspiel)", None),
        ('"Great Performances" Cats (1998)', '"Great Performances" Cats', 1998),
        (None, None, None),
    ],
)
def test_name_and_year(title: str | None, name: str | None, year: int | None) -> None:
    items = ct.Catalog.from_titles(
        pl.DataFrame({"item": [1], "title": [title]}, {"item": pl.Int64, "title": pl.String})
    )
    assert items.items.select("title", "name", "year").row(0) == (title, name, year)


@pytest.mark.parametrize(
    ("genres", "expected"),
    [
        (["Drama|Sci-Fi", "(no genres listed)", None, " Drama | "], [["Drama", "Sci-Fi"], [], [], ["Drama"]]),
        ([["Drama"], ["(no genres listed)"], [], [""]], [["Drama"], [], [], []]),
    ],
)
def test_genres(genres: list[Any], expected: list[list[str]]) -> None:
    catalog = ct.Catalog.from_titles(pl.DataFrame({"item": [1, 2, 3, 4], "genres": genres}))
    assert catalog.items["genres"].to_list() == expected
    assert catalog.with_genre("Drama") == [row for row, own in enumerate(expected, start=1) if "Drama" in own]
    with pytest.raises(UnknownIdError, match="unknown genre 'Dramas'; there are Drama"):
        catalog.with_genre("Dramas")


def test_nothing_known_of_items_but_their_ids() -> None:
    made = ct.Catalog.from_titles(pl.DataFrame({"item": [1], "title": [None], "genres": [None]}))
    assert made.items.rows() == [(1, None, None, None, [])]
    assert made.titles([1, 5]).to_list() == [None, None]
    with pytest.raises(DataError, match="an item of the catalog has no id"):
        ct.Catalog.from_titles(pl.DataFrame({"item": [1, None]}))


def test_other_columns_are_kept_and_repeats_refused() -> None:
    catalog = ct.Catalog.from_titles(pl.DataFrame({"item": [1], "price": [2.5]}))
    assert catalog.items["price"].to_list() == [2.5] and catalog.titles([1, 9]).to_list() == [None, None]
    with pytest.raises(DataError, match="item 7 stands more than once"):
        ct.Catalog.from_titles(pl.DataFrame({"item": [7, 7]}))


TITLES = {
    1: "Toy Story (1995)",
    3114: "Toy Story 2 (1999)",
    397: "Fear, The (1995)",
    662: "Fear (1996)",
    1407: "Cape Fear (1991)",
    29: "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
    4973: "Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)",
    47: "Seven (a.k.a. Se7en) (1995)",
    34048: "War of the Worlds (2005)",
    64997: "War of the Worlds (2005)",
    2019: "Seven Samurai (Shichinin no samurai) (1954)",
    924: "2001: A Space Odyssey (1968)",
    176371: "Blade Runner 2049 (2017)",
    527: "Schindler's List (1993)",
    40697: "Babylon 5",
    60069: "WALL·E (2008)",
    43892: "Le créateur (1999) ",
    555: None,
}
CATALOG = ct.Catalog.from_titles(pl.DataFrame({"item": list(TITLES), "title": list(TITLES.values())}))


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("Toy Story (1995)", 1),
        ("toy story", 1),
        ("TOY STORY 1995", 1),
        ("Toy Stroy", 1),
        ("Toy Stroy (1995)", 1),
        ("Fear, The (1995)", 397),
        ("The Fear (1995)", 397),
        ("the fear", 397),
        ("Fear", 662),
        ("fear (1991)", 1407),
        ("cape", 1407),
        ("City of Lost Children", 29),
        ("la cite des enfants perdus", 29),
        ("amélie", 4973),
        ("Fabuleux destin", 4973),
        ("se7en", 47),
        ("seven", 47),
        ("samurai", 2019),
        ("2001: a space odyssey", 924),
        ("Blade Runner 2049", 176371),
        ("schindlers list", 527),
        ("Babylon 5", 40697),
        ("wall-e", 60069),
        ("Le Createur", 43892),
        ("odys", 924),
    ],
)
def test_find(text: str, item: int) -> None:
    assert CATALOG.find(text) == item


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("War of the Worlds (2005)", r"any of 2 titles: War of the Worlds \(2005\) \[34048\]; .* \[64997\]"),
        ("of the", r"any of 2 titles.*Give the year or the id"),
        ("Toy Story (1994)", r"no title is like 'Toy Story \(1994\)'; the nearest are .*Toy Story \(1995\) \[1\]"),
        ("Story Toy", r"the nearest are .*Toy Story"),
        ("qwrtzpsdfg", "no title is like 'qwrtzpsdfg'; give its id instead"),
        ("", "no title is like ''"),
        ("...", "no title is like"),
    ],
)
def test_not_found(text: str, match: str) -> None:
    with pytest.raises(UnknownIdError, match=match):
        CATALOG.find(text)


def test_long_lists_of_candidates_are_cut() -> None:
    many = ct.Catalog.from_titles(pl.DataFrame({"item": range(30), "title": [f"Star Trek {n}" for n in range(30)]}))
    with pytest.raises(UnknownIdError, match=r"any of 30 titles: .*, and 20 more\. Give"):
        many.find("star trek")


def test_every_real_title_finds_itself(shared: Any) -> None:
    """Published titles are found, but for the few that two movies share, which are listed."""
    catalog = ct.load(shared / "ml-latest-small", cache=False).catalog
    assert catalog is not None
    titles = catalog.items.filter(pl.col("title").str.strip_chars().is_unique())[::50]
    assert [catalog.find(title) for title in titles["title"]] == titles["item"].to_list()
