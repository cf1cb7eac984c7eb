"""ItemNeighborhood: lists of the items nearest to each item, however they were found, and all that follows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import polars as pl

from coterie.data.interactions import Interactions
from coterie.kernels.parallel import run_blocks
from coterie.models.neighborhood import (
    Neighborhood,
    contribution_frame,
    explain_alone,
    means_and_spreads,
    sums_of_products,
    zeros_and_ones,
)
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.profiles import FEW_ROWS, entries_of

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class ItemNeighborhood(Neighborhood):
    """A model that scores and predicts an item from what a person rated of the items nearest to it.

    A subclass writes `_fit`, which calls `_fit_ratings`, finds the lists, and hands them to `_fit_lists`. The formulas
    are those of `ItemKNN`, which also says what is learned.
    """

    model_size: Annotated[
        int,
        Range(
            1,
            100_000,
            help="similar items kept per item; ratings look for neighbours among them",
            search=(50, 1000),
            bears_on="ratings",
        ),
    ] = 500

    # ---- fitting -----------------------------------------------------------------------------------

    @property
    def _list_size(self) -> int:
        """Neighbours that are kept of each item."""
        return max(self.model_size, self.n_neighbors)

    def _fit_ratings(self, train: Interactions) -> None:
        """What is learned beside the lists: the baseline, centres and spreads."""
        self._fit_baseline(train)
        self.centers_, self.spreads_ = zeros_and_ones(train.n_items)
        if self.aggregation in ("centered", "zscore"):
            means, spreads = means_and_spreads(train.indices, train.values, train.n_items, self.mean_)
            self.centers_, self.spreads_ = means, spreads if self.aggregation == "zscore" else self.spreads_
        elif self.aggregation == "baseline":
            self.centers_ = self.item_biases_

    def _fit_lists(self, neighbors: Array, similarities: Array) -> None:
        """The lists, and the lists turned round, by the items that stand in them: so a profile finds its targets
        without a search."""
        import scipy.sparse as sp

        self.neighbors_, self.similarities_ = neighbors, similarities
        usable = self._closeness(self.similarities_)[0] > -np.inf
        shape = (len(usable), len(usable))
        positions = np.flatnonzero(usable)
        if usable.size <= np.iinfo(np.int32).max:
            positions = positions.astype(np.int32)
        starts = np.concatenate([[0], np.cumsum(usable.sum(axis=1))])
        by_neighbor = sp.csr_matrix((positions, self.neighbors_[usable], starts), shape=shape).tocsc()
        self.listed_starts_, self.listed_ = by_neighbor.indptr.astype(np.int64), by_neighbor.data
        self.listed_similarities_ = self.similarities_.ravel()[self.listed_]
        weights = self._list_weights(slice(None))
        rows, places = np.nonzero(weights)
        said = weights[rows, places].astype(np.float32)
        self.sum_weights_ = sp.csr_matrix((said, (self.neighbors_[rows, places], rows)), shape=shape)

    # ---- scores and ratings ------------------------------------------------------------------------

    def _user_offsets(self, profiles: sp.csr_matrix) -> Array:
        """What of a rating is the user's: float32 (n,)."""
        if self.aggregation != "baseline":
            return np.zeros(profiles.shape[0], np.float32)
        return np.float32(self.mean_) + self.baseline.user_biases(profiles)

    def _sums(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return sums_of_products(profiles, self.sum_weights_)

    def _ratings(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        offsets = self._user_offsets(profiles)
        averages = np.empty(profiles.shape, np.float32)

        def work(start: int, stop: int) -> None:
            for row in range(start, stop):
                averages[row] = self._averages(*entries_of(profiles, row), offsets[row])

        if len(averages) <= FEW_ROWS:
            work(0, len(averages))
        else:
            run_blocks(work, len(averages), 8)
        scores = self.centers_ + offsets[:, None] + self.spreads_ * averages
        alone = np.isnan(averages)
        if alone.any():
            scores = np.where(alone, self.baseline._score(profiles, users), scores)
        return scores.astype(np.float32)

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        if profiles.shape[0] <= FEW_ROWS:
            return self._ratings(profiles, users)[rows, items]
        from coterie.kernels.neighborhood import average_rated

        offsets, weights = self._user_offsets(profiles), self._list_rating_weights
        starts = np.searchsorted(rows, np.arange(profiles.shape[0] + 1))
        averages = np.empty(len(rows), np.float32)

        def work(start: int, stop: int) -> None:
            z = np.full(profiles.shape[1], np.nan, np.float32)
            for row in range(start, stop):
                columns, ratings = entries_of(profiles, row)
                z[columns] = self._centered(columns, ratings, offsets[row])
                pairs = slice(starts[row], starts[row + 1])
                average_rated(
                    items[pairs], self.neighbors_, weights, z, self.n_neighbors, self.min_neighbors, averages[pairs]
                )
                z[columns] = np.nan

        run_blocks(work, profiles.shape[0], 64)
        predicted = self.centers_[items] + offsets[rows] + self.spreads_[items] * averages
        alone = np.isnan(averages)
        if alone.any():
            predicted[alone] = self.baseline._predict(profiles, users, rows[alone], items[alone])
        return predicted.astype(np.float32)

    def _averages(self, columns: Array, ratings: Array, offset: float) -> Array:
        """Weighted means of one profile's centred ratings, float32 (n_items,); NaN where too few were rated."""
        n, entries = len(self.centers_), [slice(*self.listed_starts_[c : c + 2]) for c in columns]
        positions = np.concatenate([self.listed_[:0], *(self.listed_[e] for e in entries)])
        values = np.concatenate([self.listed_similarities_[:0], *(self.listed_similarities_[e] for e in entries)])
        z = np.repeat(self._centered(columns, ratings, offset), [e.stop - e.start for e in entries])
        targets = positions // self.neighbors_.shape[1]
        weights = self._rating_weights(self.measure.weights(values).astype(np.float64))
        counts = np.bincount(targets, minlength=n)
        # where more than n_neighbors were rated, only the nearest count
        crowded = np.flatnonzero(counts[targets] > self.n_neighbors)
        crowded = crowded[np.argsort(positions[crowded])]
        owners = targets[crowded]
        weights[crowded[self.n_neighbors :][owners[self.n_neighbors :] == owners[: -self.n_neighbors]]] = 0.0
        total, weight = np.bincount(targets, weights * z, n), np.bincount(targets, np.abs(weights), n)
        enough = (np.minimum(counts, self.n_neighbors) >= self.min_neighbors) & (weight > 0)
        averages = np.full(n, np.nan, np.float32)
        averages[enough] = total[enough] / weight[enough]
        return averages

    def _centered(self, columns: Array, ratings: Array, offset: float) -> Array:
        """The ratings z of the formula."""
        return (ratings - self.centers_[columns] - offset) / self.spreads_[columns]

    @cached_property
    def _list_rating_weights(self) -> Array:
        """Weights in an average of all list entries, float32 (n_items, size); 0 where one must not be used."""
        weights: Array = self._rating_weights(self._closeness(self.similarities_)[1]).astype(np.float32)
        return weights

    def _list_weights(self, items: Array | slice) -> Array:
        """Weights in a sum of the first `n_neighbors` entries of lists, (n, n_neighbors)."""
        weights = self._closeness(self.similarities_[items, : self.n_neighbors])[1]
        total = np.abs(weights).sum(axis=1, keepdims=True) if self.normalize else 1.0
        return np.asarray(weights / np.maximum(total, 1e-30))

    # ---- looking inside ----------------------------------------------------------------------------

    def _explain_sum(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        weights = self._list_weights(np.array([item]))[0]
        places, ratings = self._rated_places(profile, item, weights)
        parts = contribution_frame(
            "item_index", self.neighbors_[item][places], self.similarities_[item][places], ratings,
            weights[places] * ratings,
        )  # fmt: skip
        return 0.0, parts, f"{len(places)} of the items this person rated are among its {self.n_neighbors} nearest."

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        weights = self._closeness(self.similarities_[item])[1]
        places, ratings = self._rated_places(profile, item, weights)
        said = self._rating_weights(weights[places])
        columns = self.neighbors_[item][places]
        if len(places) < self.min_neighbors or not np.abs(said).sum() > 0:
            return explain_alone(self.baseline, profile, item, "item_index", len(places))
        offset = self._user_offsets(profile)[0]
        contributions = self.spreads_[item] * said * self._centered(columns, ratings, offset) / np.abs(said).sum()
        parts = contribution_frame("item_index", columns, self.similarities_[item][places], ratings, contributions)
        summary = f"This person rated {len(columns)} of the items nearest to it, {ratings.mean():.1f} on average."
        return float(self.centers_[item] + offset), parts, summary

    def _rated_places(self, profile: sp.csr_matrix, item: int, weights: Array) -> tuple[Array, Array]:
        """Places in the item's list, at most `n_neighbors`, that count and that the profile rated; their ratings."""
        listed = self.neighbors_[item][: len(weights)]
        places = np.flatnonzero(np.isin(listed, profile.indices) & (weights != 0))[: self.n_neighbors]
        return places, profile.data[np.searchsorted(profile.indices, listed[places])]

    def _similarities(self, items: Array) -> Array:
        scores = np.full((len(items), len(self.neighbors_)), np.nan, np.float32)
        for row, item in enumerate(items):
            known = self.neighbors_[item] >= 0
            scores[row, self.neighbors_[item][known]] = self.measure.weights(self.similarities_[item][known])
        return scores
