"""Facts about items that can be asked for one by one: genres, years, ratings, relevances and free tags."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from coterie.content.features import normalized, taggings
from coterie.data.catalog import Catalog
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, UnknownIdError

Array = np.ndarray[Any, np.dtype[Any]]

# Up to so many names are all listed in an error.
_FEW = 30


class ItemFacts:
    """What is known about some items, each fact looked up when it is first asked for and then kept.

    Parameters
    ----------
    items : Vocabulary
        The items; all arrays are in their order.
    catalog : Catalog or None
    counts : int (n_items,) or None
        Ratings of each item; None where there are no ratings.
    """

    def __init__(self, items: Vocabulary, catalog: Catalog | None, counts: Array | None = None) -> None:
        self.items = items
        self.catalog = catalog
        self._counts = counts
        self._genres: dict[str, Array] = {}
        self._meant: dict[tuple[str, str], str] = {}

    @property
    def has_counts(self) -> bool:
        """Whether there are ratings to count."""
        return self._counts is not None

    @property
    def counts(self) -> Array:
        """Ratings of each item, int (n_items,)."""
        if self._counts is None:
            raise DataError("a smallest number of ratings needs ratings; give them, or leave out min_ratings")
        return self._counts

    def genre(self, name: str) -> tuple[str, Array]:
        """The genre that is meant, and which items have it, bool (n_items,)."""
        known = self._name(name, self._genre_names, "genre")
        if known not in self._genres:
            listed = self._listed_genres.filter(pl.col("genres") == known)
            has = np.zeros(len(self.items), bool)
            has[listed["row"].to_numpy()] = True
            self._genres[known] = has
        return known, self._genres[known]

    @cached_property
    def has_genres(self) -> Array:
        """bool (n_items,): which items have a genre."""
        has = np.zeros(len(self.items), bool)
        has[self._listed_genres["row"].to_numpy()] = True
        return has

    @cached_property
    def years(self) -> Array:
        """Year of each item, float64 (n_items,); NaN where unknown."""
        column = self._catalog("years").items["year"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return np.where(self._rows >= 0, column[self._rows], np.nan) if len(column) else self._unknown()

    def relevance(self, tag: str) -> tuple[str, Array]:
        """The tag of the genome that is meant, and its relevance to each item, (n_items,), NaN where unknown."""
        catalog = self._catalog("tags")
        if catalog.genome is None:
            raise DataError(
                f"the catalog has no tag genome, so there is no relevance of {tag!r}; ask for tags that people gave "
                "instead (tagged), or load data that has a genome (MovieLens 20M, 25M)"
            )
        known = self._name(tag, self._genome_names, "tag of the genome")
        column = catalog.genome[:, self._genome_names[known]] if len(catalog) else np.empty(0, np.float32)
        return known, np.where(self._rows >= 0, column[self._rows], np.nan) if len(column) else self._unknown()

    def people(self, tag: str) -> tuple[str, Array]:
        """The free tag that is meant, and how many people gave it to each item, int64 (n_items,)."""
        known = self._name(tag, self._tag_names, "tag")
        given = self._taggings.filter(pl.col("tag") == known)
        people = np.zeros(len(self.items), np.int64)
        people[given["item_index"].to_numpy()] = given["people"].to_numpy()
        return known, people

    # ---- what is kept ------------------------------------------------------------------------------

    def _name(self, text: str, names: Mapping[str, int], what: str) -> str:
        """The one of `names` that `text` means; found once."""
        if (what, text) not in self._meant:
            self._meant[what, text] = meant_name(text, names, what)
        return self._meant[what, text]

    def _catalog(self, what: str) -> Catalog:
        if self.catalog is None:
            raise DataError(
                f"{what} need a catalog of the items, and there is none; fit the model with one: fit(train, catalog)"
            )
        return self.catalog

    def _unknown(self) -> Array:
        return np.full(len(self.items), np.nan)

    @cached_property
    def _rows(self) -> Array:
        """Row numbers of the items in the catalog; -1 where it lacks them."""
        return self._catalog("facts").vocabulary.indices(self.items.ids, missing="skip")

    @cached_property
    def _genre_names(self) -> Mapping[str, int]:
        names = self._catalog("genres").genres
        if not names:
            raise DataError("the catalog has no genres; load data that has them, or leave out what asks for them")
        return {name: place for place, name in enumerate(names)}

    @cached_property
    def _listed_genres(self) -> pl.DataFrame:
        """Each genre of each item: `row, genres`."""
        known = np.flatnonzero(self._rows >= 0)
        listed = self._catalog("genres").items["genres"].gather(self._rows[known])
        return pl.DataFrame([pl.Series("row", known), listed]).explode("genres").drop_nulls("genres")

    @cached_property
    def _genome_names(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self._catalog("tags").genome_tags)}

    @cached_property
    def _taggings(self) -> pl.DataFrame:
        return taggings(self._catalog("tags"), self.items)

    @cached_property
    def _tag_names(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self._taggings["tag"].unique().sort())}


def plain_name(text: str) -> str:
    """A name as it is compared: Unicode, case and spaces as `normalized` has them."""
    return pl.select(normalized(pl.lit(text))).item() or ""


def meant_name(text: str, names: Mapping[str, int], what: str) -> str:
    """The one of `names` that `text` means, case and spelling of Unicode forgiven; an error that says which are nearest
    and, where they are few, which there are."""
    if text in names:
        return text
    plain = plain_name(text)
    listed = list(names)
    alike = [name for name, form in zip(listed, plain_names(listed), strict=True) if form == plain]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise UnknownIdError(f"{text!r} could be {what} {' or '.join(map(repr, alike))}; write it as it is there")
    near = nearest_names(plain, listed)
    meant = f"; the nearest are {', '.join(map(repr, near))}" if near else ""
    few = len(listed) <= _FEW
    there = f"; there are {', '.join(listed)}" if few else "" if near else f"; there are {len(listed):,} others"
    raise UnknownIdError(f"unknown {what} {text!r}{meant}{there}")


def plain_names(names: Sequence[str]) -> list[str]:
    """Many names as they are compared."""
    column = pl.DataFrame({"name": pl.Series(names, dtype=pl.String)}).select(normalized(pl.col("name")))
    return column["name"].fill_null("").to_list()


def nearest_names(text: str, names: Sequence[str], n: int = 5) -> list[str]:
    """The names most like `text`: those that share its words or begin as it does, then those that are spelt alike."""
    words = set(text.replace("-", " ").split())
    forms = plain_names(names)
    spelt = difflib.get_close_matches(text, forms, n, 0.7)
    sharing = [form for form in forms if words and words & set(form.replace("-", " ").split())]
    stem = text[: max(4, len(text) - 3)]
    begun = [form for form in forms if len(stem) >= 4 and form.startswith(stem)]
    places = {form: place for place, form in reversed(list(enumerate(forms)))}
    return [names[places[form]] for form in dict.fromkeys([*spelt, *begun, *sharing])][:n]
