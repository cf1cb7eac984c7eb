"""Item-based neighbourhood filtering: you rated what is like it so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.models.neighborhood import (
    NeighborhoodModel,
    contribution_frame,
    dense_scores,
    explain_alone,
    means_and_spreads,
    zeros_and_ones,
)
from coterie.models.parameters import Range
from coterie.models.weighting import weighted
from coterie.similarity import neighbors

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


class Neighborhoods(NamedTuple):
    """Pairs of a target item and one of its nearest rated items, each array (n_pairs,)."""

    target: Array
    rated: Array
    value: Array  # of the measure
    rating: Array
    weight: Array
    z: Array  # the rating less its centre and over its spread


@dataclass(eq=False)
class ItemKNN(NeighborhoodModel):
    r"""Item-based neighbourhood filtering, in the module's four steps.

    1. Compute the similarity of item i to the other items,
    2. order the items by it; the first `model_size` of each item are kept,
    3. select as neighbourhood :math:`N_u(i)` the `n_neighbors` nearest *among those that user u rated*,
    4. predict from the user's own ratings of them:

    .. math:: \hat r_{ui} = c_i + o_u + s_i \frac{\sum_{j \in N_u(i)} w_{ij} z_{uj}}{\sum_{j \in N_u(i)} |w_{ij}|},
              \qquad z_{uj} = \frac{r_{uj} - c_j - o_u}{s_j}

    with centre c, offset o, spread s and weight w by `aggregation` (see `NeighborhoodModel`). Averaging over
    *all* similar items, rated or not, would count every unrated one as a rating of zero and predict far too
    low; taking the mean over what was rated, weighted by similarity, is the default. For ranking,
    ``aggregation="sum"`` scores :math:`s_{ui} = \sum_{j \in N(i) \cap I_u} w_{ij} r_{uj}` over each item's
    `n_neighbors` nearest items :math:`N(i)` (with `normalize`, over :math:`\sum_{j \in N(i)} |w_{ij}|`).

    Attributes
    ----------
    neighbors_ : int32 (n_items, model_size)
        Each item's nearest items, nearest first; -1 where there are fewer.
    similarities_ : float32 (n_items, model_size)
        The measure's values.
    centers_, spreads_ : float32 (n_items,)
    mean_, item_biases_ : the baseline that predicts where neighbours cannot

    References
    ----------
    B. Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001.
    M. Deshpande and G. Karypis, "Item-based top-N recommendation algorithms", ACM TOIS 22(1), 2004.
    """

    name: ClassVar[str] = "item-knn"
    model_size: Annotated[int, Range(1, 100_000, help="similar items kept per item (ratings)", search=(50, 1000))] = 500

    # ---- steps 1 and 2: similarity to the other items, in order ------------------------------------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        vars(self).pop("_lists", None)
        self._fit_baseline(train)
        kept = max(self.model_size, self.n_neighbors) if self.predicts_ratings else self.n_neighbors
        found = neighbors(
            weighted(train, self.weighting, "items"), self.measure, kept, "items",
            self.reading, self.shrinkage, self.min_overlap, self.absolute,
        )  # fmt: skip
        self.neighbors_, self.similarities_ = found.indices, found.values
        self.centers_, self.spreads_ = zeros_and_ones(train.n_items)
        if self.aggregation in ("centered", "zscore"):
            means, spreads = means_and_spreads(train.indices, train.values, train.n_items, self.mean_)
            self.centers_, self.spreads_ = means, spreads if self.aggregation == "zscore" else self.spreads_
        elif self.aggregation == "baseline":
            self.centers_ = self.item_biases_

    @cached_property
    def _lists(self) -> tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix]:
        """(rated item j, item i) matrices of what i's list says about j: weight, closeness, measure."""
        import scipy.sparse as sp

        n = len(self.neighbors_)
        closeness, weights = self._closeness(self.similarities_)
        if self.normalize:
            weights = weights / np.maximum(np.abs(weights).sum(axis=1, keepdims=True), 1e-30)
        usable = closeness > -np.inf
        item, neighbor = np.nonzero(usable)[0], self.neighbors_[usable]

        def by_neighbor(values: Array) -> sp.csr_matrix:
            matrix = sp.csr_matrix((values[usable].astype(np.float32), (neighbor, item)), shape=(n, n))
            matrix.sort_indices()
            return matrix

        return by_neighbor(weights), by_neighbor(closeness), by_neighbor(self.similarities_)

    # ---- steps 3 and 4: neighbourhood and prediction -----------------------------------------------

    def _user_offsets(self, profiles: sp.csr_matrix) -> Array:
        """What of a rating is the user's: float32 (n,)."""
        if self.aggregation != "baseline":
            return np.zeros(profiles.shape[0], np.float32)
        return np.float32(self.mean_) + self.baseline.user_biases(profiles)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        if self.aggregation == "sum":
            return dense_scores(profiles @ self._lists[0])
        offsets = self._user_offsets(profiles)
        averages = np.empty(profiles.shape, np.float32)
        for row in range(len(averages)):
            averages[row] = self._average(self._neighborhoods(profiles, row, offsets[row]))
        scores = self.centers_ + offsets[:, None] + self.spreads_ * averages
        alone = np.isnan(averages)
        if alone.any():
            scores = np.where(alone, self.baseline._score(profiles, users), scores)
        return np.asarray(scores, np.float32)

    def _neighborhoods(self, profiles: sp.csr_matrix, row: int, offset: float) -> Neighborhoods:
        """The neighbourhoods of all items among what one profile rated."""
        entries = slice(profiles.indptr[row], profiles.indptr[row + 1])
        columns, ratings = profiles.indices[entries], profiles.data[entries]
        weights, closeness, values = self._lists
        counts = np.diff(weights.indptr)[columns]
        source = np.repeat(np.arange(len(columns)), counts)
        first = np.cumsum(counts) - counts  # where each rated item's pairs begin
        at = weights.indptr[columns][source] + np.arange(len(source)) - first[source]
        target = weights.indices[at]
        crowded = np.bincount(target, minlength=profiles.shape[1]) > self.n_neighbors
        if crowded.any():
            keep = self._nearest(target, closeness.data[at], crowded)
            source, at, target = source[keep], at[keep], target[keep]
        z = (ratings - self.centers_[columns] - offset) / self.spreads_[columns]
        return Neighborhoods(target, columns[source], values.data[at], ratings[source], weights.data[at], z[source])

    def _nearest(self, target: Array, closeness: Array, crowded: Array) -> Array:
        """Places of the `n_neighbors` closest entries of each target, in their order."""
        keep = ~crowded[target]
        places = np.flatnonzero(~keep)
        places = places[np.lexsort((-closeness[places], target[places]))]
        sizes = np.bincount(target[places], minlength=len(crowded))
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        rank = np.arange(len(places)) - first[target[places]]
        keep[places[rank < self.n_neighbors]] = True
        return np.flatnonzero(keep)

    def _average(self, pairs: Neighborhoods) -> Array:
        """Weighted means of z by target, float32 (n_items,); NaN where too few neighbours were rated."""
        n = len(self.centers_)
        total = np.bincount(pairs.target, pairs.weight * pairs.z, n)
        weight = np.bincount(pairs.target, np.abs(pairs.weight), n)
        enough = (np.bincount(pairs.target, minlength=n) >= self.min_neighbors) & (weight > 0)
        averages: Array = np.divide(total, weight, out=np.full(n, np.nan), where=enough).astype(np.float32)
        return averages

    # ---- looking inside ----------------------------------------------------------------------------

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        if self.aggregation == "sum":
            return self._explain_sum(profile, item)
        offset = self._user_offsets(profile)[0]
        pairs = self._neighborhoods(profile, 0, offset)
        pairs = Neighborhoods(*(field[pairs.target == item] for field in pairs))
        total = np.abs(pairs.weight).sum()
        if len(pairs.rated) < self.min_neighbors or not total > 0:
            return explain_alone(self.baseline, profile, item, "item_index", len(pairs.rated))
        contributions = self.spreads_[item] * pairs.weight * pairs.z / total
        parts = contribution_frame("item_index", pairs.rated, pairs.value, pairs.rating, contributions)
        summary = (
            f"This person rated {len(pairs.rated)} of the items nearest to it, {pairs.rating.mean():.1f} on average."
        )
        return float(self.centers_[item] + offset), parts, summary

    def _explain_sum(self, profile: sp.csr_matrix, item: int) -> tuple[float, pl.DataFrame, str]:
        rated, ratings = profile.indices, profile.data
        weights, _, values = (matrix[:, [item]].toarray().ravel()[rated] for matrix in self._lists)
        used = weights != 0
        parts = contribution_frame("item_index", rated[used], values[used], ratings[used], (weights * ratings)[used])
        return 0.0, parts, f"This person rated {used.sum()} of the {self.n_neighbors} items nearest to it."

    def _similarities(self, items: Array) -> Array:
        scores = np.full((len(items), len(self.neighbors_)), np.nan, np.float32)
        for row, item in enumerate(items):
            known = self.neighbors_[item] >= 0
            scores[row, self.neighbors_[item][known]] = self.measure.weights(self.similarities_[item][known])
        return scores
