"""Catalog: what is known about items (title, year, genres, tags, tag genome)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coterie.data.vocabulary import Id, Vocabulary
from coterie.errors import DataError, UnknownIdError

if TYPE_CHECKING:
    from coterie.data.titles import Title

Array = np.ndarray[Any, np.dtype[Any]]

# "Fear, The (1995)" -> name "Fear, The", year 1995. Also the first of "(2006-2007)" or "(2007- )", a bracket
# closed twice, and a year before "(V)" or "(TV)". A title without a year keeps its whole text.
_YEAR = r"\((\d{4})(?:\s*[-\u2013\u2014]\s*(?:\d{4})?)?\s*\)+\s*(?:\((?:V|TV|VG)\))?\s*$"
_NO_GENRES = "(no genres listed)"


@dataclass(frozen=True, eq=False)
class Catalog:
    """What is known about items, by item id.

    Attributes
    ----------
    items : polars.DataFrame
        One row an item: `item` (id), `title` (as published), `name` (without the year), `year`
        (Int32, null where unknown) and `genres` (list of text, empty where none); then whatever else
        is known, such as `imdb` and `tmdb` ids.
    tags : polars.DataFrame or None
        Free tags, one row a tagging: `user, item, tag[, timestamp]`.
    genome_tags : tuple of str
        Names of the tag genome's columns; empty without a genome.
    genome : float32 (n_items, n_tags) or None
        Relevance in [0, 1] of each tag to each item in the order of `items`; NaN where not given.
    """

    items: pl.DataFrame
    tags: pl.DataFrame | None = None
    genome_tags: tuple[str, ...] = ()
    genome: Array | None = field(default=None, repr=False)

    @classmethod
    def from_titles(cls, frame: pl.DataFrame, **rest: Any) -> Catalog:
        """From a frame with `item` and, where known, `title` and `genres` (a list, or text joined by ``|``).

        "(no genres listed)" is no genre. Other columns are kept.
        """
        if frame["item"].is_duplicated().any():
            again = frame.filter(pl.col("item").is_duplicated())["item"][0]
            raise DataError(f"item {again!r} stands more than once in the catalog")
        if frame["item"].null_count():
            raise DataError("an item of the catalog has no id; drop such rows first")
        frame = frame.with_columns(pl.col(pl.Null).cast(pl.String))  # columns of which nothing is known
        title = pl.col("title") if "title" in frame.columns else pl.lit(None, pl.String).alias("title")
        genres = pl.lit([], pl.List(pl.String))
        if "genres" in frame.columns:
            listed = pl.col("genres")
            if frame.schema["genres"] == pl.String:
                listed = listed.fill_null("").str.split("|")
            genres = listed.list.eval(
                pl.element().str.strip_chars().filter(~pl.element().str.strip_chars().is_in(["", _NO_GENRES]))
            )
        items = frame.select(
            "item",
            title,
            title.str.replace(r"\s*" + _YEAR, "").str.strip_chars().alias("name"),
            title.str.extract(_YEAR, 1).cast(pl.Int32).alias("year"),
            genres.alias("genres"),
            pl.exclude("item", "title", "name", "year", "genres"),
        )
        return cls(items, **rest)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        taggings = f", {len(self.tags):,} taggings" if self.tags is not None else ""
        genome = f", a genome of {len(self.genome_tags):,} tags" if self.genome is not None else ""
        return f"Catalog({len(self):,} items{taggings}{genome})"

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Item ids in the order of the catalog's rows."""
        return Vocabulary(self.items["item"].to_numpy(), "item")

    @cached_property
    def title_forms(self) -> list[Title]:
        """Titles in the forms in which `find` looks for them."""
        from coterie.data.titles import title_forms  # titles needs Catalog

        return title_forms(*(self.items[column].to_list() for column in ("item", "title", "year")))

    @cached_property
    def genres(self) -> list[str]:
        """The genres that occur, in alphabetical order."""
        return sorted(self.items["genres"].explode().drop_nulls().unique().to_list())

    def titles(self, ids: Iterable[Id]) -> pl.Series:
        """The titles of items; null where the catalog does not have the item."""
        rows = self.vocabulary.indices(ids, missing="skip")
        known, titles = rows >= 0, self.items["title"]
        return titles[rows] if known.all() else titles.gather(pl.Series(rows).set(pl.Series(~known), None))

    def find(self, text: str) -> Id:
        """The item whose title a person means by `text`: exact, then without year and case, then part of it.

        Raises `UnknownIdError` with the candidates where several match, and with the nearest titles where none does.
        """
        from coterie.data.titles import find_title

        return find_title(self, text)

    def select(self, ids: Iterable[Id]) -> Catalog:
        """Only the given items, in the given order."""
        rows = self.vocabulary.indices(list(ids))
        tags = self.tags
        if tags is not None:
            tags = tags.filter(pl.col("item").is_in(self.vocabulary.ids[rows].tolist()))
        genome = None if self.genome is None else self.genome[rows]
        return Catalog(self.items[rows.tolist()], tags, self.genome_tags, genome)

    def with_genre(self, genre: str) -> list[Id]:
        """Ids of the items of a genre, its case forgiven; an unknown genre is an error that lists the known ones."""
        meant = [known for known in self.genres if known == genre]
        meant = meant or [known for known in self.genres if known.casefold() == genre.strip().casefold()]
        if not meant:
            raise UnknownIdError(f"unknown genre {genre!r}; there are {', '.join(self.genres) or 'none'}")
        has = pl.any_horizontal(pl.col("genres").list.contains(known) for known in meant)
        ids: list[Id] = self.items.filter(has)["item"].to_list()
        return ids
