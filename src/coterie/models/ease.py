"""EASE: the best linear model of every item by all others, in closed form."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.progress import progress
from coterie.errors import DivergenceError, PrecisionWarning
from coterie.kernels.memory import require_memory
from coterie.kernels.parallel import blocks
from coterie.models.item_weights import ItemWeightsModel, item_gram
from coterie.models.parameters import Range, hyper_parameters

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

_REMEDY = (
    "leave out rare items (interactions.filter(min_item_ratings=...)), or take RP3beta, whose memory grows with the "
    "number of items and not with its square"
)
_BLOCK = 512  # rows of the weights that are brought up to date at once
_TRIED = 8  # columns of the Gram matrix that the inverse is tried on: those that all others nearly make up
_PEOPLE = 8192  # profiles that are copied at once for it
_PRECISION = 0.01  # relative error of weights that goes without a word


@hyper_parameters
class EASE(ItemWeightsModel):
    r"""Embarrassingly shallow autoencoder: a linear model with a closed form, among the best rankers there are.

    .. math:: \min_B \|X - X B\|_F^2 + \lambda \|B\|_F^2 \quad \text{with} \quad \operatorname{diag}(B) = 0

    (equations 2 and 3), where X holds the values of the data (all 1 in the paper). The solution is, with
    :math:`P = (X^\top X + \lambda I)^{-1}`,

    .. math:: B_{ij} = -P_{ij} / P_{jj} \;\; (i \ne j), \qquad B_{jj} = 0

    (equation 8): one Gram matrix and one inverse, in float32 and in one array. The weights have signs; a score
    of 0 says that nothing speaks for or against an item. Any number of threads gives the same bits.

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

    Warns
    -----
    PrecisionWarning
        It can, but weights are off by more than 1 %. P times the Gram matrix tells it of the items j with the largest
        :math:`(X^\top X + \lambda I)_{jj} P_{jj}`, which is large where other items say nearly all about j.

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
        from coterie.kernels.dense_inverse import invert_symmetric

        with progress("fitting ease", 3) as advance:
            matrix = item_gram(train, 0, _REMEDY)
            advance(1, "inverse")
            diagonal = np.einsum("ii->i", matrix)
            diagonal += np.float32(self.regularization)
            inflation = diagonal.copy()
            self._check(diagonal if invert_symmetric(matrix) else np.nan)
            advance(1, "weights")
            self.inverse_diagonal_ = diagonal.copy()
            mirror(matrix, -1 / self.inverse_diagonal_)
            diagonal[:] = 0
            self.item_weights_ = matrix
            inflation *= self.inverse_diagonal_
            self._try(train, np.argsort(-inflation, kind="stable")[:_TRIED])

    def _try(self, train: Interactions, tried: Array) -> None:
        """Warn where P (I - B is P over its diagonal) times columns of what it is the inverse of is far from ones."""
        x, sums = train.to_scipy(), np.zeros((len(tried), train.n_items))
        for start, stop in blocks(train.n_users, _PEOPLE):
            part = x[start:stop]
            sums += (part[:, tried].T.astype(np.float64) @ part).toarray()
        columns = sums.astype(np.float32)
        own = np.arange(len(tried)), tried
        columns[own] += np.float32(self.regularization)
        columns *= self.inverse_diagonal_
        ones = columns - columns @ self.item_weights_.T
        ones[own] -= 1
        errors = np.abs(ones).max(axis=1, initial=0)
        error = float(errors.max(initial=0))
        if error > _PRECISION:
            worst = train.items.ids[tried].tolist()[errors.argmax()]
            warnings.warn(
                f"EASE: regularization={self.regularization:g} is small beside the rounding of such sums; weights "
                f"are off by up to about {error:.1%}, those of item {worst!r} among others; "
                "ten times the regularization makes that ten times less",
                PrecisionWarning,
                stacklevel=4,
            )

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
