"""SVD++: matrix factorisation of ratings that also learns from which items somebody rated at all."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.kernels.least_squares import System
from coterie.models.biased_mf import first_factors, penalty
from coterie.models.factors import FactorModel, grown, pair_products
from coterie.models.fold_in import LeastSquaresFoldIn, require_solvable
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.profiles import entry_rows
from coterie.models.scale import unit_of

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class SVDPlusPlus(FactorModel):
    r"""Factors and biases as in `BiasedMF`, with a second set of item factors for what was rated at all.

    With :math:`N(u)` the items that the user rated, minimises

    .. math:: \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2
              + \lambda \Big(b_u^2 + b_i^2 + \|p_u\|^2 + \rho^2 \|q_i\|^2 + \sum_{j \in N(u)} \|y_j\|^2\Big), \qquad
              \hat r_{ui} = \mu + b_u + b_i
              + q_i^\top \Big(p_u + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j\Big)

    (Koren, equation 15) by a step for each rating, with :math:`e = r_{ui} - \hat r_{ui}` and the sum
    :math:`z_u = |N(u)|^{-1/2} \sum_j y_j` as it then is (Koren, section 4.2, with one :math:`\gamma` and one
    :math:`\lambda`):

    .. math:: b_u \mathrel{+}= \gamma (e - \lambda b_u), \quad b_i \mathrel{+}= \gamma (e - \lambda b_i), \quad
              p_u \mathrel{+}= \gamma (e \, q_i - \lambda p_u), \quad
              q_i \mathrel{+}= \gamma (e \, (p_u + z_u) / \rho^2 - \lambda q_i), \\
              y_j \mathrel{+}= \gamma (e \, |N(u)|^{-1/2} q_i - \lambda y_j) \quad \text{for all } j \in N(u)

    The unit :math:`\rho` says how many five-star scales wide the ratings are, as a power of two (`unit_`: 1 from 1 to
    5, 2 from 1 to 10, 32 from 0 to 100). Biases, :math:`p_u` and :math:`y_j` are in ratings, :math:`q_i` is in no unit,
    so :math:`\gamma` and :math:`\lambda` mean the same on every scale.

    A user's ratings follow each other, and then what they add to the :math:`y_j` can be kept as one sum until the
    last of them: the same steps, at a cost of :math:`O(|N(u)|)` instead of :math:`O(|N(u)|^2)` rows a user. Since the
    :math:`y_j` belong to all users, one user comes after the other, on one thread. The learning rate
    :math:`\gamma` falls in a straight line, from `learning_rate` in the first epoch by 1 / `n_epochs` of it each.
    Factors start as :math:`N(0, (0.1 \rho)^2)` for users and :math:`N(0, 0.1^2)` for items, biases and the
    :math:`y_j` as 0.

    After the last epoch each user's :math:`(p_u, b_u)` are set to the exact minimum given the items. That is how
    strangers are folded in as well, with the items of their profile as :math:`N(u)`, and why `explain` can say what
    each rating of a profile adds to a prediction. `update` folds in changed and new users; new items have
    no factors before the next fit.

    Attributes
    ----------
    mean_ : float
        :math:`\mu`.
    unit_ : float
        :math:`\rho`.
    item_factors_ : float32 (n_items, n_factors)
        :math:`q_i`.
    implicit_factors_ : float32 (n_items, n_factors)
        :math:`y_j`.
    user_factors_ : float32 (n_users, n_factors)
        :math:`p_u + z_u`.
    item_biases_ : float32 (n_items,)
    user_offsets_ : float32 (n_users,)
        :math:`b_i`, and :math:`\mu + b_u`.
    objective_ : float64 (n_epochs,)
        The objective, with the errors as they were met during each epoch.
    held_out_rmse_ : float64 (n_epochs,)
        Where `fit` was given `validation`.

    Raises
    ------
    DivergenceError
        The learning rate is too high; or, without regularization, somebody has fewer ratings than there are unknowns.

    References
    ----------
    Y. Koren, "Factorization meets the neighborhood: a multifaceted collaborative filtering model", KDD 2008.
    """

    name: ClassVar[str] = "svd++"
    predicts_ratings = True
    learns_in_sweeps = True
    n_factors: Annotated[int, Range(1, 4096, help="factors of each user and item", search=(8, 128), log=True)] = 64
    learning_rate: Annotated[
        float, Range(0, 1, help="γ, a step's size at first; it falls to 0", search=(0.003, 0.03), log=True)
    ] = 0.015
    regularization: Annotated[
        float, Range(0, help="λ, pulls factors and biases to 0", search=(0.02, 0.2), log=True)
    ] = 0.06
    n_epochs: Annotated[int, Range(1, 10_000, help="passes over the ratings", search=(10, 100), log=True)] = 30
    random_state: Annotated[int, Range(0, 2**32 - 1, help="seed of the first factors")] = 0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        from coterie.kernels.sgd import descend_users

        require_solvable(train, self.regularization, self.n_factors + 1)
        self.mean_, unit = train.mean, unit_of(*train.scale)
        self.unit_ = unit
        profiles, d = train.to_scipy(), self.n_factors
        random = np.random.default_rng(self.random_state)
        users, items = (first_factors(random, n, d) for n in (train.user_counts, train.item_counts))
        implicit = np.zeros_like(items)
        user_biases, item_biases = (np.zeros(n, np.float32) for n in train.shape)
        residuals = train.values - np.float32(self.mean_)
        residuals /= np.float32(unit)  # all that is learned is in units, up to the end
        arrays = {
            "users": users[:, :d], "implicit": implicit[:, :d], "items": items[:, :d],
            "user_biases": user_biases, "item_biases": item_biases,
        }  # fmt: skip
        counts = train.user_counts
        how_often = np.bincount(
            train.indices, np.repeat(counts, counts), train.n_items
        )  # a y_j is in |N(u)| steps a user

        def predict(user: Array, item: Array) -> Array:
            known, place = np.unique(user, return_inverse=True)
            people = users[known] + implicit_sums(profiles[known], implicit)
            dots: Array = pair_products(people, items, place, item)
            return unit * (dots + user_biases[user] + item_biases[item]) + np.float32(self.mean_)

        for epoch in self._sweeps(self.n_epochs, keep=arrays, predict=predict):
            rate = np.float32(self.learning_rate * (1 - epoch.number / self.n_epochs))
            squares = descend_users(
                train.indptr, train.indices, residuals, users, implicit, items, user_biases, item_biases,
                rate, np.float32(self.regularization),
            )  # fmt: skip
            penalties = (
                penalty(train.user_counts, users, user_biases)
                + penalty(train.item_counts, items, item_biases)
                + penalty(how_often, implicit, np.zeros_like(item_biases))
            )
            epoch.objective = unit**2 * (squares + self.regularization * penalties)
        self.item_factors_ = items[:, :d].copy()
        self.implicit_factors_, self.item_biases_ = unit * implicit[:, :d], unit * item_biases
        self.rated_ = train.item_counts > 0
        self.user_factors_, offsets = self._fold_in(profiles)
        self.user_offsets_ = np.asarray(offsets)

    # ---- people ------------------------------------------------------------------------------------

    @cached_property
    def _folding(self) -> LeastSquaresFoldIn:
        system = System(self.item_factors_, offsets=self.item_biases_ + np.float32(self.mean_))
        return LeastSquaresFoldIn(system, lambda counts: (self.regularization * counts).astype(np.float32))

    def _without_implicit(self, profiles: sp.csr_matrix) -> tuple[sp.csr_matrix, Array]:
        """Profiles with :math:`r_{ui} - q_i^T z_u` in place of the ratings, and the z_u, float32 (n, n_factors)."""
        sums = implicit_sums(profiles, self.implicit_factors_)
        left = profiles.data - pair_products(sums, self.item_factors_, entry_rows(profiles), profiles.indices)
        return type(profiles)((left, profiles.indices, profiles.indptr), shape=profiles.shape), sums

    def _fold_in(self, profiles: sp.csr_matrix) -> tuple[Array, Array | None]:
        left, sums = self._without_implicit(profiles)
        factors, biases = self._folding(left)
        return factors + sums, None if biases is None else biases + np.float32(self.mean_)

    def _contributions(self, profile: sp.csr_matrix, item: int) -> tuple[float, pl.DataFrame, str]:
        left, _ = self._without_implicit(profile)
        parts = self._folding.contributions(left, self.item_factors_[item])
        share = np.float64(1) / np.sqrt(max(1, profile.nnz))
        chosen = share * (self.implicit_factors_[profile.indices].astype(np.float64) @ self.item_factors_[item])
        parts = parts.with_columns(rating=profile.data, contribution=pl.col("contribution") + pl.Series(chosen))
        text = (
            f"What each of {len(parts)} ratings adds, by being there and by its value, on top of how the item is rated."
        )
        return self.mean_ + float(self.item_biases_[item]), parts, text

    # ---- taking in what is new ---------------------------------------------------------------------

    def _grow_items(self, n: int) -> None:
        super()._grow_items(n)
        self.implicit_factors_ = grown(self.implicit_factors_, n)


def implicit_sums(profiles: sp.csr_matrix, implicit: Array) -> Array:
    """:math:`z_u`, the implicit factors of each profile's items, summed and divided by the root of their number."""
    counts = np.diff(profiles.indptr)
    shares = np.repeat((1 / np.sqrt(np.maximum(counts, 1))).astype(np.float32), counts)
    weights = type(profiles)((shares, profiles.indices, profiles.indptr), shape=profiles.shape)
    return np.asarray(weights @ implicit)
