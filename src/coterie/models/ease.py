"""EASE: the best linear model of every item by all others, in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.progress import progress
from coterie.errors import DivergenceError
from coterie.kernels.memory import require_memory
from coterie.kernels.parallel import run_blocks
from coterie.models.item_weights import ItemWeightsModel, item_gram
from coterie.models.parameters import Range, hyper_parameters

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

_REMEDY = (
    "leave out rare items (interactions.filter(min_item_ratings=...)), or take RP3beta, whose memory grows with the "
    "number of items and not with its square"
)
_ONE_THREAD = 4096  # up to so many items one thread inverts in a moment
_BLOCK = 512  # rows of the weights that are brought up to date at once


@hyper_parameters
class EASE(ItemWeightsModel):
    r"""Embarrassingly shallow autoencoder: a linear model with a closed form, among the best rankers there are.

    .. math:: \min_B \|X - X B\|_F^2 + \lambda \|B\|_F^2 \quad \text{with} \quad \operatorname{diag}(B) = 0

    (equations 2 and 3), where X holds the values of the data (all 1 in the paper). The solution is, with
    :math:`P = (X^\top X + \lambda I)^{-1}`,

    .. math:: B_{ij} = -P_{ij} / P_{jj} \;\; (i \ne j), \qquad B_{jj} = 0

    (equation 8): one Gram matrix and one inverse, in float32 and in one array. The weights have signs; a score
    of 0 says that nothing speaks for or against an item. Up to 4,096 items any number of threads gives the same bits.
    Beyond, LAPACK inverts with the threads of BLAS, and how many these are may change the last ones.

    `update` does not fit again. New and changed profiles change the Gram matrix by :math:`U^\top C U`, where the rows
    of U are new profiles (C = 1) and the old ones of the same people (C = -1), and new items begin with
    :math:`P_{jj} = 1/\lambda`. P, which is :math:`(I - B) \operatorname{diag}(P_{jj})`, follows by the identity of
    Woodbury,

    .. math:: P' = P - P U^\top (C^{-1} + U P U^\top)^{-1} U P.

    Where so many people are new that an inverse takes fewer operations, there is one. Either way the weights are those
    of a fit up to rounding, which many updates add up: relative errors of 1e-4 and below, as long as λ is
    well above the rounding of the Gram matrix.

    Attributes
    ----------
    item_weights_ : float32 (n_items, n_items)
        :math:`B`.
    inverse_diagonal_ : float32 (n_items,)
        :math:`P_{jj}`.

    Raises
    ------
    MemoryBudgetError
        The weights, 4 bytes a pair of items, do not fit.
    DivergenceError
        The Gram matrix cannot be inverted in float32: `regularization` is too small for it.

    References
    ----------
    H. Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
    """

    name: ClassVar[str] = "ease"
    update_equals_refit = True
    regularization: Annotated[
        float, Range(1e-3, help="λ, pulls weights to 0; more for more data", search=(10, 5000), log=True)
    ] = 500.0

    # ---- fitting -----------------------------------------------------------------------------------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        from coterie.kernels.dense_gram import mirror

        with progress("fitting ease", 3) as advance:
            matrix = item_gram(train, 0, _REMEDY)
            advance(1, "inverse")
            diagonal = np.einsum("ii->i", matrix)
            diagonal += np.float32(self.regularization)
            self._invert(matrix)
            advance(1, "weights")
            self.inverse_diagonal_ = diagonal.copy()
            mirror(matrix, -1 / self.inverse_diagonal_)
            diagonal[:] = 0
        self.item_weights_ = matrix

    def _invert(self, matrix: Array) -> None:
        """The lower triangle of a symmetric matrix becomes that of its inverse, in place."""
        from scipy.linalg.lapack import spotrf, spotri

        def work(_start: int, _stop: int) -> bool:
            upper = matrix.T  # LAPACK counts by columns: our lower triangle is its upper one
            _, failed = spotrf(upper, lower=0, clean=0, overwrite_a=1)
            return bool(failed or spotri(upper, lower=0, overwrite_c=1)[1])

        # in a block BLAS has one thread
        failed = work(0, 1) if len(matrix) > _ONE_THREAD else any(run_blocks(work, min(len(matrix), 1), 1))
        self._check(np.nan if failed else np.diagonal(matrix))

    def _check(self, inverse_diagonal: Any) -> None:
        """A positive definite matrix has an inverse with a positive diagonal."""
        if not (np.isfinite(inverse_diagonal) & (np.asarray(inverse_diagonal) > 0)).all():
            raise DivergenceError(
                f"EASE: the Gram matrix plus regularization={self.regularization:g} cannot be inverted in single "
                "precision; take a larger regularization, or values of smaller size (interactions.binarized())"
            )

    # ---- taking in what is new ---------------------------------------------------------------------

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        rows, signs = self._changes(merged, changed_users)
        n, k = merged.n_items, len(signs)
        if 2.0 * n * k * (n + k) > float(n) ** 3:  # operations of Woodbury's identity and of an inverse
            self._fit(merged, self.catalog_)
        elif k or n > self.train_.n_items:
            self._add(rows, signs)

    def _changes(self, merged: Interactions, changed_users: Array) -> tuple[sp.csr_matrix, Array]:
        """U (k, n_items) and the diagonal of C (k,): profiles that came and profiles that went."""
        import scipy.sparse as sp

        known = changed_users[changed_users < self.train_.n_users]
        old, new = self.train_.to_scipy()[known], merged.to_scipy()[changed_users]
        old = sp.csr_matrix((old.data, old.indices, old.indptr), shape=(len(known), merged.n_items))
        rows = sp.vstack([new, old], format="csr", dtype=np.float32)
        signs = np.repeat([1.0, -1.0], [len(changed_users), len(known)])
        difference = new[: len(known)] - old
        difference.eliminate_zeros()
        same = np.flatnonzero(np.diff(difference.indptr) == 0)  # told again what was known
        gone = np.concatenate([same, len(changed_users) + same])
        keep = np.setdiff1d(np.flatnonzero(np.diff(rows.indptr)), gone)
        return rows[keep], signs[keep]

    def _add(self, rows: sp.csr_matrix, signs: Array) -> None:
        """Bring the weights up to date with ``Uᵀ C U`` more in the Gram matrix."""
        from scipy.linalg import lu_factor, lu_solve

        from coterie.kernels.row_sums import dense_sums

        before, n = len(self.item_weights_), rows.shape[1]
        require_memory(4 * n * n + 12 * n * len(signs), f"new weights of {n:,} x {n:,} items", _REMEDY)
        diagonal = np.concatenate([self.inverse_diagonal_, np.full(n - before, 1 / self.regularization, np.float32)])
        products = rows.toarray()  # U P, from P = (I - B) diag(P_jj)
        known = rows[:, :before].tocsr()
        products[:, :before] -= dense_sums(known.indptr, known.indices, known.data, self.item_weights_)
        products *= diagonal
        inner = lu_factor(np.diag(signs) + rows @ products.T)  # float64, as the signs are
        solved = np.empty_like(products)
        for start in range(0, n, _BLOCK):
            columns = slice(start, start + _BLOCK)
            solved[:, columns] = lu_solve(inner, products[:, columns])
        updated = (diagonal - np.einsum("ki,ki->i", products, solved, dtype=np.float64)).astype(np.float32)
        self._check(updated)
        weights = np.empty((n, n), np.float32)
        for start in range(0, n, _BLOCK):
            block = weights[start : start + _BLOCK]
            stop = start + len(block)
            np.matmul(products[:, start:stop].T, solved, out=block)
            old = self.item_weights_[start:stop]
            block[: len(old), :before] += old * diagonal[:before]
            block /= updated
            block[np.arange(len(block)), np.arange(start, stop)] = 0
        self.item_weights_, self.inverse_diagonal_ = weights, updated
