"""Truncated singular value decomposition, as a model of ratings and as a ranker."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.progress import progress
from coterie.kernels.parallel import blocks, run_light_blocks
from coterie.models.baselines import ROWS, BiasBaseline
from coterie.models.factors import FactorModel
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.profiles import FEW_ROWS

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 1 << 17  # ratings squared at once, in the cache


@hyper_parameters
class SVD(FactorModel):
    r"""The best approximation of the ratings matrix of a given rank, :math:`R \approx U_k \Sigma_k V_k^\top`.

    Minimises over all matrices of rank k

    .. math:: \left\| X - U_k \Sigma_k V_k^\top \right\|_F^2

    with :math:`X = R` and zeros for the unrated (``centering="none"``), or with what mean and biases leave of the
    ratings, :math:`x_{ui} = r_{ui} - \mu - b_u - b_i`, and zeros for the unrated (``centering="biases"``). A zero
    rating says "disliked by all", and reconstructions are far below what people rate; a zero residual says "as
    usual", and

    .. math:: \hat r_{ui} = \mu + b_u + b_i + (U_k \Sigma_k V_k^\top)_{ui}

    is a sensible rating. The biases are those of `BiasBaseline`. Triplets come by block Krylov iteration (see
    `coterie.kernels.truncated_svd`), the same as `scipy.sparse.linalg.svds` finds but for the signs: here the largest
    component of every right vector is positive. Where X has a lower rank than `n_factors`, the other singular
    values are 0, and so are their factors.

    A profile x is folded in by projection, :math:`p = x V_k`; for a known user that is the row of
    :math:`U_k \Sigma_k` (Cremonesi et al., equation 12). The score is linear in the profile, so `explain` is exact:
    item j adds :math:`x_j (V_k V_k^\top)_{ji}`. `update` folds in changed and new users; what is known of items stays,
    and new items have no score before the next fit.

    Attributes
    ----------
    item_factors_ : float32 (n_items, n_factors)
        :math:`V_k`.
    user_factors_ : float32 (n_users, n_factors)
        :math:`U_k \Sigma_k = X V_k`.
    singular_values_ : float64 (n_factors,)
        The largest first.
    explained_share_ : float64 (n_factors,)
        :math:`\sigma_c^2 / \|X\|_F^2`; ``1 - explained_share_.cumsum()`` is the squared reconstruction error of every
        rank up to `n_factors`, as a share.
    rated_ : bool (n_items,)
        Which items anybody had rated.
    mean_ : float
    item_biases_ : float32 (n_items,)
    user_offsets_ : float32 (n_users,)
        :math:`\mu`, :math:`b_i` and :math:`\mu + b_u`; only with ``centering="biases"``.

    References
    ----------
    B. Sarwar, G. Karypis, J. Konstan and J. Riedl, "Application of dimensionality reduction in recommender system: a
    case study", WebKDD 2000. A. Paterek, "Improving regularized singular value decomposition for collaborative
    filtering", KDD Cup 2007. P. Cremonesi, Y. Koren and R. Turrin, "Performance of recommender algorithms on top-N
    recommendation tasks", RecSys 2010.
    """

    name: ClassVar[str] = "svd"
    predicts_ratings = True
    n_factors: Annotated[int, Range(1, 4096, help="rank of the approximation", search=(4, 256), log=True)] = 16
    centering: Annotated[
        Literal["biases", "none"], Range(help="what is taken off the ratings first; none: the unrated count as zeros")
    ] = "biases"
    tolerance: Annotated[float, Range(1e-6, 0.1, help="how exact: largest relative residual of a singular triplet")] = (
        1e-3
    )

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        from coterie.kernels.sparse_products import Sparse
        from coterie.kernels.truncated_svd import truncated_svd

        self.rated_ = train.item_counts > 0
        if self.centering == "biases":
            baseline = BiasBaseline().fit(train)
            self.mean_, self.item_biases_ = baseline.mean_, baseline.item_biases_
        matrix, offsets = self._centered(train.to_scipy())
        with progress(f"fitting {self.name}", self.n_factors) as advance:
            made = truncated_svd(
                Sparse.of(matrix.indptr, matrix.indices, matrix.data, train.n_items),
                self.n_factors, self.tolerance, advance,
            )  # fmt: skip
        self.item_factors_ = np.where(self.rated_[:, None], made.right, np.float32(0))  # there, all else is rounding
        self.singular_values_ = made.values
        total = _sum_of_squares(matrix.data)
        self.explained_share_ = made.values**2 / total if total else np.zeros(self.n_factors)
        self.user_factors_ = self._projected(matrix)
        if offsets is not None:
            self.user_offsets_ = offsets

    def _centered(self, profiles: sp.csr_matrix) -> tuple[sp.csr_matrix, Array | None]:
        """X of the formula for these profiles, and what does not depend on the item."""
        import scipy.sparse as sp

        if self.centering == "none":
            return profiles, None
        baseline = BiasBaseline()
        baseline.mean_, baseline.item_biases_ = self.mean_, self.item_biases_
        offsets = np.float32(self.mean_) + baseline.user_biases(profiles)
        residuals, counts = np.empty(profiles.nnz, np.float32), np.diff(profiles.indptr)

        def work(start: int, stop: int) -> None:
            part = slice(profiles.indptr[start], profiles.indptr[stop])
            expected = np.repeat(offsets[start:stop], counts[start:stop])
            residuals[part] = profiles.data[part] - expected - self.item_biases_[profiles.indices[part]]

        run_light_blocks(work, len(counts), ROWS)
        return sp.csr_matrix((residuals, profiles.indices, profiles.indptr), shape=profiles.shape), offsets

    def _fold_in(self, profiles: sp.csr_matrix) -> tuple[Array, Array | None]:
        matrix, offsets = self._centered(profiles)
        return self._projected(matrix), offsets

    def _projected(self, matrix: sp.csr_matrix) -> Array:
        if matrix.shape[0] <= FEW_ROWS:
            return np.asarray(matrix @ self.item_factors_)
        from coterie.kernels.sparse_products import Sparse, times

        rows = Sparse.of(matrix.indptr, matrix.indices, matrix.data, matrix.shape[1])
        return np.ascontiguousarray(times(rows, self.item_factors_))

    def _contributions(self, profile: sp.csr_matrix, item: int) -> tuple[float, pl.DataFrame, str]:
        matrix, offsets = self._centered(profile)
        near = self.item_factors_[matrix.indices].astype(np.float64) @ self.item_factors_[item]
        parts = pl.DataFrame({"item_index": matrix.indices, "rating": profile.data, "contribution": near * matrix.data})
        if offsets is None:
            return 0.0, parts, f"What each of {len(parts)} ratings adds through {self.n_factors} factors."
        base = float(offsets[0]) + float(self.item_biases_[item])
        text = (
            f"On top of {base:.2f}, what each of {len(parts)} ratings adds by being above or below what was expected."
        )
        return base, parts, text


def _sum_of_squares(values: Array) -> float:
    parts = (values[start:stop] for start, stop in blocks(len(values), _BLOCK))
    return sum(float(np.square(part, dtype=np.float64).sum()) for part in parts)


@hyper_parameters
class PureSVD(SVD):
    r"""Rank by the singular value decomposition of the ratings matrix with zeros for the unrated.

    .. math:: s_{ui} = r_u \, Q \, q_i^\top, \qquad R \approx U \Sigma Q^\top

    (Cremonesi et al., equation 12) with :math:`r_u` the profile and :math:`q_i` the row of item i in :math:`Q`, the
    right singular vectors. Scores are no ratings, only their order counts; at that it is strong, and it answers
    strangers as it answers known users. It is `SVD` without centering.

    Attributes
    ----------
    item_factors_ : float32 (n_items, n_factors)
        :math:`Q`.
    user_factors_ : float32 (n_users, n_factors)
        :math:`R Q`.
    singular_values_ : float64 (n_factors,)
        The diagonal of :math:`\Sigma`, falling.

    References
    ----------
    P. Cremonesi, Y. Koren and R. Turrin, "Performance of recommender algorithms on top-N recommendation tasks",
    RecSys 2010, section 4.2.
    """

    name: ClassVar[str] = "pure-svd"
    predicts_ratings = False
    n_factors: Annotated[int, Range(1, 4096, help="rank of the approximation", search=(8, 512), log=True)] = 20
    centering: Literal["biases", "none"] = field(default="none", init=False, repr=False)
