"""P3alpha and RP3beta: walks of three steps on the graph of people and items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import DataError
from coterie.models.base import Recommender
from coterie.models.item_weights import ItemWeightsModel
from coterie.models.parameters import Range, hyper_parameters

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class P3alpha(ItemWeightsModel):
    r"""Recommend where a random walk from what a person liked leads: item, somebody who rated it, another item.

    .. math:: B_{ij} = \sum_u \Big(\frac{1}{|U_i|}\Big)^\alpha \Big(\frac{x_{uj}}{\sum_l x_{ul}}\Big)^\alpha

    The first step goes to any of the raters :math:`U_i` of item i alike, the second to one of the rater's items in
    proportion to its value :math:`x_{uj}` (all 1 in the paper, so :math:`1 / |I_u|`). With α = 1 these are the
    probabilities of a walk; α raises each step's to a power. The step from the person to item i is left
    to the score, :math:`s_{uj} = \sum_i r_{ui} B_{ij}`, which for values of 1 ranks as the walk of three steps does
    (:math:`1 / |I_u|^\alpha` is the same for all of a person's items). Each row of B keeps its `n_neighbors` largest
    weights, with `normalize` rows are divided by their sum, and then each column keeps its `n_neighbors`
    largest: the order of the evaluation by Ferrari Dacrema et al. Without `normalize`, as in the papers, a
    walk from a popular item spreads over so many others that its weights are small, columns keep those of rare items,
    and who likes what is popular may get no list: of the 100 most popular items of the sample 70 lead nowhere, and 8
    with `normalize`. Ties go to the smaller row number. A rating changes walks all around it, so `update` is a fit.

    Attributes
    ----------
    item_weights_ : float32 CSR (n_items, n_items)
        :math:`B`.

    Raises
    ------
    DataError
        A value is negative: there are no such probabilities.

    References
    ----------
    C. Cooper, S. H. Lee, T. Radzik and Y. Siantos, "Random walks in recommender systems: exact computation and
    simulations", WWW 2014 companion, section 3 (P³ and P³α).
    M. Ferrari Dacrema, P. Cremonesi and D. Jannach, "Are we really making much progress?", RecSys 2019.
    """

    name: ClassVar[str] = "p3alpha"
    update_equals_refit = True
    _update = Recommender._refit
    alpha: Annotated[float, Range(0, 10, help="power of a step's probability", search=(0.1, 2))] = 1.0
    n_neighbors: Annotated[int, Range(1, 100_000, help="weights kept per item", search=(5, 1000), log=True)] = 100
    normalize: Annotated[bool, Range(help="divide each item's weights by their sum")] = True

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self.item_weights_ = walk_weights(train, self.alpha, 0.0, self.n_neighbors, self.normalize)


@hyper_parameters
class RP3beta(ItemWeightsModel):
    r"""`P3alpha` with popular items held back: a walk's weight is divided by the popularity of where it ends.

    .. math:: B_{ij} = \frac{1}{|U_j|^\beta}
              \sum_u \Big(\frac{1}{|U_i|}\Big)^\alpha \Big(\frac{x_{uj}}{\sum_l x_{ul}}\Big)^\alpha

    where :math:`|U_j|` is the number of ratings of item j. The paper divides by it when it ranks
    (:math:`\tilde p_{uj} = p_{uj} / d_j^\beta`), which is the same as long as no weights are left out; which
    weights are kept is here decided after the division, as in the evaluation by Ferrari Dacrema et al. All else is as
    in `P3alpha`: the `n_neighbors` largest of each row, with `normalize` divided by their sum, then the
    `n_neighbors` largest of each column.

    Attributes
    ----------
    item_weights_ : float32 CSR (n_items, n_items)
        :math:`B`.

    Raises
    ------
    DataError
        A value is negative: there are no such probabilities.

    References
    ----------
    B. Paudel, F. Christoffel, C. Newell and A. Bernstein, "Updatable, accurate, diverse, and scalable recommendations
    for interactive applications", ACM TiiS 7(1), 2017, section 3.
    F. Christoffel, B. Paudel, C. Newell and A. Bernstein, "Blockbusters and wallflowers", RecSys 2015.
    """

    name: ClassVar[str] = "rp3beta"
    update_equals_refit = True
    _update = Recommender._refit
    alpha: Annotated[float, Range(0, 10, help="power of a step's probability", search=(0.1, 2))] = 1.0
    beta: Annotated[float, Range(0, 10, help="power of popularity that weights are divided by", search=(0, 2))] = 0.6
    n_neighbors: Annotated[int, Range(1, 100_000, help="weights kept per item", search=(5, 1000), log=True)] = 100
    normalize: Annotated[bool, Range(help="divide each item's weights by their sum")] = True

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self.item_weights_ = walk_weights(train, self.alpha, self.beta, self.n_neighbors, self.normalize)


def walk_weights(train: Interactions, alpha: float, beta: float, n_neighbors: int, normalize: bool) -> sp.csr_matrix:
    """The weights of both models, float32 (n_items, n_items)."""
    import scipy.sparse as sp

    from coterie.kernels.walks import top_k_walks

    n, k = train.n_items, max(1, min(n_neighbors, train.n_items - 1))
    counts = np.maximum(train.item_counts, 1).astype(np.float64)
    by_item = train.by_item
    items, values = top_k_walks(
        by_item.indptr, by_item.indices, train.indptr, train.indices, _steps(train, alpha),
        counts**-alpha, counts**-beta, k,
    )  # fmt: skip
    rows, places = np.nonzero(items >= 0)
    if normalize:
        values /= np.maximum(values.sum(axis=1, keepdims=True, dtype=np.float64), 1e-300)
    kept, columns = values[rows, places], items[rows, places]
    order = np.lexsort((rows, -kept, columns))
    starts = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=n))])
    order = order[np.arange(len(order)) - starts[columns[order]] < k]
    return sp.csr_matrix((kept[order], (rows[order], columns[order])), shape=(n, n), dtype=np.float32)


def _steps(train: Interactions, alpha: float) -> Array:
    """Each user's value of each item over the sum of the user's values, to the power α: float32 (nnz,)."""
    if train.nnz and train.values.min() < 0:
        raise DataError(
            f"walks need values from 0, and the data has {train.values.min():g}; keep the positive ones "
            "(interactions.filter(min_rating=...)) or make all of them 1 (interactions.binarized())"
        )
    sums = np.bincount(train.user_index, train.values, train.n_users)
    shares = train.values / np.maximum(sums, 1e-300)[train.user_index]
    return np.where(shares > 0, shares**alpha, 0).astype(np.float32)
