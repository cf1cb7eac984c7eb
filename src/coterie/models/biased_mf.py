"""Matrix factorisation of ratings with biases, by stochastic gradient descent."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.kernels.least_squares import System, padded_zeros
from coterie.models.factors import FactorModel, pair_products
from coterie.models.fold_in import LeastSquaresFoldIn, require_solvable
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.scale import unit_of

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class BiasedMF(FactorModel):
    r"""Factors and biases of users and items, learnt from one rating at a time.

    Minimises over the ratings that there are

    .. math:: \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2
              + \lambda \left(b_u^2 + b_i^2 + \|p_u\|^2 + \rho^2 \|q_i\|^2\right), \qquad
              \hat r_{ui} = \mu + b_u + b_i + p_u^\top q_i

    (Koren, Bell and Volinsky, equation 5) by a step for each rating, with :math:`e = r_{ui} - \hat r_{ui}`:

    .. math:: b_u \mathrel{+}= \gamma (e - \lambda b_u), \quad b_i \mathrel{+}= \gamma (e - \lambda b_i), \quad
              p_u \mathrel{+}= \gamma (e \, q_i - \lambda p_u), \quad
              q_i \mathrel{+}= \gamma (e \, p_u / \rho^2 - \lambda q_i)

    The unit :math:`\rho` says how many five-star scales wide the ratings are, as a power of two (`unit_`: 1 from 1 to
    5, 2 from 1 to 10, 32 from 0 to 100). Biases and :math:`p_u` are in ratings, :math:`q_i` is in no unit, so
    :math:`\gamma` and :math:`\lambda` mean the same on every scale.

    The learning rate :math:`\gamma` falls in a straight line, from `learning_rate` in the first epoch by
    1 / `n_epochs` of it each. Ratings are taken in cells of users and items that have nothing in common, in an order
    drawn for each epoch (Gemulla et al.), so that threads never meet and the result does not depend on them. Factors
    start as :math:`N(0, (0.1 \rho)^2)` for users and :math:`N(0, 0.1^2)` for items, biases as 0.

    After the last epoch each user's :math:`(p_u, b_u)` are set to the exact minimum given the items. That is how
    strangers are folded in as well, and why `explain` can say what each rating of a profile adds to a prediction.
    `update` folds in changed and new users; new items have no factors before the next fit.

    Attributes
    ----------
    mean_ : float
        :math:`\mu`.
    unit_ : float
        :math:`\rho`.
    item_factors_ : float32 (n_items, n_factors)
    user_factors_ : float32 (n_users, n_factors)
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
    Y. Koren, R. Bell and C. Volinsky, "Matrix factorization techniques for recommender systems", Computer 42(8), 2009.
    R. Gemulla, E. Nijkamp, P. Haas and Y. Sismanis, "Large-scale matrix factorization with distributed stochastic
    gradient descent", KDD 2011.
    """

    name: ClassVar[str] = "biased-mf"
    predicts_ratings = True
    learns_in_sweeps = True
    n_factors: Annotated[int, Range(1, 4096, help="factors of each user and item", search=(8, 128), log=True)] = 64
    learning_rate: Annotated[
        float, Range(0, 1, help="γ, a step's size at first; it falls to 0", search=(0.005, 0.05), log=True)
    ] = 0.02
    regularization: Annotated[
        float, Range(0, help="λ, pulls factors and biases to 0", search=(0.02, 0.2), log=True)
    ] = 0.07
    n_epochs: Annotated[int, Range(1, 10_000, help="passes over the ratings", search=(10, 100), log=True)] = 30
    random_state: Annotated[int, Range(0, 2**32 - 1, help="seed of the first factors and of the order")] = 0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        from coterie.kernels.sgd import cut_into_cells, descend_cell, run_epoch

        require_solvable(train, self.regularization, self.n_factors + 1)
        self.mean_, unit = train.mean, unit_of(*train.scale)
        self.unit_ = unit
        random = np.random.default_rng(self.random_state)
        users, items = (first_factors(random, n, self.n_factors) for n in (train.user_counts, train.item_counts))
        user_biases, item_biases = (np.zeros(n, np.float32) for n in train.shape)
        residuals = train.values - np.float32(self.mean_)
        residuals /= np.float32(unit)  # all that is learned is in units, up to the end
        cells = cut_into_cells(train.indptr, train.indices, residuals, train.n_items, random)
        d = self.n_factors
        arrays = {
            "users": users[:, :d], "items": items[:, :d], "user_biases": user_biases, "item_biases": item_biases
        }  # fmt: skip
        regularization = np.float32(self.regularization)

        def predict(user: Array, item: Array) -> Array:
            dots = pair_products(users, items, user, item)
            return unit * (dots + user_biases[user] + item_biases[item]) + np.float32(self.mean_)

        for epoch in self._sweeps(self.n_epochs, keep=arrays, predict=predict):
            rate = np.float32(self.learning_rate * (1 - epoch.number / self.n_epochs))

            def work(first: int, last: int, block: int, _: int, rate: np.float32 = rate) -> float:
                return descend_cell(
                    first, last, block, cells.starts, cells.items, cells.values,
                    users, items, user_biases, item_biases, rate, regularization,
                )  # fmt: skip

            squares = run_epoch(cells, epoch.generator, work)
            penalties = penalty(train.user_counts, users, user_biases) + penalty(train.item_counts, items, item_biases)
            epoch.objective = unit**2 * (squares + self.regularization * penalties)
        self.item_factors_ = items[:, :d].copy()
        self.item_biases_ = unit * item_biases
        self.rated_ = train.item_counts > 0
        self.user_factors_, offsets = self._fold_in(train.to_scipy())
        self.user_offsets_ = np.asarray(offsets)

    # ---- people ------------------------------------------------------------------------------------

    @cached_property
    def _folding(self) -> LeastSquaresFoldIn:
        system = System(self.item_factors_, offsets=self.item_biases_ + np.float32(self.mean_))
        return LeastSquaresFoldIn(system, lambda counts: (self.regularization * counts).astype(np.float32))

    def _fold_in(self, profiles: sp.csr_matrix) -> tuple[Array, Array | None]:
        factors, biases = self._folding(profiles)
        return factors, None if biases is None else biases + np.float32(self.mean_)

    def _contributions(self, profile: sp.csr_matrix, item: int) -> tuple[float, pl.DataFrame, str]:
        parts = self._folding.contributions(profile, self.item_factors_[item])
        text = f"What each of {len(parts)} ratings adds, on top of how the item is rated, given the items' factors."
        return self.mean_ + float(self.item_biases_[item]), parts, text


def first_factors(random: np.random.Generator, counts: Array, n_factors: int) -> Array:
    """Small random factors (n, whole vectors) of rows with so many ratings.

    What pads them is zero, and so are rows without ratings: nothing is known of these, and descent leaves both so.
    """
    factors = padded_zeros(len(counts), n_factors)
    factors[:, :n_factors] = np.float32(0.1) * random.standard_normal((len(counts), n_factors), np.float32)
    factors[counts == 0] = 0
    return factors


def penalty(counts: Array, factors: Array, biases: Array) -> float:
    """Squared factors and biases, each row as often as it has ratings."""
    squares = np.einsum("ij,ij->i", factors, factors, dtype=np.float64) + np.square(biases, dtype=np.float64)
    return float(squares @ counts)
