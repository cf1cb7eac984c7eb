"""What `Reranked` is told, as arrays by row number: rules about items and genres, and how alike items are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Id
from coterie.errors import DataError, ParameterError, UnknownIdError
from coterie.models.tables import id_list

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
Likeness = Literal["genre", "genome", "ratings"]

#: The limit of a genre that has none.
NO_LIMIT = 1 << 30
# Nearest items, by the cosine of their ratings, that are known of each item.
_N_NEAREST = 200
_REMEDY = "bring a catalog that has them, catalog=... (from a file with the columns item, title, genres)"


class Genres(NamedTuple):
    """The genres of the items.

    Attributes
    ----------
    names : list of str
    shares : csr (n_items, n_genres), float64
        The share of each genre in an item: 1 / n for each of its n genres; an item without genres has an empty row.
    """

    names: list[str]
    shares: sp.csr_matrix


class Rules(NamedTuple):
    """Business rules by row number.

    Attributes
    ----------
    barred : bool (n_items,) or None
        Items that are never recommended.
    limits : int64 (n_genres,)
        The most items of each genre in a list; `NO_LIMIT` for no limit.
    must : int64 (n_must,)
        Items by row number, then any item of genre g as -1 - g, both in the order given.
    """

    barred: Array | None
    limits: Array
    must: Array


# ---- what items are about ------------------------------------------------------------------------------


def no_genres(train: Interactions) -> Genres:
    """For those who ask about none."""
    import scipy.sparse as sp

    return Genres([], sp.csr_matrix((train.n_items, 0), dtype=np.float64))


def genres_of(train: Interactions, catalog: Catalog | None, what_for: str) -> Genres:
    """The genres of the items; `DataError`, which says `what_for`, where none of them has any."""
    import scipy.sparse as sp

    if catalog is None:
        raise DataError(f"Reranked: {what_for} needs the genres of the items, and there is no catalog; {_REMEDY}")
    rows = catalog.vocabulary.indices(train.items.ids, missing="skip")
    known = np.flatnonzero(rows >= 0)
    listed = catalog.items["genres"].gather(rows[known])
    pairs = pl.DataFrame([pl.Series("item", known), listed]).explode("genres").drop_nulls().unique(maintain_order=True)
    if train.n_items and not len(pairs):
        raise DataError(f"Reranked: {what_for} needs the genres of the items, and the catalog has none; {_REMEDY}")
    names = catalog.genres
    codes = pairs["genres"].cast(pl.Enum(names)).to_physical().to_numpy()
    items = pairs["item"].to_numpy()
    counts = np.bincount(items, minlength=train.n_items)
    return Genres(names, sp.csr_matrix((1 / counts[items], (items, codes)), shape=(train.n_items, len(names))))


def require_likeness(train: Interactions, catalog: Catalog | None, by: Likeness) -> None:
    """`DataError` where there is nothing by which `likeness_of` could tell how alike items are."""
    if by == "genre":
        genres_of(train, catalog, 'similarity="genre"')
    elif by == "genome" and (catalog is None or catalog.genome is None):
        raise DataError(
            'Reranked: similarity="genome" needs a tag genome, and there is none; bring the catalog of a MovieLens '
            'edition that has one (ml-20m, ml-25m), or take similarity="genre" or "ratings"'
        )


def likeness_of(train: Interactions, catalog: Catalog | None, by: Likeness) -> sp.csr_matrix:
    """How alike items are, float32: their similarities (n_items, n_items) where `by` is "ratings", else vectors of
    length 1 or 0 in the rows, whose products are their similarities."""
    if by == "genre":
        vectors = genres_of(train, catalog, 'similarity="genre"').shares.copy()
        vectors.data = np.sqrt(vectors.data)  # n entries of 1 / n each
        return vectors.astype(np.float32)
    return _by_genome(train, catalog) if by == "genome" else _by_ratings(train)


def _by_genome(train: Interactions, catalog: Catalog | None) -> sp.csr_matrix:
    import scipy.sparse as sp

    require_likeness(train, catalog, "genome")
    assert catalog is not None and catalog.genome is not None
    rows = catalog.vocabulary.indices(train.items.ids, missing="skip")
    known = np.flatnonzero(rows >= 0)
    found = np.asarray(catalog.genome[rows[known]], np.float32)
    told = np.isfinite(found).all(axis=1)
    known, found = known[told], found[told]
    found = found - found.mean(axis=0) if len(found) else found
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.float32(1e-12))
    indptr = np.zeros(train.n_items + 1, np.int64)
    indptr[known + 1] = found.shape[1]
    columns = np.tile(np.arange(found.shape[1], dtype=np.int32), len(found))
    return sp.csr_matrix((found.ravel(), columns, np.cumsum(indptr)), shape=(train.n_items, found.shape[1]))


def _by_ratings(train: Interactions) -> sp.csr_matrix:
    import scipy.sparse as sp

    from coterie.similarity import neighbors  # the compiled half: needed to learn, not to serve

    if train.n_items < 2 or not train.nnz:
        nothing: sp.csr_matrix = sp.csr_matrix((train.n_items, train.n_items), dtype=np.float32)  # type: ignore[arg-type]
        return nothing
    near = neighbors(train, "cosine", _N_NEAREST, axis="items")
    rows, places = np.nonzero(near.indices >= 0)
    shape = train.n_items, train.n_items
    one_way = sp.csr_matrix((near.values[rows, places], (rows, near.indices[rows, places])), shape=shape)
    return one_way.maximum(one_way.T).tocsr()


# ---- rules ---------------------------------------------------------------------------------------------


def rules_of(
    train: Interactions,
    catalog: Catalog | None,
    genres: Genres,
    must: Sequence[Id],
    never: Sequence[Id],
    at_most: Mapping[str, int] | None,
) -> Rules:
    """Rules by row number; what is unknown, or contradicts itself, is an error that names it."""
    limits = np.full(len(genres.names), NO_LIMIT, np.int64)
    for name, most in (at_most or {}).items():
        number: Any = most
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 0:
            raise ParameterError(f"Reranked: at_most of {name!r} must be a whole number from 0, not {most!r}")
        limits[_genre("at_most", name, genres.names)] = most
    barred = np.zeros(train.n_items, bool)
    for value in id_list(never):
        entry = _entry("never", value, train, catalog, genres.names)
        if entry is None:
            continue  # nobody rated it: there is nothing to bar
        barred[entry if entry >= 0 else _having(genres, -1 - entry)] = True
    entries = []
    for value in id_list(must):
        entry = _entry("must", value, train, catalog, genres.names)
        if entry is None:
            raise UnknownIdError(
                f"Reranked: must names item {value!r}, which nobody in the training data rated, so that no model can "
                "say where it belongs; leave it out"
            )
        fits = np.array([entry]) if entry >= 0 else _having(genres, -1 - entry)
        if barred[fits].all():
            raise ParameterError(f"Reranked: must asks for {value!r}, and never rules it out; leave one out")
        entries.append(entry)
    found = np.array(sorted(entries, key=lambda entry: entry < 0), np.int64)  # items first: they may meet a genre too
    _refuse_too_many(found, limits, genres)
    return Rules(barred if barred.any() else None, limits, found)


def _refuse_too_many(must: Array, limits: Array, genres: Genres) -> None:
    """Refuse what `must` asks for where `at_most` does not allow it."""
    items = genres.shares[np.unique(must[must >= 0])]
    asked = np.bincount(items.indices, minlength=len(limits))
    wanted = -1 - must[must < 0]
    asked[wanted] = np.maximum(asked[wanted], 1)
    over = np.flatnonzero(asked > limits)
    if len(over):
        name = genres.names[over[0]]
        raise ParameterError(
            f"Reranked: must asks for {asked[over[0]]} of {name!r}, and at_most allows {limits[over[0]]}; "
            "raise the one or shorten the other"
        )


def wants_genres(train: Interactions, values: Iterable[Id]) -> bool:
    """Whether an entry is none of the items, and so has to be a genre."""
    return any(value not in train.items for value in values)


def _entry(rule: str, value: Id, train: Interactions, catalog: Catalog | None, names: list[str]) -> int | None:
    """A row number, or -1 - g for genre g; None for an item that is known but that nobody rated."""
    if value in train.items:
        return train.items.index(value)
    if catalog is not None and value in catalog.vocabulary:
        return None
    return -1 - _genre(rule, value, names, "neither an item of the training data nor a genre")


def _genre(rule: str, name: Any, names: list[str], what: str = "no genre") -> int:
    """The number of a genre, its case forgiven."""
    for place, known in enumerate(names):
        if isinstance(name, str) and known.casefold() == name.strip().casefold():
            return place
    there = f"genres are {', '.join(names)}" if names else f"genres are not known; {_REMEDY}"
    raise UnknownIdError(f"Reranked: {rule} names {name!r}, which is {what} ({there})")


def _having(genres: Genres, genre: int) -> Array:
    """Row numbers of the items of a genre."""
    return np.asarray(genres.shares[:, [genre]].tocoo().row)
