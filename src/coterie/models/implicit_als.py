"""Matrix factorisation of implicit feedback by alternating least squares over everything, seen and unseen."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Axis, Interactions
from coterie.errors import ParameterError
from coterie.kernels.least_squares import Progress, Solver, System, half_sweep, padded_zeros, solve_rows
from coterie.models.factors import FactorModel
from coterie.models.fold_in import LeastSquaresFoldIn
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.profiles import choice_values, require_choices

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class ImplicitALS(FactorModel):
    r"""Factors of users and items for implicit feedback: what somebody chose weighs more than what they did not.

    With the values :math:`v_{ui} > 0` of what was chosen (1, or weights of behaviours), ``loss="original"`` minimises
    over *all* pairs

    .. math:: \sum_{(u,i) \in S} (1 + \alpha v_{ui}) (1 - p_u^\top q_i)^2 + \sum_{(u,i) \notin S} (p_u^\top q_i)^2
              + \sum_u \lambda_u \|p_u\|^2 + \sum_i \lambda_i \|q_i\|^2

    (Hu, Koren and Volinsky, equation 3, with :math:`c_{ui} = 1 + \alpha v_{ui}`), and ``loss="ials++"``

    .. math:: \sum_{(u,i) \in S} \alpha v_{ui} (1 - p_u^\top q_i)^2 + \alpha_0 \sum_{u,i} (p_u^\top q_i)^2
              + \sum_u \lambda_u \|p_u\|^2 + \sum_i \lambda_i \|q_i\|^2

    (Rendle et al. 2022, equation 1), both with the frequency-scaled regularisation
    :math:`\lambda_u = \lambda (|I_u| + \alpha_0 |I|)^\nu` and
    :math:`\lambda_i = \lambda (|U_i| + \alpha_0 |U|)^\nu` (Rendle et al. 2022, equation 7; :math:`\alpha_0 = 1` with
    the original loss). Factors start as :math:`N(0, (\sigma / \sqrt d)^2)`.

    A sweep solves all users' systems, then all items',

    .. math:: p_u = \Big(\alpha_0 Q^\top Q + \sum_{i \in I_u} w_{ui} q_i q_i^\top + \lambda_u I\Big)^{-1}
                    \sum_{i \in I_u} t_{ui} q_i

    with :math:`w = \alpha v` and :math:`t = 1 + \alpha v` (original) or :math:`t = \alpha v` (ials++): exactly
    (``solver="cholesky"``), or closer by a few steps of conjugate gradients (``"cg"``; Takács, Pilászy and Tikk 2011),
    or exactly for one block of factors after the other (``"ials++"``; Rendle et al. 2021). With any solver the
    objective never rises, up to rounding. In the end the users are solved exactly: that is how strangers are folded in,
    and why `explain` can say what each item of a profile adds to a score (Hu et al., section 5).

    `update` folds in changed and new users, and solves the items that changed or are new once against the users; it
    is not a refit, which would let all others move too.

    Attributes
    ----------
    item_factors_ : float32 (n_items, n_factors)
    user_factors_ : float32 (n_users, n_factors)
    gram_ : float32 (n_factors, n_factors)
        :math:`\alpha_0 Q^\top Q`.
    objective_ : float64 (n_iterations,)
        The objective after each sweep.

    Raises
    ------
    DataError
        A value is not positive.

    References
    ----------
    Y. Hu, Y. Koren and C. Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008.
    G. Takács, I. Pilászy and D. Tikk, "Applications of the conjugate gradient method for implicit feedback
    collaborative filtering", RecSys 2011.
    S. Rendle, W. Krichene, L. Zhang and Y. Koren, "iALS++: speeding up matrix factorization with subspace
    optimization", arXiv 2110.14044, 2021.
    S. Rendle, W. Krichene, L. Zhang and Y. Koren, "Revisiting the performance of iALS on item recommendation
    benchmarks", RecSys 2022.
    """

    name: ClassVar[str] = "implicit-als"
    learns_in_sweeps = True
    n_factors: Annotated[int, Range(1, 4096, help="factors of each user and item", search=(16, 256), log=True)] = 64
    regularization: Annotated[float, Range(0, help="λ, pulls factors to 0", search=(1e-4, 1), log=True)] = 0.01
    alpha: Annotated[
        float, Range(0, help="α, weight of a choice for each unit of its value", search=(0.1, 40), log=True)
    ] = 1.0
    unobserved_weight: Annotated[
        float, Range(0, help="α₀, weight of every pair (ials++ loss)", search=(0.003, 1), log=True)
    ] = 0.2
    regularization_exponent: Annotated[
        float, Range(0, 2, help="ν: 0 for λ alike for all, 1 for λ times frequency", search=(0, 1))
    ] = 1.0
    loss: Annotated[Literal["ials++", "original"], Range(help="how pairs are weighted", search=False)] = "ials++"
    solver: Annotated[
        Literal["cholesky", "cg", "ials++"], Range(help="how the equations of each row are solved", search=False)
    ] = "cholesky"
    cg_steps: Annotated[int, Range(1, 1000, help="steps of conjugate gradients a row (cg)")] = 3
    block_size: Annotated[int, Range(1, 4096, help="factors solved together (ials++), up to whole vectors")] = 64
    init_scale: Annotated[float, Range(0, help="σ, spread of the first factors")] = 0.1
    n_iterations: Annotated[int, Range(1, 10_000, help="sweeps over users and items", search=(5, 40))] = 15
    random_state: Annotated[int, Range(0, 2**32 - 1, help="seed of the first factors")] = 0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        require_choices(train, "ImplicitALS")
        if self.alpha == 0 and "ials++" in (self.loss, self.solver):
            raise ParameterError(
                "ImplicitALS: alpha=0 gives choices no weight of their own; raise it, or take loss='original' and "
                "solver='cholesky'"
            )
        d = self.n_factors
        random = np.random.default_rng(self.random_state)
        users, items = (padded_zeros(n, d) for n in train.shape)
        for side, counts in ((users, train.user_counts), (items, train.item_counts)):
            start = random.standard_normal((len(side), d), np.float32) * np.float32(self.init_scale / np.sqrt(d))
            side[:, :d] = np.where(counts[:, None] > 0, start, 0)
        # what the objective is with all factors zero
        total = float((self.alpha * train.values + (self.loss == "original")).sum(dtype=np.float64))
        for sweep in self._sweeps(self.n_iterations, keep={"users": users[:, :d], "items": items[:, :d]}):
            self._solve(train, "users", items, users, self.solver)
            done = self._solve(train, "items", users, items, self.solver)
            penalty = np.einsum("ij,ij,i->", users, users, self._ridge(train.user_counts, train.n_items), dtype=float)
            sweep.objective = total - done.gain + float(penalty)
        self._solve(train, "users", items, users, "cholesky")
        self.user_factors_, self.item_factors_ = users[:, :d].copy(), items[:, :d].copy()
        self.gram_ = self._gram(self.item_factors_)

    def _system(self, others: Array, gram: Array) -> System:
        return System(others, (0.0, self.alpha), (float(self.loss == "original"), self.alpha), gram)

    def _gram(self, factors: Array) -> Array:
        return (factors.T @ factors) * np.float32(self._all_weight)

    @property
    def _all_weight(self) -> float:
        """What every pair weighs."""
        return 1.0 if self.loss == "original" else self.unobserved_weight

    def _solve(self, train: Interactions, axis: Axis, others: Array, out: Array, solver: Solver) -> Progress:
        rows = train.rows(axis)
        ridge = self._ridge(np.diff(rows.indptr), len(others))
        system = self._system(others, self._gram(others))._replace(padding=others.shape[1] - self.n_factors)
        return half_sweep(
            system, *rows, ridge, out, solver, self.cg_steps, self.block_size,
            who=train.vocabulary(axis).name,
        )  # fmt: skip

    def _ridge(self, counts: Array, n_others: int) -> Array:
        frequency = counts + self._all_weight * n_others
        return (self.regularization * frequency**self.regularization_exponent).astype(np.float32)

    # ---- people ------------------------------------------------------------------------------------

    @cached_property
    def _folding(self) -> LeastSquaresFoldIn:
        def ridge(counts: Array) -> Array:
            return self._ridge(counts, len(self.item_factors_))

        return LeastSquaresFoldIn(self._system(self.item_factors_, self.gram_), ridge)

    def _fold_in(self, profiles: sp.csr_matrix) -> tuple[Array, Array | None]:
        choice_values(profiles, "ImplicitALS")
        return self._folding(profiles)

    def _contributions(self, profile: sp.csr_matrix, item: int) -> tuple[float, pl.DataFrame, str]:
        parts = self._folding.contributions(profile, self.item_factors_[item])
        return 0.0, parts, f"What each of {len(parts)} choices adds, by the equations that gave the factors."

    # ---- taking in what is new ---------------------------------------------------------------------

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        require_choices(merged, "ImplicitALS")
        self._update_both(merged, changed_users, changed_items, self._solve_items)

    def _solve_items(self, items: Array, raters: sp.csc_matrix, who: Callable[[int], str]) -> None:
        system = self._system(self.user_factors_, self._gram(self.user_factors_))
        ridge = self._ridge(np.diff(raters.indptr), raters.shape[0])
        self.item_factors_[items] = solve_rows(system, raters.indptr, raters.indices, raters.data, ridge, who)
        self.gram_ = self._gram(self.item_factors_)
