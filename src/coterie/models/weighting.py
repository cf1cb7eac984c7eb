"""Term weighting of a ratings matrix: a rare item says more about a person than one that everybody has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from coterie.data.interactions import Axis, Interactions

Array = np.ndarray[Any, np.dtype[Any]]
Weighting = Literal["none", "tfidf", "bm25"]

_K1, _B = 1.2, 0.75  # the customary constants of BM25


@dataclass(frozen=True, eq=False)
class TermWeights:
    r"""Weights of ratings for comparing documents (the rows along an axis) by their terms (the other side).

    With n documents, :math:`n_t` of them having term t, and :math:`\mathrm{idf}_t = \max(0, \log \frac{n}{1 + n_t})`,
    a rating r becomes

    - ``none``: r
    - ``tfidf``: :math:`\sqrt{r} \; \mathrm{idf}_t` (Salton and Buckley 1988)
    - ``bm25``: :math:`\frac{r (k_1 + 1)}{r + k_1 (1 - b + b\, l / \bar l)} \mathrm{idf}_t` with l the sum of the
      document's ratings, k1 = 1.2 and b = 0.75 (Robertson et al. 1995)

    Negative ratings weigh 0 in the last two.
    """

    weighting: Weighting
    idf: Array = field(repr=False)  # float64 (n_terms,)
    mean_length: float

    @classmethod
    def of(cls, x: Interactions, weighting: Weighting, axis: Axis) -> TermWeights:
        """The weights that make rows along `axis` comparable."""
        n, counts = (x.n_users, x.item_counts) if axis == "users" else (x.n_items, x.user_counts)
        if weighting == "none":
            return cls(weighting, np.ones(len(counts)), 1.0)
        total = float(np.maximum(x.values, 0).sum(dtype=np.float64))
        return cls(weighting, np.maximum(0.0, np.log(max(n, 1) / (1.0 + counts))), max(total / max(n, 1), 1e-30))

    def apply(self, documents: Array, terms: Array, ratings: Array) -> Array:
        """The weighted values, float32 (nnz,), of ratings with their document and term numbers."""
        if self.weighting == "none":
            return ratings
        values = np.maximum(ratings.astype(np.float64), 0.0)
        if self.weighting == "tfidf":
            values = np.sqrt(values)
        else:
            lengths = np.bincount(documents, values) / self.mean_length
            values = values * (_K1 + 1) / (values + _K1 * (1 - _B + _B * lengths[documents]))
        return (values * self.idf[terms]).astype(np.float32)


def weighted(x: Interactions, weighting: Weighting, axis: Axis) -> Interactions:
    """`x` with its ratings weighted for comparing rows along `axis`."""
    weights = TermWeights.of(x, weighting, axis)
    documents, terms = (x.user_index, x.indices) if axis == "users" else (x.indices, x.user_index)
    return x if weighting == "none" else replace(x, values=weights.apply(documents, terms, x.values))
