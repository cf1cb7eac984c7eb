"""User-based neighbourhood filtering: people like you rated it so."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions, Rows
from coterie.kernels.neighborhood import average_raters, nearest_raters
from coterie.kernels.parallel import run_blocks
from coterie.kernels.topk import top_k_row
from coterie.models.base import Recommender
from coterie.models.neighborhood import (
    AggregationParameter,
    NeighborhoodModel,
    contribution_frame,
    explain_alone,
    means_and_spreads,
    sums_of_products,
    zeros_and_ones,
)
from coterie.models.parameters import hyper_parameters
from coterie.models.profiles import entries_of, entry_rows
from coterie.models.weighting import TermWeights, weighted
from coterie.similarity import AgainstAll

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class UserKNN(NeighborhoodModel):
    r"""User-based neighbourhood filtering, in the module's four steps.

    1. Compute the similarity of the active user u to the other users,
    2. order the users by it,
    3. select as neighbourhood :math:`N_i(u)` the `n_neighbors` nearest *among those who rated item i*,
    4. predict from their ratings:

    .. math:: \hat r_{ui} = c_u + o_i + s_u \frac{\sum_{v \in N_i(u)} w_{uv} z_{vi}}{\sum_{v \in N_i(u)} |w_{uv}|},
              \qquad z_{vi} = \frac{r_{vi} - c_v - o_i}{s_v}

    with centre c, offset o, spread s and weight w by `aggregation` (see `Neighborhood`). Lists are ranked
    by :math:`s_{ui} = \sum_{v \in N(u)} w_{uv} r_{vi}` over one neighbourhood :math:`N(u)` for all items (with
    `normalize`, over :math:`\sum_{v \in N(u)} |w_{uv}|`), or, with ``ranking="rating"``, by :math:`\hat r_{ui}`.
    Similarities are computed when asked, for known users and strangers alike; nobody is their own neighbour. So
    little is learned that `update` learns it anew.

    Attributes
    ----------
    centers_, spreads_ : float32 (n_users,)
    offsets_ : float32 (n_items,)
    mean_, item_biases_ : the baseline that predicts where neighbours cannot

    References
    ----------
    P. Resnick et al., "GroupLens: an open architecture for collaborative filtering of netnews", CSCW 1994.
    J. Herlocker et al., "An algorithmic framework for performing collaborative filtering", SIGIR 1999.
    """

    name: ClassVar[str] = "user-knn"
    update_equals_refit = True
    _update = Recommender._refit
    aggregation: AggregationParameter = "baseline"

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self._fit_baseline(train)
        self.centers_, self.spreads_ = self._user_terms(train.to_scipy())
        self.offsets_ = np.zeros(train.n_items, np.float32)
        if self.aggregation == "baseline":
            self.offsets_ = np.float32(self.mean_) + self.item_biases_

    def _user_terms(self, profiles: sp.csr_matrix) -> tuple[Array, Array]:
        """Centre and spread of each profile; a known user's are those of their row."""
        n = profiles.shape[0]
        if self.aggregation in ("centered", "zscore"):
            means, spreads = means_and_spreads(entry_rows(profiles), profiles.data, n, self.mean_)
            return means, spreads if self.aggregation == "zscore" else np.ones(n, np.float32)
        if self.aggregation == "baseline":
            return self.baseline.user_biases(profiles), np.ones(n, np.float32)
        return zeros_and_ones(n)

    # ---- steps 1 and 2: similarity to everyone, in order -------------------------------------------

    @cached_property
    def _everyone(self) -> tuple[TermWeights, AgainstAll]:
        data = weighted(self.train_, self.weighting, "users")
        everyone = AgainstAll(data, self.measure, self.reading, "users", self.shrinkage)
        return TermWeights.of(self.train_, self.weighting, "users"), everyone

    def _to_everyone(self, columns: Array, ratings: Array, user: int | None) -> tuple[Array, Array, Array]:
        """Measure, closeness and weight (n_users,) of one profile with everyone but themselves."""
        weights, everyone = self._everyone
        values, shared = everyone.measure(columns, weights.apply(np.zeros(len(columns), np.int64), columns, ratings))
        values[shared < self.min_overlap] = np.nan
        if user is not None:
            values[user] = np.nan
        return values, *self._closeness(values)

    # ---- steps 3 and 4: neighbourhood and prediction -----------------------------------------------

    def _ratings(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        n, n_items = profiles.shape
        rows = np.repeat(np.arange(n), n_items)
        return self._predict(profiles, users, rows, np.tile(np.arange(n_items), n)).reshape(n, n_items)

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        centers, spreads = self._user_terms(profiles)
        starts = np.searchsorted(rows, np.arange(profiles.shape[0] + 1))
        averages = np.empty(len(rows), np.float32)

        def work(start: int, stop: int) -> None:
            for row in range(start, stop):
                pairs = slice(starts[row], starts[row + 1])
                self._average(profiles, row, None if users is None else int(users[row]), items[pairs], averages[pairs])

        self._everyone, self.train_.by_item  # noqa: B018 - made once, before the threads start
        run_blocks(work, profiles.shape[0], 8)
        predicted = centers[rows] + self.offsets_[items] + spreads[rows] * averages
        alone = np.isnan(averages)
        if alone.any():
            predicted[alone] = self.baseline._predict(profiles, users, rows[alone], items[alone])
        return predicted.astype(np.float32)

    def _average(self, profiles: sp.csr_matrix, row: int, user: int | None, items: Array, out: Array) -> None:
        columns, ratings = entries_of(profiles, row)
        _, closeness, weights = self._to_everyone(columns, ratings, user)
        average_raters(
            items, *self.train_.by_item, closeness, self._rating_weights(weights), self.centers_, self.spreads_,
            self.offsets_, self.n_neighbors, self.min_neighbors, out,
        )  # fmt: skip

    def _sums(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        import scipy.sparse as sp

        n, train = profiles.shape[0], self.train_.to_scipy()
        chosen: list[tuple[Array, Array]] = [(np.empty(0), np.empty(0))] * n

        def work(start: int, stop: int) -> None:
            for row in range(start, stop):
                near, weights, _ = self._neighborhood(profiles, row, None if users is None else int(users[row]))
                speaks = weights != 0
                chosen[row] = near[speaks], weights[speaks]

        self._everyone, self.train_.by_item  # noqa: B018 - made once, before the threads start
        run_blocks(work, n, 8)
        indptr = np.concatenate([[0], np.cumsum([len(near) for near, _ in chosen])])
        near = np.concatenate([np.empty(0, np.int64), *(near for near, _ in chosen)])
        weights = np.concatenate([np.empty(0), *(weights for _, weights in chosen)])
        neighbors = sp.csr_matrix((weights.astype(np.float32), near, indptr), shape=(n, train.shape[0]))
        return sums_of_products(neighbors, train)

    def _neighborhood(self, profiles: sp.csr_matrix, row: int, user: int | None) -> tuple[Array, Array, Array]:
        """The nearest users of a profile, nearest first: row numbers, weights in a sum, measures."""
        values, closeness, weights = self._to_everyone(*entries_of(profiles, row), user)
        near = top_k_row(closeness, self.n_neighbors)
        weights = weights[near]
        if self.normalize:
            weights = weights / max(np.abs(weights).sum(), 1e-30)
        return near, weights, values[near]

    # ---- looking inside ----------------------------------------------------------------------------

    def _explain_sum(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        near, weights, values = self._neighborhood(profile, 0, user)
        raters, ratings = self._raters(item)
        _, place, at = np.intersect1d(near, raters, assume_unique=True, return_indices=True)
        return self._explained(0.0, near[place], values[place], ratings[at], weights[place] * ratings[at])

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        values, closeness, weights = self._to_everyone(*entries_of(profile, 0), user)
        raters, ratings = self._raters(item)
        near, entries = np.empty(self.n_neighbors, np.float32), np.empty(self.n_neighbors, np.int64)
        entries = entries[: nearest_raters(raters, closeness, near, entries)]
        used, ratings = raters[entries], ratings[entries]
        weights = self._rating_weights(weights[used])
        total = np.abs(weights).sum()
        if len(used) < self.min_neighbors or not total > 0:
            return explain_alone(self.baseline, profile, item, "user_index", len(used))
        (center,), (spread,) = self._user_terms(profile)
        z = (ratings - self.centers_[used] - self.offsets_[item]) / self.spreads_[used]
        base = float(center + self.offsets_[item])
        return self._explained(base, used, values[used], ratings, spread * weights * z / total)

    def _raters(self, item: int) -> tuple[Array, Array]:
        """Who rated an item, and how."""
        by_item = self.train_.by_item
        entries = slice(by_item.indptr[item], by_item.indptr[item + 1])
        return by_item.indices[entries], by_item.values[entries]

    def _explained(
        self, base: float, used: Array, values: Array, ratings: Array, contributions: Array
    ) -> tuple[float, pl.DataFrame, str]:
        parts = contribution_frame("user_index", used, values, ratings, contributions)
        average = f", {ratings.mean():.1f} on average" if len(used) else ""
        return base, parts, f"{len(used)} of the nearest people rated it{average}."

    @cached_property
    def _every_item(self) -> tuple[Rows, AgainstAll]:
        data = weighted(self.train_, self.weighting, "items")
        return data.by_item, AgainstAll(data, self.measure, self.reading, "items", self.shrinkage)

    def _similarities(self, items: Array) -> Array:
        (indptr, users, ratings), every = self._every_item
        likeness = np.empty((len(items), self.train_.n_items), np.float32)
        for row, item in enumerate(items):
            entries = slice(indptr[item], indptr[item + 1])
            values, shared = every.measure(users[entries], ratings[entries])
            likeness[row] = np.where(shared >= self.min_overlap, self.measure.weights(values), np.nan)
        return likeness
