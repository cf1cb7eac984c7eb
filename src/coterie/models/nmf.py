"""Non-negative matrix factorisation: ratings as sums of parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Axis, Interactions
from coterie.errors import DataError, ParameterError
from coterie.kernels.nmf import Problem, gram_of, improve, solve, width
from coterie.models.factors import FactorModel, known_products, support
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.scale import unit_of
from coterie.models.tables import check_length

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# Rounds over a row's coordinates in one sweep of "hals": finding a row's equations costs far more.
_ROUNDS = 2


@hyper_parameters
class NMF(FactorModel):
    r"""Factors that are never negative, :math:`R \approx W H`: what a person likes is a sum of parts.

    Minimises over :math:`W \ge 0` (:math:`w_u` in the rows) and :math:`H \ge 0` (:math:`h_i` in the columns)

    .. math:: \sum_{(u,i)} (r_{ui} - w_u^\top h_i)^2 + \lambda \sum_u n_u \|w_u\|^2
              + \lambda \rho^2 \sum_i n_i \|h_i\|^2

    with ``reading="observed"`` over the ratings that there are, :math:`n_u, n_i` their numbers; with
    ``reading="zeros"`` over all pairs, the unrated counting as 0, and :math:`n_u = n_i = 1`. The first makes sensible
    ratings. The second is :math:`\|R - WH\|_F^2` and says who is likely to rate what; it is twice the objective of
    scikit-learn's ``NMF``, whose ``alpha_W`` is :math:`\lambda` over the number of items and ``alpha_H``
    :math:`\lambda \rho^2` over that of users (``l1_ratio`` 0). The unit :math:`\rho` says how many five-star scales
    wide the ratings are, with the zeros where these count, as a power of two (`unit_`: 1 from 1 to 5, 2 from 1 to 10,
    32 from 0 to 100). :math:`w_u` is in ratings, :math:`h_i` in no unit, so :math:`\lambda` means the same on every
    scale.

    A sweep brings all users closer to their best, then all items, and the objective never rises:

    ``solver="hals"``
        coordinates in turn, each to its best value given all others,
        :math:`w_{uf} \leftarrow \max\left(0, w_{uf} + (b_{uf} - (A_u w_u)_f) / (A_u)_{ff}\right)`
        (Cichocki and Phan, equations 22 to 25), some rounds of them a sweep;
    ``solver="multiplicative"``
        :math:`w_{uf} \leftarrow w_{uf} \, b_{uf} / (A_u w_u)_f` (Lee and Seung, theorem 1), slower by far;

    where :math:`A_u = \sum_i h_i h_i^\top + \lambda n_u I` and :math:`b_u = \sum_i r_{ui} h_i` over the pairs that
    count; of items it is :math:`\lambda \rho^2 n_i`. No matrix of size users x items is ever made. At the end the users
    are solved exactly: a person's factors are the solution of a convex problem, so a stranger's follow from their
    profile in the same way. Factors are in order of their share in all predictions; `parts` names them by their items.
    The solution depends on where it starts: another `random_state` may give other parts.

    `update` solves changed and new users, then the items that changed or are new, once; it is not a refit.

    Attributes
    ----------
    item_factors_ : float32 (n_items, n_factors)
        :math:`h_i` in the rows.
    user_factors_ : float32 (n_users, n_factors)
        :math:`w_u` in the rows.
    unit_ : float
        :math:`\rho`.
    objective_ : float64 (n_iterations,)
        The objective after each sweep, and so the last one from before the users are solved exactly: with
        ``reading="observed"`` and ``solver="multiplicative"`` that may still lower it a good deal.
    held_out_rmse_ : float64 (n_iterations,)
        Where `fit` was given `validation`.

    Raises
    ------
    DataError
        A rating is negative.
    ParameterError
        No regularization with ``reading="observed"``: solutions would not be unique.

    References
    ----------
    D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000.
    A. Cichocki and A.-H. Phan, "Fast local algorithms for large scale nonnegative matrix and tensor factorizations",
    IEICE Transactions E92-A(3), 2009.
    """

    name: ClassVar[str] = "nmf"
    predicts_ratings = True
    learns_in_sweeps = True
    n_factors: Annotated[
        int, Range(1, 4096, help="parts (factors) that a rating is a sum of", search=(4, 64), log=True)
    ] = 16
    reading: Annotated[Literal["observed", "zeros"], Range(help="what the unrated are: nothing, or zeros")] = "observed"
    regularization: Annotated[float, Range(0, help="λ, pulls factors to 0", search=(1e-3, 1), log=True)] = 0.1
    solver: Annotated[
        Literal["hals", "multiplicative"], Range(help="how a sweep brings factors closer", search=False)
    ] = "hals"
    n_iterations: Annotated[int, Range(1, 10_000, help="sweeps over users and items", search=(10, 100))] = 30
    random_state: Annotated[int, Range(0, 2**32 - 1, help="seed of the first factors")] = 0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        if train.nnz and train.scale[0] < 0:
            raise DataError(
                f"NMF needs ratings of at least 0, and the lowest is {train.scale[0]:g}; "
                "add a constant to all of them, or take SVD or ALS"
            )
        if self.reading == "observed" and self.regularization == 0:
            raise ParameterError(
                "NMF: regularization must be above 0 with reading='observed', not 0: many factors fit somebody who has "
                "fewer ratings than there are factors"
            )
        d, (n, m) = self.n_factors, train.shape
        low, high = train.scale
        unit = self.unit_ = unit_of(low if self.reading == "observed" else 0.0, high)
        users, items = (np.zeros((size, width(d)), np.float32) for size in (n, m))
        squares = float(np.square(train.values, dtype=np.float64).sum())
        mean = float(train.values.sum(dtype=np.float64)) / max(1, train.nnz if self.reading == "observed" else n * m)
        chance = np.random.default_rng(self.random_state)
        for factors in (users, items):
            factors[:, :d] = np.abs(chance.standard_normal((len(factors), d), np.float32))
            factors *= np.float32((mean / unit / d) ** 0.5)
        users *= np.float32(unit)

        def predict(user: Array, item: Array) -> Array:
            asked, place = np.unique(user, return_inverse=True)  # solved exactly, as in the end: a sweep is behind that
            factors = self._solve_users(self._problem(items[:, :d].copy()), train.to_scipy()[asked])
            return known_products(factors, items[:, :d], place, item, train.mean)

        for sweep in self._sweeps(self.n_iterations, keep={"users": users, "items": items}, predict=predict):
            self._improve(train, "users", items, users)
            gain = self._improve(train, "items", users, items)
            penalty = np.einsum("ij,ij,i->", users, users, self._ridge(train.user_counts), dtype=np.float64)
            sweep.objective = squares + gain + float(penalty)
        shares = users[:, :d].sum(axis=0, dtype=np.float64) * items[:, :d].sum(axis=0, dtype=np.float64)
        self.item_factors_ = np.ascontiguousarray(items[:, np.argsort(-shares, kind="stable")])
        self.user_factors_ = self._fold_in(train.to_scipy())[0]

    def _improve(self, train: Interactions, axis: Axis, others: Array, out: Array) -> float:
        """One side of a sweep; what it makes of the objective but for the other side's penalty and all squares."""
        rows = train.rows(axis)
        ridge = self._ridge(np.diff(rows.indptr), axis)
        multiplicative = self.solver == "multiplicative"
        passes = 1 if multiplicative else _ROUNDS
        return improve(self._problem(others), *rows, ridge, out, passes=passes, multiplicative=multiplicative)

    def _problem(self, others: Array) -> Problem:
        return Problem(others, gram_of(others) if self.reading == "zeros" else None)

    def _ridge(self, counts: Array, axis: Axis = "users") -> Array:
        """What pulls rows with so many ratings to 0, float32 (n,)."""
        pull = self.regularization * (self.unit_**2 if axis == "items" else 1.0)
        return (pull * (counts if self.reading == "observed" else np.ones(len(counts)))).astype(np.float32)

    # ---- people ------------------------------------------------------------------------------------

    @cached_property
    def _folding(self) -> Problem:
        return self._problem(self.item_factors_)

    def _fold_in(self, profiles: sp.csr_matrix) -> tuple[Array, Array | None]:
        return self._solve_users(self._folding, profiles), None

    def _solve_users(self, problem: Problem, profiles: sp.csr_matrix) -> Array:
        ridge = self._ridge(np.diff(profiles.indptr))
        return solve(problem, profiles.indptr, profiles.indices, profiles.data, ridge)

    # ---- looking inside ----------------------------------------------------------------------------

    def parts(self, k: int = 10) -> pl.DataFrame:
        """The items that make up each factor.

        Parameters
        ----------
        k : int, at least 1
            Items a factor; fewer where fewer have any weight in it.

        Returns
        -------
        polars.DataFrame
            `factor, rank` (from 1), `item, weight` and, where a catalog is known, `title`. Those lead whose weight,
            times n / (n + 20) with n their ratings, is largest: what few have rated fits any factor by chance.
        """
        train = self._fitted()
        check_length(k)
        order, weights = self._largest(k)
        factor, rank = np.nonzero(weights > 0)
        table = pl.DataFrame(
            {
                "factor": factor,
                "rank": (rank + 1).astype(np.int32),
                "item": train.items.ids[order[factor, rank]],
                "weight": weights[factor, rank],
            }
        )
        return self._with_titles(table, "item")

    def _largest(self, k: int) -> tuple[Array, Array]:
        """Row numbers of the k items that lead each factor, and their weights in it, (n_factors, k)."""
        order = np.argsort(-self.item_factors_ * support(self.train_)[:, None], axis=0, kind="stable")[:k].T
        return order, np.take_along_axis(self.item_factors_.T, order, axis=1)

    def _contributions(self, profile: sp.csr_matrix, item: int) -> tuple[float, pl.DataFrame, str]:
        base, contributions, _ = super()._contributions(profile, item)
        names = (
            self.parts(3)
            .with_columns(pl.col("title" if self.catalog_ is not None else "item").cast(pl.String).alias("name"))
            .group_by("factor")
            .agg(pl.col("name").sort_by("rank").str.join(", ").alias("part"))
        )
        table = contributions.join(names, on="factor", how="left", maintain_order="left")
        table = table.with_columns(pl.col("part").fill_null("(no items)")).select("factor", "part", "contribution")
        best = table.sort("contribution", descending=True).row(0, named=True)
        return base, table, f"A sum of {len(table)} parts; most comes from the part of {best['part']}."

    # ---- taking in what is new ---------------------------------------------------------------------

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        if merged.nnz and merged.scale[0] < 0:
            raise DataError(f"NMF needs ratings of at least 0, and the lowest of the new ones is {merged.scale[0]:g}")
        self._update_both(merged, changed_users, changed_items, self._solve_items)

    def _solve_items(self, items: Array, raters: sp.csc_matrix, who: Callable[[int], str]) -> None:
        ridge = self._ridge(np.diff(raters.indptr), "items")
        problem = self._problem(self.user_factors_)
        self.item_factors_[items] = solve(problem, raters.indptr, raters.indices, raters.data, ridge)
