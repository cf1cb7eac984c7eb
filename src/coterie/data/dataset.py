"""Dataset: interactions, what is known about their items, and an account of how they were loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError

if TYPE_CHECKING:
    from coterie.data.describe import Description

# The five tables of MovieLens, in the order in which they are always shown.
TABLES = ("movies", "ratings", "tags", "genome_tags", "genome_scores")


@dataclass(frozen=True)
class LoadReport:
    """What loading found.

    Attributes
    ----------
    source : str
        Name or path that was loaded.
    tables : dict of str to int or None
        Rows read of each table; None where the table is absent.
    skipped : int
        Lines skipped because of ``on_error="skip"``; `skipped_lines` shows the first ten, and
        `skipped_reasons` counts them by reason.
    merged : int
        Rows that repeated a (user, item) pair and were merged, by the policy `duplicates` (None: none were).
    missing_times : int
        Ratings whose time is empty, zero or negative.
    mixed_ids : int
        Ids that came both as an integer and as text and became one.
    warnings : tuple of str
        What was put right, counted or taken for granted, a sentence each: `load` warns of it.
    notes : tuple of str
        Anything else worth telling, a sentence each.
    """

    source: str = ""
    tables: Mapping[str, int | None] = field(default_factory=dict)
    skipped: int = 0
    skipped_lines: tuple[str, ...] = ()
    skipped_reasons: Mapping[str, int] = field(default_factory=dict)
    merged: int = 0
    duplicates: str | None = None
    missing_times: int = 0
    mixed_ids: int = 0
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def absent(self) -> list[str]:
        """Tables of MovieLens that the source does not have."""
        return [table for table in TABLES if self.tables.get(table) is None]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Interactions and the catalog of their items.

    Attributes
    ----------
    ratings : Interactions or None
        None where the source has no ratings table; use `interactions`, which then says so.
    catalog : Catalog or None
        None where nothing is known about the items.
    report : LoadReport
        Which tables were there, what was skipped or merged.
    """

    ratings: Interactions | None
    catalog: Catalog | None = None
    name: str = "dataset"
    report: LoadReport = field(default_factory=LoadReport, repr=False)

    def __repr__(self) -> str:
        ratings = "no ratings" if self.ratings is None else repr(self.ratings)
        catalog = "no catalog" if self.catalog is None else repr(self.catalog)
        return f"Dataset({self.name!r}, {ratings}, {catalog})"

    @property
    def interactions(self) -> Interactions:
        """Who rated what."""
        if self.ratings is None:
            source = f"; it was absent from {self.report.source}" if self.report.source else ""
            raise DataError(f"{self.name} has no ratings table{source}")
        return self.ratings

    def describe(self) -> Description:
        """How many of everything, how dense, how unevenly spread."""
        from coterie.data.describe import describe  # describe needs Dataset

        return describe(self)

    def filter(
        self,
        genres: Sequence[str] | None = None,
        years: tuple[int, int] | None = None,
        **conditions: Any,
    ) -> Dataset:
        """Only items of any of `genres` and of `years` (first and last, both included) whose ratings meet
        `conditions`, which are those of `Interactions.filter`. The catalog keeps all its items."""
        ratings = self.interactions
        if genres or years:
            chosen = self._items_of(genres, years)
            known = ratings.items.indices(chosen, missing="skip")
            # Users and items that fall away keep their places until the end: conditions may name them.
            ratings = ratings.filter(items=ratings.items.ids[known[known >= 0]], keep_vocabularies=True)
        return replace(self, ratings=ratings.filter(**conditions))

    def _items_of(self, genres: Sequence[str] | None, years: tuple[int, int] | None) -> pl.Series:
        """Ids of the items of any of `genres` and of `years`."""
        if self.catalog is None:
            raise DataError(
                f"{self.name} has no catalog, so it cannot be filtered by genre or year; load it with catalog=... "
                "(a file with the columns item, title, genres)"
            )
        if isinstance(genres, str):
            raise ParameterError(f"genres must be a list such as [{genres!r}], not the text {genres!r}")
        chosen = self.catalog.items
        if genres:
            wanted = {id for genre in genres for id in self.catalog.with_genre(genre)}
            chosen = chosen.filter(pl.col("item").is_in(list(wanted)))
        if years:
            if years[0] > years[1]:
                raise ParameterError(f"years must be the first and the last, not {years}")
            chosen = chosen.filter(pl.col("year").is_between(*years))
        return chosen["item"]


def as_dataset(data: Dataset | Interactions | Catalog | None) -> Dataset:
    """Whatever of a dataset was given, as one: for functions that take ratings, or a catalog, in either form."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, Interactions):
        return Dataset(data)
    if data is None or isinstance(data, Catalog):
        return Dataset(None, data)
    raise ParameterError(
        f"wanted are a Dataset, Interactions or a Catalog, not {type(data).__name__}; "
        "make them with coterie.load(...) or coterie.Interactions.from_frame(...)"
    )
