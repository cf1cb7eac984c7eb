"""Matrix factorisation of ratings by alternating least squares."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Axis, Interactions, Rows
from coterie.errors import ParameterError
from coterie.kernels.least_squares import Progress, System, half_sweep, pad_system, solve_rows
from coterie.models.content_maps import ALL, content_of
from coterie.models.content_prior import ContentPrior, residuals
from coterie.models.factors import FactorModel, SolveItems, known_products, pair_products
from coterie.models.fold_in import LeastSquaresFoldIn
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.scale import unit_of

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class ALS(FactorModel):
    r"""Factors of users and items whose products are the ratings, by alternating least squares.

    Minimises over the ratings that there are

    .. math:: \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2 + \lambda \sum_u n_u \left(\|p_u\|^2 + b_u^2\right)
              + \lambda \sum_i n_i \left(\rho^2 \|q_i\|^2 + b_i^2\right), \qquad
              \hat r_{ui} = \mu + b_u + b_i + p_u^\top q_i

    with :math:`n_u, n_i` the numbers of ratings (`count_weighted`; Zhou et al., equation 2), or 1 for the plain
    :math:`\lambda \|\cdot\|^2`. Without `biases`, :math:`\hat r_{ui} = p_u^\top q_i`. The unit :math:`\rho` says how
    many five-star scales wide the ratings are, as a power of two (`unit_`: 1 from 1 to 5, 2 from 1 to 10, 32 from 0 to
    100). Biases and :math:`p_u` are in ratings, :math:`q_i` is in no unit, so :math:`\lambda` and :math:`\sigma` mean
    the same on every scale. With the users fixed, each item's factors are the solution of a small least-squares problem
    of its own, and the other way round:

    .. math:: p_u = \Big(\sum_{i \in I_u} q_i q_i^\top + \lambda n_u I\Big)^{-1} \sum_{i \in I_u} r_{ui} q_i

    (Zhou et al., section 3.1; with biases, :math:`(p_u, b_u)` jointly against :math:`(q_i, 1)` and
    :math:`r_{ui} - \mu - b_i`). A sweep solves all items, then all users; each solution is exact, so the objective
    never rises. The last step gives the users, so a stranger's factors follow from their profile by the same formula,
    and `explain` takes a rating apart into what each rating of the profile adds to it.

    Item factors start as :math:`N(0, (\sigma / \sqrt d)^2)`. Small ones grow from sweep to sweep, those first that
    explain most, so that few sweeps from a small start are a regularisation of their own.

    **With `features`** :math:`f_i` of items (from genres, tags, the genome or years; see `content_of`) an item's
    factors are not pulled to 0 but to what its features say. The last term of the objective becomes

    .. math:: \lambda \sum_i n_i \left(\rho^2 \|q_i - W^\top f_i\|^2 + (b_i - w^\top f_i)^2\right)
              + \lambda_f \left(\rho^2 \|W\|^2 + \|w\|^2\right)

    (the regression-based latent factor model of Agarwal and Chen, section 2, for items, with point estimates). An item
    that many rated is what its ratings say; one that nobody has rated gets :math:`q_i = W^\top f_i` and
    :math:`b_i = w^\top f_i`, and so has scores, ratings and explanations as any other. A sweep then solves for the
    items' deviations :math:`q_i - W^\top f_i` from the residuals :math:`r_{ui} - p_u^\top W^\top f_i`, for W and w by
    one ridge regression of the factors on the features, and for the users. Each is exact as before.

    `update` folds in changed and new users, and solves the items that changed or are new once against the users; it
    is not a refit, which would let all others move too. With `features` W and w are also solved anew, before that.

    Attributes
    ----------
    mean_ : float
        :math:`\mu`; only with `biases`.
    unit_ : float
        :math:`\rho`.
    item_factors_ : float32 (n_items, n_factors)
    user_factors_ : float32 (n_users, n_factors)
    item_biases_ : float32 (n_items,)
    user_offsets_ : float32 (n_users,)
        :math:`b_i`, and :math:`\mu + b_u`; only with `biases`.
    rated_ : bool (n_items,)
        Which items have ratings or, with `features`, any that say something; only with `biases`.
    feature_factors_ : float64 (n_features, n_factors)
        W; with `biases` a last column has w. Only with `features`.
    feature_names_ : tuple of str
        What the rows of W are about; only with `features`.
    objective_ : float64 (n_iterations,)
        The objective after each sweep.
    held_out_rmse_ : float64 (n_iterations,)
        Where `fit` was given `validation`.

    Raises
    ------
    DivergenceError
        Without regularization, somebody has fewer ratings than there are unknowns.
    DataError
        The catalog does not have the features that are asked for.

    References
    ----------
    Y. Zhou, D. Wilkinson, R. Schreiber and R. Pan, "Large-scale parallel collaborative filtering for the Netflix
    Prize", AAIM 2008.
    Y. Koren, R. Bell and C. Volinsky, "Matrix factorization techniques for recommender systems", Computer 42(8), 2009.
    D. Agarwal and B.-C. Chen, "Regression-based latent factor models", KDD 2009.
    """

    name: ClassVar[str] = "als"
    predicts_ratings = True
    learns_in_sweeps = True
    n_factors: Annotated[int, Range(1, 4096, help="factors of each user and item", search=(8, 128), log=True)] = 32
    regularization: Annotated[float, Range(0, help="λ, pulls factors to 0", search=(1e-3, 1), log=True)] = 0.08
    count_weighted: Annotated[
        bool, Range(help="λ counts once for every rating (Zhou et al.), not once a row", search=False)
    ] = True
    biases: Annotated[bool, Range(help="also a mean, and a bias for each user and item")] = True
    init_scale: Annotated[
        float,
        Range(
            1e-9,
            10,
            help="σ, spread of the first factors; small ones grow slowly, best ones first",
            search=(1e-3, 1),
            log=True,
        ),
    ] = 0.01
    n_iterations: Annotated[int, Range(1, 10_000, help="sweeps over items and users", search=(5, 40))] = 15
    random_state: Annotated[int, Range(0, 2**32 - 1, help="seed of the first factors")] = 0
    features: Annotated[
        str | None, Range(help="what pulls items' factors: genres, tags, genome, years, joined by +; or all")
    ] = None
    feature_regularization: Annotated[float, Range(1e-9, help="λ_f, pulls what a feature says to 0")] = 30.0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        d, width = self.n_factors, self.n_factors + self.biases
        users, items = np.zeros((train.n_users, width), np.float32), np.zeros((train.n_items, width), np.float32)
        unit = self.unit_ = unit_of(*train.scale)
        mean = train.mean / unit if self.biases else 0.0  # all that is learned is in units, up to the end
        start = np.random.default_rng(self.random_state).standard_normal((train.n_items, d), np.float32)
        items[:, :d] = start * np.float32(self.init_scale / np.sqrt(d))
        prior, unrated = None if self.features is None else self._prior(train, catalog), train.item_counts == 0
        self._solve(train, "users", items, mean, users)

        def predict(user: Array, item: Array) -> Array:
            if not self.biases:
                return unit * known_products(users, items, user, item, train.mean / unit)
            biases: Array = mean + users[user, d] + items[item, d]
            return unit * (pair_products(users[:, :d], items[:, :d], user, item) + biases)

        keep = {"users": users, "items": items} | ({} if prior is None else {"features": prior.weights})
        for sweep in self._sweeps(self.n_iterations, keep=keep, predict=predict):
            self._solve(train, "items", users, mean, items, None if prior is None else prior.expected)
            if prior is not None:
                prior.learn(items)
                items[unrated] = prior.expected[unrated]
            done = self._solve(train, "users", items, mean, users)
            deviations = items if prior is None else items - prior.expected
            penalty = np.einsum("ij,ij,i->", deviations, deviations, self._ridge(train.item_counts), dtype=np.float64)
            value = done.squares - done.gain + float(penalty) + (0.0 if prior is None else prior.penalty)
            sweep.objective = unit**2 * value
        if prior is not None:
            self._keep(prior)
        self.user_factors_, self.item_factors_ = unit * users[:, :d], items[:, :d].copy()
        if self.biases:
            self.mean_ = unit * mean
            self.user_offsets_, self.item_biases_ = unit * (users[:, d] + np.float32(mean)), unit * items[:, d]
        self._tell_rated(train)

    def _solve(
        self, train: Interactions, axis: Axis, others: Array, mean: float, out: Array, expected: Array | None = None
    ) -> Progress:
        """Solve one side, given the other, pulled to what is `expected` of it or to 0, all in units."""
        factors = others[:, : self.n_factors]
        offsets = others[:, self.n_factors] + np.float32(mean) if self.biases else None
        rows = train.rows(axis)
        if expected is not None:
            rows = rows._replace(values=residuals(rows, self.unit_ * expected, factors))
        ridge = self._ridge(np.diff(rows.indptr))
        system = System(factors, target=(0.0, 1 / self.unit_), offsets=offsets, bias=self.biases)
        done = half_sweep(pad_system(system), *rows, ridge, out, who=train.vocabulary(axis).name)
        if expected is not None:
            out += expected
        return done

    def _ridge(self, counts: Array) -> Array:
        scale = counts if self.count_weighted else np.ones(len(counts))
        return (self.regularization * scale).astype(np.float32)

    @property
    def needs_catalog(self) -> bool:  # type: ignore[override]
        """Whether features are asked for."""
        return self.features is not None

    # ---- what items are about ----------------------------------------------------------------------

    def _prior(self, train: Interactions, catalog: Catalog | None) -> ContentPrior:
        if self.regularization == 0:
            raise ParameterError(
                "ALS: features take a regularization above 0, for that is how items are pulled to them"
            )
        features = content_of(train, catalog, self.features or ALL, "ALS")
        pulls = np.where(train.item_counts > 0, self._ridge(train.item_counts), np.float32(0))
        return ContentPrior(features, pulls, self.feature_regularization, self.n_factors + self.biases)

    def _keep(self, prior: ContentPrior) -> None:
        self.feature_factors_, self.feature_names_ = prior.weights.copy(), prior.names
        if self.biases:
            self.feature_factors_[:, self.n_factors] *= self.unit_

    # ---- people ------------------------------------------------------------------------------------

    @cached_property
    def _folding(self) -> LeastSquaresFoldIn:
        offsets = self.item_biases_ + np.float32(self.mean_) if self.biases else None
        return LeastSquaresFoldIn(System(self.item_factors_, offsets=offsets), self._ridge)

    def _fold_in(self, profiles: sp.csr_matrix) -> tuple[Array, Array | None]:
        factors, biases = self._folding(profiles)
        return factors, None if biases is None else biases + np.float32(self.mean_)

    def _contributions(self, profile: sp.csr_matrix, item: int) -> tuple[float, pl.DataFrame, str]:
        parts = self._folding.contributions(profile, self.item_factors_[item])
        base = self.mean_ + float(self.item_biases_[item]) if self.biases else 0.0
        about = "on top of how the item is rated" if self.biases else "in all"
        return base, parts, f"What each of {len(parts)} ratings adds, {about}, by the equations that gave the factors."

    # ---- taking in what is new ---------------------------------------------------------------------

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        solve = self._solve_items if self.features is None else self._solve_with_features(merged)
        self._update_both(merged, changed_users, changed_items, solve)
        self._tell_rated(merged)

    def _solve_with_features(self, merged: Interactions) -> SolveItems:
        prior = self._prior(merged.select(merged.indices < self.train_.n_items, keep_vocabularies=True), self.catalog_)

        def solve(items: Array, raters: sp.csc_matrix, who: Callable[[int], str]) -> None:
            prior.learn(self._items())
            self._keep(prior)
            expected, unrated = prior.expected, merged.item_counts == 0
            self._set_items(unrated, expected[unrated])
            self._solve_items(items, raters, who, expected[items])

        return solve

    def _solve_items(
        self, items: Array, raters: sp.csc_matrix, who: Callable[[int], str], expected: Array | None = None
    ) -> None:
        users, offsets = self.user_factors_ / self.unit_, None
        if self.biases:
            offsets = self.user_offsets_ / self.unit_
        rows = Rows(raters.indptr, raters.indices, raters.data)
        if expected is not None:
            rows = rows._replace(values=residuals(rows, self.unit_ * expected, users))
        system = System(users, target=(0.0, 1 / self.unit_), offsets=offsets, bias=self.biases)
        solved = solve_rows(system, *rows, self._ridge(np.diff(rows.indptr)), who)
        self._set_items(items, solved if expected is None else solved + expected)

    def _tell_rated(self, train: Interactions) -> None:
        """With biases an item has a score though its factors may all be 0."""
        if self.biases:
            self.rated_ = (train.item_counts > 0) | self._items().any(axis=1)

    def _items(self) -> Array:
        """Factors and, as a last column, biases of items, in units."""
        biases = [self.item_biases_ / self.unit_] if self.biases else []
        return np.column_stack([self.item_factors_, *biases])

    def _set_items(self, items: Array, values: Array) -> None:
        self.item_factors_[items] = values[:, : self.n_factors]
        if self.biases:
            self.item_biases_[items] = self.unit_ * values[:, self.n_factors]
