"""ContentPrior: what items' factors are expected to be from what the items are about, and learning that."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.content.features import ItemFeatures
from coterie.data.interactions import Rows
from coterie.models.content_maps import Ridge
from coterie.models.factors import pair_products

Array = np.ndarray[Any, np.dtype[Any]]

# Entries whose products are taken together.
_BLOCK = 1 << 20


class ContentPrior:
    r"""The part of a factor model that maps features f of items to the factors that they are pulled to.

    With :math:`a_i` how strongly item i is pulled, W minimises
    :math:`\sum_i a_i \|q_i - W^\top f_i\|^2 + \lambda_f \|W\|^2`.

    Parameters
    ----------
    features : ItemFeatures
        Sparse, a row an item.
    pulls : float (n_items,)
        a; 0 for items that have no factors to learn from.
    regularization : float above 0
        :math:`\lambda_f`.
    width : int
        Columns of the items' factors.

    Attributes
    ----------
    weights : float64 (n_features, width)
        W, zero before something is learned; changed in place.
    """

    def __init__(self, features: ItemFeatures, pulls: Array, regularization: float, width: int) -> None:
        self.names = features.names
        self.regularization = regularization
        self.weights = np.zeros((len(features.names), width))
        self._matrix = features.matrix
        self._ridge = Ridge(features.matrix, pulls, regularization)

    @property
    def expected(self) -> Array:
        r""":math:`W^\top f_i` in the rows, float32 (n_items, width); 0 for an item without features."""
        return np.asarray(self._matrix @ self.weights, np.float32)

    @property
    def penalty(self) -> float:
        """What W adds to the objective."""
        return self.regularization * float(np.einsum("ij,ij->", self.weights, self.weights))

    def learn(self, items: Array) -> None:
        """Set W to the best for the items' factors (n_items, width)."""
        self.weights[...] = self._ridge.solve(items)


def residuals(rows: Rows, expected: Array, others: Array) -> Array:
    """Values less what is expected of them, float32 (nnz,): the product of `expected` of the entry's row and `others`
    of its column, and a bias where `expected` has a column more."""
    d = others.shape[1]
    factors, biases = expected[:, :d], expected[:, d:].sum(axis=1)
    rest = np.empty(len(rows.values), np.float32)
    owners = np.repeat(np.arange(len(expected), dtype=np.int32), np.diff(rows.indptr))
    for start in range(0, len(rest), _BLOCK):
        block = slice(start, start + _BLOCK)
        known = pair_products(factors, others, owners[block], rows.indices[block]) + biases[owners[block]]
        rest[block] = rows.values[block] - known
    return rest
