"""SLIM: every item as a sparse combination of others."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.progress import progress
from coterie.models.item_weights import ItemWeightsModel, filled, item_gram
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.training import Kept, Pile

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# A sweep is a share of the items, within these numbers; their weights are dense until it ends.
_SWEEPS, _FEWEST, _MOST = 32, 8, 128
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

    A sweep solves the columns of a share of the items, the most rated first: a fit that Ctrl-C ends early recommends
    these, and a checkpoint has their weights.

    `update` solves again, beginning with the weights it has, and costs the Gram matrix and a few looks a column. It and
    a fit end within the same tolerance of the same optimum, not at the same numbers.

    Attributes
    ----------
    item_weights_ : float32 CSR (n_items, n_items)
        :math:`B`; column j is :math:`w_j`.
    gaps_ : float32 (n_items,)
        Duality gaps over :math:`\|x_j\|^2`; above `tolerance` where `n_iterations` were too few (with a warning), NaN
        where the fit was ended before.
    objective_ : float64 (n_sweeps,)
        The sum of what is minimised over all j after each sweep, with :math:`w_j = 0` for those to come.

    Raises
    ------
    MemoryBudgetError
        The Gram matrix, 4 bytes a pair of items, does not fit.

    References
    ----------
    X. Ning and G. Karypis, "SLIM: sparse linear methods for top-N recommender systems", ICDM 2011.
    """

    name: ClassVar[str] = "slim"
    learns_in_sweeps = True
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
        n = train.n_items
        gaps, objectives = np.full(n, np.nan, np.float32), np.bincount(train.indices, train.values**2 / 2, n)
        columns = _Columns(np.argsort(-train.item_counts, kind="stable"))  # whoever ends early has the most rated
        size = int(np.clip(n // _SWEEPS, _FEWEST, _MOST))
        keep: dict[str, Kept] = {"gaps": gaps, "objectives": objectives, **columns.parts}
        nets = None
        for sweep in self._sweeps(max(1, -(-n // size)), keep):
            nets = nets or self._nets(train)
            items = columns.order[sweep.number * size :][:size]
            weights = np.zeros((len(items), n), np.float32)
            gaps[items], objectives[items] = nets(items, weights)
            columns.add(weights)
            sweep.objective = float(objectives.sum())
        self._keep(train, columns, gaps)

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        if not len(changed_users) and not len(changed_items):
            return
        n, before = merged.n_items, self.item_weights_.tocsc()
        gaps, columns, nets = np.zeros(n, np.float32), _Columns(np.arange(n)), self._nets(merged)
        with progress("updating slim", n) as advance:
            for start in range(0, n, _MOST):
                items = columns.order[start : start + _MOST]
                weights = np.zeros((len(items), n), np.float32)
                known = before[:, items[items < before.shape[1]]].T.toarray()
                weights[: known.shape[0], : known.shape[1]] = known
                gaps[items], _ = nets(items, weights)
                columns.add(weights)
                advance(len(items), f"largest duality gap {gaps.max():.1g}")
        self._keep(merged, columns, gaps)

    def _nets(self, train: Interactions) -> Callable[[Array, Array], tuple[Array, Array]]:
        """What solves the given items (n,) from weights (n, n_items), which it changes: gaps and objectives (n,)."""
        from coterie.kernels.dense_gram import mirror
        from coterie.kernels.elastic_net import solve_elastic_nets

        n = train.n_items
        gram = item_gram(train, 8 * _MOST * n, _REMEDY)
        mirror(gram, np.ones(n, np.float32))
        candidates = self._candidates(gram)
        return lambda items, weights: solve_elastic_nets(
            items, gram, candidates, self.l1_regularization, self.l2_regularization, self.positive,
            self.tolerance, self.n_iterations, weights,
        )  # fmt: skip

    def _keep(self, train: Interactions, columns: _Columns, gaps: Array) -> None:
        self.item_weights_, self.gaps_ = columns.matrix(), gaps
        if not self.item_weights_.nnz and train.user_counts.max(initial=0) > 1:
            warnings.warn(
                "SLIM: no item has a weight in the score of another, so nothing will be recommended: "
                f"l1_regularization={self.l1_regularization:g} is more than what any two items share; lower it",
                RuntimeWarning,
                stacklevel=5,
            )
        short = int((gaps > self.tolerance).sum())
        if short:
            warnings.warn(
                f"SLIM: {short:,} of {len(gaps):,} items did not come to tolerance={self.tolerance:g} (the worst to "
                f"{np.nanmax(gaps):.1g}) in {self.n_iterations:,} sweeps; raise n_iterations or l2_regularization",
                RuntimeWarning,
                stacklevel=5,
            )

    def _candidates(self, gram: Array) -> Array:
        """The items that may have weights for each item, int32 (n, k), increasing, -1 after; (1, 0) for all."""
        n = len(gram)
        if self.n_neighbors is None or self.n_neighbors >= n - 1:
            return np.empty((1, 0), np.int32)
        from coterie.kernels.topk import top_k_rows

        norms = np.sqrt(np.diagonal(gram))
        found = []
        for start in range(0, n, _MOST):
            cosines = gram[start : start + _MOST] / np.maximum(norms, 1e-30)
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


class _Columns:
    """Columns of a square matrix that come a few at a time, made sparse.

    Parameters
    ----------
    order : int (n,)
        Row numbers of all items, in the order in which theirs will come.
    """

    def __init__(self, order: Array) -> None:
        self.order = order
        self.parts = {"counts": Pile(np.int64), "rows": Pile(np.int32), "weights": Pile(np.float32)}

    def add(self, weights: Array) -> None:
        """The next columns, in the rows of `weights` (n_columns, n)."""
        where = weights != 0
        for name, part in (
            ("counts", where.sum(axis=1)),
            ("rows", np.nonzero(where)[1]),
            ("weights", weights[where]),
        ):
            self.parts[name].add(part)

    def matrix(self) -> sp.csr_matrix:
        """What there is of the matrix; the columns that have not come are empty."""
        import scipy.sparse as sp

        n, (counts, rows, weights) = len(self.order), map(np.asarray, self.parts.values())
        columns = np.repeat(self.order[: len(counts)], counts)
        made = sp.csr_matrix((weights, (rows, columns)), shape=(n, n))
        made.sort_indices()
        return made
