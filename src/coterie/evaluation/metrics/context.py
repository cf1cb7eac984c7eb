"""What metrics look up about items and people, worked out once for all models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import DataError

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# Dimensions in which items are compared by who rated them.
N_FACTORS = 50


class Vectors(NamedTuple):
    """A direction for each item: item i has the unit vector ``scale[i] * matrix[rows[i]]``, or none where the scale
    is 0. `matrix` is dense or sparse (m, d), `rows` int (n_items,), `scale` float (n_items,)."""

    matrix: Any
    rows: Array
    scale: Array


@dataclass(frozen=True)
class Context:
    """What is known about items and people apart from the answers: for metrics beyond accuracy.

    Attributes
    ----------
    train : Interactions
        What models learn from.
    profiles : Interactions
        What models are told of the people they are asked about.
    catalog : Catalog or None
    """

    train: Interactions
    profiles: Interactions
    catalog: Catalog | None = None

    def require(self, needs: Iterable[str], metric: str) -> None:
        """Refuse what cannot be looked up here, before any model is fitted: `needs` as in `Metric.needs`, of the metric
        of that name.

        Raises
        ------
        DataError
            There is no catalog, or it does not say what is needed.
        """
        for name in sorted({"genres", "genome"}.intersection(needs)):
            try:
                getattr(self, name)
            except DataError as error:
                raise DataError(str(error).replace("this metric", metric, 1)) from None

    # ---- popularity --------------------------------------------------------------------------------

    @cached_property
    def popularity(self) -> Array:
        """The share of people who have rated each item in training, float64 (n_items,)."""
        return np.asarray(self.train.item_counts / max(np.count_nonzero(self.train.user_counts), 1))

    @cached_property
    def self_information(self) -> Array:
        """How much news it is that somebody rated an item, in bits, float64 (n_items,): minus the binary logarithm of
        its popularity. An item that nobody rated counts as rated by one person."""
        n_users = max(np.count_nonzero(self.train.user_counts), 1)
        return np.asarray(-np.log2(np.maximum(self.train.item_counts, 1) / n_users))

    @cached_property
    def popularity_places(self) -> Array:
        """The place of each item by popularity, int32 (n_items,): 0 for the one that most people rated, ties by row
        number, as the model `Popularity` ranks them."""
        places = np.empty(self.train.n_items, np.int32)
        places[np.argsort(-self.train.item_counts, kind="stable")] = np.arange(self.train.n_items, dtype=np.int32)
        return places

    @cached_property
    def profile_popularity(self) -> Array:
        """The mean popularity of the items of each profile, float64 (n_users,); NaN for an empty one."""
        sums = np.bincount(self.profiles.user_index, self.popularity[self.profiles.indices], self.profiles.n_users)
        counts = self.profiles.user_counts
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    def expected_places(self, k: int) -> Array:
        """How far down by popularity each person's k most popular items go that their profile does not have, int64
        (n_users,): those are the others of so many first `popularity_places`."""
        if k not in self._expected:
            self._expected[k] = self._expect(k)
        return self._expected[k]

    @cached_property
    def _expected(self) -> dict[int, Array]:
        return {}

    def _expect(self, k: int) -> Array:
        """In a profile sorted by place, ``p_j - j`` items that it does not have stand before the j-th, at place p_j. So
        those with ``p_j - j < k`` stand among the k first others, and each moves the end down by one."""
        import scipy.sparse as sp

        places = self.popularity_places[self.profiles.indices]
        ordered = sp.csr_matrix((np.empty(len(places), np.int8), places, self.profiles.indptr), self.profiles.shape)
        ordered.sort_indices()
        within = np.arange(len(places)) - np.repeat(self.profiles.indptr[:-1], self.profiles.user_counts)
        counted = ordered.indices - within < k
        return k + np.bincount(self.profiles.user_index[counted], minlength=self.profiles.n_users)

    # ---- what the catalog says ---------------------------------------------------------------------

    @cached_property
    def genres(self) -> sp.csr_matrix:
        """The genres of each item with equal shares that add up to 1, float64 (n_items, n_genres); nothing in the row
        of an item without genres."""
        import scipy.sparse as sp

        catalog, rows = self._look_up("genres")
        listed = catalog.items.select("genres").with_row_index("row").explode("genres").drop_nulls().unique()
        codes = listed["genres"].cast(pl.Enum(catalog.genres)).to_physical().to_numpy()
        of_row = listed["row"].to_numpy()
        shares = 1 / np.bincount(of_row, minlength=len(catalog) + 1)[of_row]
        shape = (len(catalog) + 1, len(catalog.genres))  # the last row is for items that the catalog does not have
        found: sp.csr_matrix = sp.csr_matrix((shares, (of_row, codes)), shape)[rows]
        if not found.nnz:
            raise _lacking("genres", "it gives genres for none of the rated items")
        return found

    @cached_property
    def genre_mix(self) -> sp.csr_matrix:
        """The share of each genre in the items of each profile, float64 (n_users, n_genres); nothing in the row of a
        profile without genres."""
        import scipy.sparse as sp

        profiles = self.profiles
        had = sp.csr_matrix((np.ones(profiles.nnz), profiles.indices, profiles.indptr), profiles.shape)
        mix: sp.csr_matrix = (had @ self.genres).tocsr()
        totals = np.asarray(mix.sum(axis=1)).ravel()
        mix.data /= np.repeat(totals, np.diff(mix.indptr))
        return mix

    @cached_property
    def genome(self) -> Vectors:
        """The tag genome of each item; none of an item where a tag is not given."""
        catalog, rows = self._look_up("genome")
        assert catalog.genome is not None
        norms = np.zeros(len(catalog) + 1, np.float32)
        for start in range(0, len(catalog), 1024):
            stop = min(start + 1024, len(catalog))
            norms[start:stop] = np.linalg.norm(catalog.genome[start:stop], axis=1)
        if not (norms[rows] > 0).any():  # NaN is not
            raise _lacking("a tag genome", "it gives tags for none of the rated items")
        return Vectors(catalog.genome, rows, _inverse(norms[rows]))

    def _look_up(self, what: str) -> tuple[Catalog, Array]:
        """The catalog, and for each item the row where it stands there; one past the last where it does not."""
        catalog, name = self.catalog, "a tag genome" if what == "genome" else what
        if catalog is None:
            raise _lacking(name, "there is none")
        if (catalog.genome is None) if what == "genome" else (not catalog.genres):
            raise _lacking(name, "this one has none")
        rows = catalog.vocabulary.indices(self.train.items.ids, missing="skip").astype(np.int64)
        return catalog, np.where(rows < 0, len(catalog), rows)

    # ---- directions of items -----------------------------------------------------------------------

    @cached_property
    def genre_vectors(self) -> Vectors:
        """The genres of each item."""
        norms = np.sqrt(np.asarray(self.genres.multiply(self.genres).sum(axis=1)).ravel())
        return Vectors(self.genres, np.arange(len(norms)), _inverse(norms))

    @cached_property
    def factor_vectors(self) -> Vectors:
        r"""Who rated each item and how, in `N_FACTORS` dimensions: :math:`V_k \Sigma_k` of the truncated singular value
        decomposition of the training ratings with zeros for the unrated."""
        from coterie.kernels.sparse_products import Sparse
        from coterie.kernels.truncated_svd import truncated_svd

        train = self.train
        found = truncated_svd(Sparse.of(train.indptr, train.indices, train.values, train.n_items), N_FACTORS)
        factors = found.right * found.values
        factors[train.item_counts == 0] = 0  # there, all else is rounding
        return Vectors(factors, np.arange(train.n_items), _inverse(np.linalg.norm(factors, axis=1)))


def _inverse(norms: Array) -> Array:
    """``1 / norms``; 0 for what is not above 0."""
    return np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)


def _lacking(what: str, found: str) -> DataError:
    remedy = "bring one with catalog=... (from a file with the columns item, title, genres)"
    if what != "genres":
        remedy = "MovieLens' editions ml-20m and ml-25m have one; take such data"
    return DataError(f"this metric needs a catalog with {what}, and {found}; {remedy}, or leave the metric out")
