"""What neighbourhood filtering by users, by items and by content shares: parameters, centring, weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import polars as pl

from coterie.data.interactions import Interactions
from coterie.errors import ParameterError
from coterie.kernels.few_sums import few_sparse_sums
from coterie.measures import MEASURES, Measure, Reading
from coterie.models.base import Recommender
from coterie.models.baselines import BiasBaseline
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.profiles import FEW_ROWS
from coterie.models.weighting import Weighting

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
SimilarityName = Literal["jaccard", "cosine", "pearson", "manhattan", "euclidean", "chebyshev"]
Aggregation = Literal["mean", "weighted", "centered", "zscore", "baseline"]
AggregationParameter = Annotated[
    Aggregation, Range(help="how neighbours' ratings make a predicted rating", bears_on="ratings")
]


@hyper_parameters
class Neighborhood(Recommender):
    r"""Neighbours, however they were found, and the arithmetic around their averages.

    Every rating aggregation is one formula. With z the ratings less a centre and over a spread,

    .. math:: \hat r = c_x + o_y + s_x \frac{\sum_v w_v z_v}{\sum_v |w_v|}, \quad z_v = (r_v - c_v - o_y) / s_v

    where x is the one predicted for and v the neighbours (users for `UserKNN`, items elsewhere), and y the
    other side of the rating:

    ============  ==========================  =================  =====================  ==================
    aggregation   centre c                    offset o           spread s               weight w
    ============  ==========================  =================  =====================  ==================
    ``mean``      0                           0                  1                      1
    ``weighted``  0                           0                  1                      \|similarity\|
    ``centered``  own mean rating             0                  1                      similarity
    ``zscore``    own mean rating             0                  own standard deviation similarity
    ``baseline``  own bias                    μ + other's bias   1                      similarity
    ============  ==========================  =================  =====================  ==================

    Where fewer than `min_neighbors` neighbours can be used, the `BiasBaseline` predicts. To *rank* items,
    averages are a poor guide: one near neighbour's five stars would lead every list. So scores are sums,
    Σ w r over the neighbours, which grow with how many there are; ``ranking="rating"`` ranks by the
    predicted ratings all the same.
    """

    predicts_ratings = True
    #: Whether neighbours are nearest by magnitude.
    absolute = False

    n_neighbors: Annotated[int, Range(1, 100_000, help="most neighbours used", search=(5, 200), log=True)] = 50
    aggregation: AggregationParameter = "weighted"
    ranking: Annotated[
        Literal["sum", "rating"],
        Range(help="what ranks items: sums over neighbours, or predicted ratings", search=False),
    ] = "sum"
    min_neighbors: Annotated[
        int,
        Range(1, 1000, help="fewest neighbours of a rating; below, the baseline", search=(1, 10), bears_on="ratings"),
    ] = 1
    normalize: Annotated[
        bool, Range(help="ranking: divide by the sum of the neighbours' similarities", bears_on="lists")
    ] = False

    @property
    def measure(self) -> Measure:
        """The measure of likeness."""
        return MEASURES["cosine"]

    def _fit_baseline(self, train: Interactions) -> None:
        if self.normalize and self.ranking == "rating":
            raise ParameterError("normalize is for sums; it needs ranking='sum' (predicted ratings are means already)")
        baseline = BiasBaseline().fit(train)
        self.mean_, self.item_biases_ = baseline.mean_, baseline.item_biases_

    @property
    def baseline(self) -> BiasBaseline:
        """What predicts where neighbours cannot."""
        baseline = BiasBaseline()
        baseline.mean_, baseline.item_biases_ = self.mean_, self.item_biases_
        return baseline

    def _closeness(self, values: Array) -> tuple[Array, Array]:
        """Closeness (float32, -inf: no neighbour) and weights (0 there), from values of the measure (NaN: unknown)."""
        weights = self.measure.weights(values)
        close = np.abs(weights) if self.absolute else weights
        close = np.where((close > 0) & ~np.isnan(values), close, -np.inf)
        return close.astype(np.float32), np.where(close > -np.inf, weights, 0.0)

    def _rating_weights(self, weights: Array) -> Array:
        """The weights in an average, by `aggregation`."""
        if self.aggregation == "mean":
            return np.where(weights != 0, 1.0, 0.0)
        return np.abs(weights) if self.aggregation == "weighted" else weights

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return self._sums(profiles, users) if self.ranking == "sum" else self._ratings(profiles, users)

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        explain = self._explain_sum if self.ranking == "sum" else self._explain_rating
        return explain(profile, user, item)

    @abstractmethod
    def _sums(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        """Sums over neighbours, float32 (n, n_items); NaN where no neighbour says anything."""

    @abstractmethod
    def _ratings(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        """Predicted ratings of all items, float32 (n, n_items)."""

    @abstractmethod
    def _explain_sum(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        """The parts of `_sums` for one profile and item."""


@hyper_parameters
class NeighborhoodModel(Neighborhood):
    """Parameters of the models whose neighbours are alike by their ratings, `UserKNN` and `ItemKNN`."""

    similarity: Annotated[SimilarityName, Range(help="measure of likeness")] = "cosine"
    reading: Annotated[
        Reading, Range(help="which definition of the measure (see coterie.similarity)", search=False)
    ] = "table"
    min_overlap: Annotated[int, Range(1, 1000, help="fewest co-rated entries of neighbours", search=(1, 10))] = 1
    shrinkage: Annotated[
        float, Range(0, help="trust in pairs that share little: s n / (n + shrinkage)", search=(0, 200))
    ] = 0.0
    absolute: Annotated[bool, Range(help="nearest by absolute similarity, so that opposites count too")] = False
    weighting: Annotated[Weighting, Range(help="term weighting of the data before comparing")] = "none"

    @property
    def measure(self) -> Measure:
        """The measure of likeness."""
        return MEASURES[self.similarity]


def means_and_spreads(rows: Array, values: Array, n: int, overall: float) -> tuple[Array, Array]:
    """Mean and standard deviation (float32 (n,)) by row; the overall mean for empty rows, 1 for no spread."""
    counts = np.bincount(rows, minlength=n)
    means = np.bincount(rows, values, n) / np.maximum(counts, 1)
    squares = np.bincount(rows, (values - means[rows]) ** 2, n) / np.maximum(counts, 1)
    spreads = np.sqrt(squares)
    means, spreads = np.where(counts > 0, means, overall), np.where(spreads > 1e-6, spreads, 1.0)
    return means.astype(np.float32), spreads.astype(np.float32)


def zeros_and_ones(n: int) -> tuple[Array, Array]:
    """No centre and no spread: float32 (n,) each."""
    return np.zeros(n, np.float32), np.ones(n, np.float32)


def sums_of_products(left: sp.csr_matrix, right: sp.csr_matrix) -> Array:
    """``left @ right`` as dense float32; NaN where no entry meets another: nothing to say."""
    factors = left.indptr, left.indices, left.data, right.indptr, right.indices, right.data
    if left.shape[0] <= FEW_ROWS:
        return few_sparse_sums(*factors, right.shape[1])
    from coterie.kernels.row_sums import sparse_sums

    return sparse_sums(*factors, right.shape[1])


def contribution_frame(who: str, index: Array, values: Array, ratings: Array, contributions: Array) -> pl.DataFrame:
    """An explanation's table: `who` is "user_index" or "item_index"."""
    return pl.DataFrame(
        {
            who: np.asarray(index, np.int64),
            "similarity": np.asarray(values, np.float64),
            "rating": np.asarray(ratings, np.float32),
            "contribution": np.asarray(contributions, np.float64),
        }
    )


def explain_alone(
    baseline: BiasBaseline, profile: sp.csr_matrix, item: int, who: str, found: int
) -> tuple[float, pl.DataFrame, str]:
    """The explanation of a rating that neighbours could not predict."""
    base, parts, text = baseline._explain(profile, None, item)
    nothing = np.empty(0)
    summary = f"Only {found} neighbours could be used, too few, so the baseline speaks: {text}"
    return (
        base + float(parts["contribution"].sum()),
        contribution_frame(who, nothing, nothing, nothing, nothing),
        summary,
    )
