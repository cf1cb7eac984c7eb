"""ItemWeightsModel: one matrix of weights between items, and all that follows from it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coterie.data.interactions import Interactions
from coterie.kernels.few_sums import few_dense_sums
from coterie.kernels.memory import require_memory
from coterie.models.base import Recommender
from coterie.models.neighborhood import contribution_frame, sums_of_products
from coterie.models.profiles import FEW_ROWS, entries_of, entry_rows

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# Scores of dense weights that are worked out together.
_BLOCK_BYTES = 96 << 20


class ItemWeightsModel(Recommender):
    r"""A model whose scores are a profile times a matrix of weights: :math:`s_{ui} = \sum_j r_{uj} B_{ji}`.

    A subclass writes `_fit`, which sets `item_weights_`. :math:`r_{uj}` are the values of the data as they are: all 1
    where nothing but the interaction is known (the papers' case), else ratings or weights. An item that nobody
    rated has no score. Nor has any item for a profile without an item that somebody rated, and where the
    weights are sparse, an item that no rated item has a weight for.

    Attributes
    ----------
    item_weights_ : float32 (n_items, n_items), dense or CSR
        :math:`B`: row j says what a rating of item j adds to the score of each item.
    """

    item_weights_: Any

    # ---- scores ------------------------------------------------------------------------------------

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        weights = self.item_weights_
        if isinstance(weights, np.ndarray):
            return self._dense_scores(profiles, weights)
        return sums_of_products(profiles, weights)

    def _dense_scores(self, profiles: sp.csr_matrix, weights: Array) -> Array:
        rows = profiles.indptr, profiles.indices, profiles.data
        if profiles.shape[0] <= FEW_ROWS:
            scores = few_dense_sums(*rows, weights)
        else:
            from coterie.kernels.row_sums import dense_sums

            scores = dense_sums(*rows, weights)
        if not self._rated.all():
            scores[:, ~self._rated] = np.nan
        known = np.concatenate([[0], np.cumsum(self._rated[profiles.indices])])[profiles.indptr]
        scores[known[1:] == known[:-1]] = np.nan
        return scores

    def _block_size(self) -> int:
        """Dense weights are read as a whole for each block, so blocks are large."""
        if not isinstance(self.item_weights_, np.ndarray):
            return super()._block_size()
        return max(1, min(1024, _BLOCK_BYTES // (4 * max(1, self.train_.n_items))))

    @cached_property
    def _rated(self) -> Array:
        """bool (n_items,): which items somebody rated."""
        return np.asarray(self.train_.item_counts > 0)

    # ---- looking inside ----------------------------------------------------------------------------

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        columns, ratings = entries_of(profile, 0)
        weights = self._weights_for(columns, item)
        said = np.flatnonzero(weights)
        parts = contribution_frame(
            "item_index", columns[said], weights[said], ratings[said], weights[said].astype(np.float64) * ratings[said]
        )
        summary = f"{len(said)} of the {len(columns)} items this person rated have a weight for it"
        return 0.0, parts, summary + ("; the score is the sum of rating times weight." if len(said) else ".")

    def _weights_for(self, rows: Array, item: int) -> Array:
        """``B[rows, item]``, float32."""
        if isinstance(self.item_weights_, np.ndarray):
            return np.asarray(self.item_weights_[rows, item])
        return np.asarray(self.item_weights_[rows][:, [item]].toarray()[:, 0])

    def _similarities(self, items: Array) -> Array:
        """What a rating of each item adds to the scores of all."""
        if isinstance(self.item_weights_, np.ndarray):
            similarities: Array = self.item_weights_[items]
            similarities[:, ~self._rated] = np.nan
            similarities[~self._rated[items]] = np.nan
            return similarities
        return filled(self.item_weights_[items])


def filled(rows: sp.csr_matrix) -> Array:
    """A sparse block as dense float32, NaN where nothing is stored."""
    out = np.full(rows.shape, np.nan, np.float32)
    out[entry_rows(rows), rows.indices] = rows.data
    return out


def item_gram(train: Interactions, more_bytes: int, remedy: str) -> Array:
    r"""The lower triangle of :math:`X^\top X`, float32 (n_items, n_items), after asking for the memory.

    `more_bytes` are what the caller will need beside it.
    """
    from coterie.kernels.dense_gram import dense_gram

    needed = 4 * train.n_items**2 + 24 * train.nnz + more_bytes  # 24: the ratings three times while they are ranked
    require_memory(needed, f"a matrix of {train.n_items:,} x {train.n_items:,} items", remedy)
    return dense_gram(train.indptr, train.indices, train.values, train.n_items)
