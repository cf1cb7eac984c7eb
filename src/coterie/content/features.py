"""ItemFeatures: what a catalog says about items, as a matrix with a row an item."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, ParameterError
from coterie.kernels.memory import require_memory

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
#: What features can be made from.
Source = Literal["genres", "tags", "genome"]
SOURCES: tuple[Source, ...] = get_args(Source)

_MOVIES = 256  # of the genome that are copied at once


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """What items are about: a matrix, the names of its columns, and which items it knows anything of.

    Attributes
    ----------
    names : tuple of str
        What each column is: a genre or a tag.
    matrix : float32 (n_items, n_features), dense or CSR
        Rows in the order of the vocabulary that was asked for; finite everywhere.
    source : str
    """

    names: tuple[str, ...]
    matrix: Any = field(repr=False)
    source: str = ""

    def __post_init__(self) -> None:
        if self.matrix.shape[1] != len(self.names):
            raise DataError(f"{self.matrix.shape[1]} columns of features have {len(self.names)} names")

    @property
    def known(self) -> Array:
        """bool (n_items,): which items have a feature."""
        if isinstance(self.matrix, np.ndarray):
            return np.asarray(self.matrix.any(axis=1))
        return np.asarray(np.diff(self.matrix.indptr) > 0)

    def unit_rows(self, rows: Array | None = None) -> Any:
        """The matrix, or some of its rows, with rows of length 1; those of unknown items stay 0."""
        matrix = self.matrix if rows is None else self.matrix[rows]
        if isinstance(matrix, np.ndarray):
            return matrix * _inverse(np.linalg.norm(matrix, axis=1))[:, None]
        lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1).A1)
        unit = matrix.copy()
        unit.data *= np.repeat(_inverse(lengths), np.diff(unit.indptr))
        return unit


def item_features(
    catalog: Catalog | None, items: Vocabulary, source: Source, min_items: int = 1, adjusted: bool = False
) -> ItemFeatures:
    r"""Features of `items` from their catalog.

    ``"genres"``
        1 for each genre of an item, times the genre's :math:`\log(n / n_g)`, so that a rare genre says more.
    ``"tags"``
        :math:`\log(1 + c_{it}) \log(n / n_t)` (TF-IDF; Salton and Buckley 1988), where :math:`c_{it}` people gave
        item i the tag t, spelling put right by `normalized`, :math:`n_t` items have it and :math:`n` items have any.
    ``"genome"``
        The relevance of each tag of the genome in [0, 1]. Where only some are given, the others are the tag's mean.

    Parameters
    ----------
    catalog : Catalog or None
    items : Vocabulary
        The rows to make; what the catalog does not have is a row of zeros.
    min_items : int
        Tags of fewer items are left out.
    adjusted : bool
        Take each column's mean over the known items away, so that the cosine tells what is unusual about two items
        alike (the adjusted cosine of Sarwar et al. 2001, with features for people). Sparse features become dense.

    Raises
    ------
    DataError
        The catalog does not have what features are asked from.
    """
    if source not in SOURCES:
        raise ParameterError(f"unknown source {source!r} of features; there are {', '.join(SOURCES)}")
    if catalog is None:
        raise DataError(
            f"features from {source} need a catalog of the items; load data that has one, or pass fit(train, catalog)"
        )
    make = {"genres": _genres, "tags": _tags, "genome": _genome}[source]
    features = make(catalog, items, min_items)
    return _centred(features) if adjusted else features


def normalized(tags: pl.Expr) -> pl.Expr:
    """Tags as people would call them equal: Unicode's compatible forms composed (NFKC), lower case, no characters that
    are not seen, single spaces; null where nothing is left."""
    plain = tags.str.normalize("NFKC").str.replace_all(r"[\p{Cf}]", "").str.replace_all(r"[\p{C}\s]+", " ")
    plain = plain.str.strip_chars().str.to_lowercase()
    return pl.when(plain != "").then(plain)


def taggings(catalog: Catalog, items: Vocabulary) -> pl.DataFrame:
    """How many people gave an item a tag: `item_index, tag, people`, of the items that the vocabulary has."""
    if catalog.tags is None or catalog.tags.is_empty():
        raise DataError("the catalog has no tags; use features from genres, or load data that has tags")
    spellings = catalog.tags.select(pl.col("tag").unique()).with_columns(normalized(pl.col("tag")).alias("plain"))
    given = catalog.tags.join(spellings, on="tag").select("user", "item", tag="plain").drop_nulls("tag").unique()
    rows = items.indices(given["item"].to_numpy(), missing="skip")
    given = given.with_columns(pl.Series("item_index", rows)).filter(pl.col("item_index") >= 0)
    return given.group_by("item_index", "tag").agg(pl.len().alias("people")).sort("item_index", "tag")


def _tags(catalog: Catalog, items: Vocabulary, min_items: int) -> ItemFeatures:
    given = taggings(catalog, items)
    if min_items > 1:
        given = given.filter(pl.len().over("tag") >= min_items)
    names = given["tag"].unique().sort()
    columns = given["tag"].cast(pl.Enum(names)).to_physical().to_numpy()
    weights = np.log1p(given["people"].to_numpy())
    return ItemFeatures(tuple(names), _weighted(weights, given["item_index"].to_numpy(), columns, items, names), "tags")


def _genres(catalog: Catalog, items: Vocabulary, min_items: int) -> ItemFeatures:
    given = catalog.items.select("item", "genres").explode("genres").drop_nulls("genres").unique(maintain_order=True)
    if given.is_empty():
        raise DataError("the catalog has no genres; load data that has them")
    rows = items.indices(given["item"].to_numpy(), missing="skip")
    given = given.filter(pl.Series(rows >= 0))
    names = given["genres"].unique().sort()
    columns = given["genres"].cast(pl.Enum(names)).to_physical().to_numpy()
    matrix = _weighted(np.ones(len(given)), rows[rows >= 0], columns, items, names)
    return ItemFeatures(tuple(names), matrix, "genres")


def _weighted(weights: Array, rows: Array, columns: Array, items: Vocabulary, names: pl.Series) -> sp.csr_matrix:
    """Weights times the columns' inverse document frequency.

    A column that all known items have would say nothing and still be something that is known: it weighs as one that
    half an item lacks.
    """
    import scipy.sparse as sp

    documents = np.bincount(columns, minlength=len(names))
    n = len(np.unique(rows))
    idf = np.log(n / np.minimum(documents, n - 0.5)) if n else np.zeros(len(names))
    values = (weights * idf[columns]).astype(np.float32)
    matrix = sp.csr_matrix((values, (rows, columns)), shape=(len(items), len(names)), dtype=np.float32)
    matrix.sort_indices()
    return matrix


def _genome(catalog: Catalog, items: Vocabulary, min_items: int) -> ItemFeatures:
    if catalog.genome is None:
        raise DataError("the catalog has no tag genome; use features from tags or genres, or load data that has one")
    rows = catalog.vocabulary.indices(items.ids, missing="skip")
    matrix = np.zeros((len(items), len(catalog.genome_tags)), np.float32)
    known, gaps = np.zeros(len(items), bool), False
    has = np.flatnonzero(rows >= 0)
    for some in np.array_split(has, len(has) // _MOVIES + 1):  # copies of few stay in the cache
        given = catalog.genome[rows[some]]
        lacking = np.isnan(given)
        there = ~lacking.all(axis=1)
        known[some[there]], matrix[some[there]] = True, given[there]
        gaps |= bool(lacking[there].any())
    if gaps:
        means = np.nanmean(matrix[known], axis=0)
        matrix = np.where(np.isnan(matrix), np.nan_to_num(means), matrix).astype(np.float32)
    return ItemFeatures(catalog.genome_tags, matrix, "genome")


def _centred(features: ItemFeatures) -> ItemFeatures:
    known = features.known
    require_memory(
        3 * 4 * known.size * len(features.names),
        f"{len(features.names):,} features of {known.size:,} items less their means",
        "raise min_items, or leave adjusted out",
    )
    dense = features.matrix if isinstance(features.matrix, np.ndarray) else features.matrix.toarray()
    if known.any():
        dense = np.where(known[:, None], dense - dense[known].mean(axis=0, dtype=np.float64), 0).astype(np.float32)
    return ItemFeatures(features.names, dense, features.source)


def _inverse(lengths: Array) -> Array:
    """1 over each length, 0 for 0."""
    return np.divide(1, lengths, out=np.zeros(len(lengths), np.float32), where=lengths > 0).astype(np.float32)
