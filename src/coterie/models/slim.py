"""SLIM: every item as a sparse combination of others."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.progress import progress
from coterie.models.item_weights import ItemWeightsModel, filled, item_gram
from coterie.models.parameters import Range, hyper_parameters

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 256  # columns solved before their weights are made sparse
_REMEDY = "leave out rare items (interactions.filter(min_item_ratings=...)), or take RP3beta, which needs less"


@hyper_parameters
class SLIM(ItemWeightsModel):
    r"""Sparse linear method: the ratings of each item from those of few others, by an elastic net.

    .. math:: \min_{w_j} \tfrac12 \|x_j - X w_j\|^2 + \tfrac{\beta}{2} \|w_j\|^2 + \lambda \|w_j\|_1
              \quad \text{with} \quad w_{jj} = 0, \; w_j \ge 0

    for each item j (equations 2 to 4), where :math:`x_j` are the values of the data (all 1 in the paper) and
    :math:`w_j` is the j-th column of B. Without `positive` weights may be below 0. Coordinate descent,

    .. math:: w_i \leftarrow \frac{\big[x_i^\top (x_j - X w_j) + \|x_i\|^2 w_i - \lambda\big]_+}{\|x_i\|^2 + \beta}

    runs on the Gram matrix and on small sets of items at a time, which grow until the duality gap of the column is
    at most `tolerance` times :math:`\|x_j\|^2`. scikit-learn's ``ElasticNet`` solves the same with
    ``alpha = (λ + β) / n_users``, ``l1_ratio = λ / (λ + β)``, no intercept and the same tolerance. With
    `n_neighbors` only that many items, the nearest by cosine, may have weights for an item (fsSLIM, section
    4.2): faster, and a little less accurate. Columns are independent, so that threads change nothing.

    `update` solves again, beginning with the weights it has, and costs the Gram matrix and a few looks a column. It and
    a fit end within the same tolerance of the same optimum, not at the same numbers.

    Attributes
    ----------
    item_weights_ : float32 CSR (n_items, n_items)
        :math:`B`; column j is :math:`w_j`.
    gaps_ : float32 (n_items,)
        Duality gaps over :math:`\|x_j\|^2`; above `tolerance` where `n_iterations` were too few (with a warning).

    Raises
    ------
    MemoryBudgetError
        The Gram matrix, 4 bytes a pair of items, does not fit.

    References
    ----------
    X. Ning and G. Karypis, "SLIM: sparse linear methods for top-N recommender systems", ICDM 2011.
    """

    name: ClassVar[str] = "slim"
    l1_regularization: Annotated[float, Range(1e-6, help="λ, leaves fewer weights", search=(0.1, 100), log=True)] = 5.0
    l2_regularization: Annotated[float, Range(0, help="β, pulls weights to 0", search=(1, 2000), log=True)] = 100.0
    positive: Annotated[bool, Range(help="weights are never negative")] = True
    n_neighbors: Annotated[
        int | None, Range(1, 100_000, help="nearest items that may have weights for an item; None: all")
    ] = None
    tolerance: Annotated[
        float, Range(1e-12, 1, help="duality gap at the end, as a share of an item's sum of squares")
    ] = 1e-4
    n_iterations: Annotated[int, Range(1, 1_000_000, help="most sweeps a column")] = 1000

    # ---- fitting -----------------------------------------------------------------------------------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self._solve(train, None)

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        if len(changed_users) or len(changed_items):
            self._solve(merged, self.item_weights_.tocsc())

    def _solve(self, train: Interactions, begin: sp.csc_matrix | None) -> None:
        """Solve all columns, from the weights `begin` where there are some."""
        import scipy.sparse as sp

        from coterie.kernels.dense_gram import mirror
        from coterie.kernels.elastic_net import solve_elastic_nets

        n = train.n_items
        gram = item_gram(train, 8 * _BLOCK * n, _REMEDY)
        mirror(gram, np.ones(n, np.float32))
        candidates = self._candidates(gram)
        gaps, columns = np.zeros(n, np.float32), []
        with progress("fitting slim", n) as advance:
            for start in range(0, n, _BLOCK):
                stop = min(start + _BLOCK, n)
                weights = np.zeros((stop - start, n), np.float32)
                if begin is not None and start < begin.shape[1]:
                    known = begin[:, start:stop].T.toarray()
                    weights[: known.shape[0], : known.shape[1]] = known
                gaps[start:stop] = solve_elastic_nets(
                    start, stop, gram, candidates, self.l1_regularization, self.l2_regularization, self.positive,
                    self.tolerance, self.n_iterations, weights,
                )  # fmt: skip
                columns.append(sp.csr_matrix(weights))
                advance(stop - start, f"largest duality gap {gaps[:stop].max():.1g}")
        self.item_weights_ = sp.vstack(columns, format="csr").T.tocsr() if columns else sp.csr_matrix((n, n))
        self.gaps_ = gaps
        short = int((gaps > self.tolerance).sum())
        if short:
            warnings.warn(
                f"SLIM: {short:,} of {n:,} items did not come to tolerance={self.tolerance:g} (the worst to "
                f"{gaps.max():.1g}) in {self.n_iterations:,} sweeps; raise n_iterations or l2_regularization",
                RuntimeWarning,
                stacklevel=4,
            )

    def _candidates(self, gram: Array) -> Array:
        """The items that may have weights for each item, int32 (n, k), increasing, -1 after; (1, 0) for all."""
        n = len(gram)
        if self.n_neighbors is None or self.n_neighbors >= n - 1:
            return np.empty((1, 0), np.int32)
        from coterie.kernels.topk import top_k_rows

        norms = np.sqrt(np.diagonal(gram))
        found = []
        for start in range(0, n, _BLOCK):
            cosines = gram[start : start + _BLOCK] / np.maximum(norms, 1e-30)
            cosines[cosines <= 0] = np.nan
            cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = np.nan
            nearest = top_k_rows(cosines, self.n_neighbors)[0]
            found.append(np.sort(np.where(nearest < 0, n, nearest), axis=1))
        candidates = np.concatenate(found)
        return np.where(candidates == n, -1, candidates).astype(np.int32)

    # ---- looking inside ----------------------------------------------------------------------------

    def _similarities(self, items: Array) -> Array:
        """The weights that make up each item's score; a rare item may have none in the scores of others."""
        return filled(self.item_weights_.tocsc()[:, items].T.tocsr())
