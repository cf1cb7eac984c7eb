"""ClusterItems: groups of items whose features are alike, with names, and a genre's titles with their clusters."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import polars as pl

from coterie.content.features import ItemFeatures
from coterie.data.catalog import Catalog
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, ParameterError, check_whole
from coterie.kernels.memory import require_memory

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
#: How items are put into clusters.
Method = Literal["kmeans", "minibatch", "bisecting", "gaussian", "ward"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which cluster every item is in. Cluster 0 is the largest.

    Attributes
    ----------
    items : Vocabulary
    labels : int32 (n_items,)
        -1 for items that were left out, because nothing is known about them.
    n_clusters : int
    """

    items: Vocabulary
    labels: Array = field(repr=False)
    n_clusters: int

    @cached_property
    def sizes(self) -> Array:
        """int64 (n_clusters,): how many items each has."""
        return np.bincount(self.labels[self.labels >= 0], minlength=self.n_clusters)

    def telling(self, features: ItemFeatures, k: int = 3) -> list[list[str]]:
        r"""The `k` features (words, tags, genres) that tell most of each cluster.

        Those with the largest :math:`n_{cf} \log \frac{n_{cf}\, n}{n_c\, n_f}`, where :math:`n_{cf}` is the sum of
        the feature over the :math:`n_c` items of cluster c and :math:`n_f` over all n. For features that an item has
        or has not, that is what they add to the mutual information with clusters: one that is merely frequent, or
        merely rare, tells little. Features with weights, such as those of `item_features` and `title_words`, tell by
        their weight; dense ones count from their least value. A cluster in which nothing is more frequent than
        elsewhere has an empty list.
        """
        import scipy.sparse as sp

        inside = np.flatnonzero(self.labels >= 0)
        member = sp.csr_matrix(
            (np.ones(len(inside)), (self.labels[inside], inside)), shape=(self.n_clusters, len(self.labels))
        )
        has = features.matrix
        has = has - has.min(axis=0) if isinstance(has, np.ndarray) else has.astype(np.float64)
        both = member @ has
        both = np.asarray(both) if isinstance(both, np.ndarray) else both.toarray()
        with np.errstate(divide="ignore", invalid="ignore"):
            lift = both * len(inside) / (self.sizes[:, None] * both.sum(axis=0))
            gain = np.where(both > 0, both * np.log(lift), 0)
        best = np.argsort(-gain, axis=1, kind="stable")[:, :k]
        return [[features.names[f] for f in row if gain[c, f] > 1e-9] for c, row in enumerate(best)]

    def titles(self, catalog: Catalog, genre: str, k: int | None = 20, first: bool = True) -> pl.DataFrame:
        """The first `k` items of a genre in the order of the catalog: `item, cluster, title`, as the module prints.

        `first`: only items whose first genre it is. Items without a cluster have null.
        """
        meant = next((known for known in catalog.genres if known.casefold() == genre.strip().casefold()), None)
        if meant is None:
            catalog.with_genre(genre)  # its error lists the genres
        has = pl.col("genres").list.first() == meant if first else pl.col("genres").list.contains(meant or "")
        found = catalog.items.filter(has).select("item", "title")
        rows = self.items.indices(found["item"].to_numpy(), missing="skip")
        found = found.filter(pl.Series(rows >= 0))
        labels = pl.Series("cluster", self.labels[rows[rows >= 0]], pl.Int32).replace(-1, None)
        found = found.select("item", labels, "title")
        return found if k is None else found.head(k)


@dataclass(frozen=True, eq=False)
class ClusterItems:
    r"""Put items into clusters by their features.

    KMeans minimises :math:`\sum_i \lVert x_i - \mu_{c(i)} \rVert^2` over the clusters c(i) and their means
    (Lloyd 1982), begun `n_init` times with k-means++ (Arthur and Vassilvitskii 2007); the best is kept.

    Parameters
    ----------
    n_clusters : int or None, at least 2, default None
        K; None takes as many as the catalog has genres.
    method : {"kmeans", "minibatch", "bisecting", "gaussian", "ward"}
        KMeans; KMeans of small batches; KMeans that splits the largest in two, again and again; a mixture of
        Gaussians with diagonal covariances; Ward's agglomeration, whose memory grows with the square of the items.
    n_init : int, at least 1, default 10
        How often it begins; Ward's agglomeration has no chance in it.
    unit : bool
        Bring vectors to length 1 first, so that clusters go by cosines and not by lengths.
    with_unknown : bool
        Take part with a vector of zeros also for items of which nothing is known, as the module does.
    random_state : int
        Seed. The result does not depend on the number of threads: it is computed by one.
    """

    n_clusters: int | None = None
    method: Method = "kmeans"
    n_init: int = 10
    unit: bool = False
    with_unknown: bool = False
    random_state: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ParameterError(f"method must be one of {', '.join(METHODS)}, not {self.method!r}")
        for name, least in (("n_clusters", 2), ("n_init", 1), ("random_state", 0)):
            value = getattr(self, name)
            if name != "n_clusters":
                check_whole(name, value, least)
            elif value is not None:
                check_whole(name, value, least, " or None")

    def fit(self, features: ItemFeatures, items: Vocabulary, catalog: Catalog | None = None) -> Clusters:
        """The clusters of the items that the rows of `features` are about.

        Raises
        ------
        ParameterError
            There are fewer different vectors than clusters.
        DataError
            n_clusters is None, and the catalog has no genres to count.
        """
        if features.matrix.shape[0] != len(items):
            raise DataError(f"features of {features.matrix.shape[0]:,} items are not those of {len(items):,} items")
        n_clusters = self.clusters_for(catalog)
        rows = np.arange(len(items)) if self.with_unknown else np.flatnonzero(features.known)
        if len(rows) < n_clusters:
            raise ParameterError(
                f"n_clusters is {n_clusters}, and only {len(rows):,} of {len(items):,} items have features"
                f"{f' from {features.source}' if features.source else ''}; ask for fewer clusters"
            )
        found = self._clustered(self.space(features).matrix[rows], n_clusters)
        n_found = len(np.unique(found))
        if n_found < n_clusters:
            raise ParameterError(
                f"n_clusters is {n_clusters}, and the {len(rows):,} items fall into only {n_found}: "
                "too many of them have the same features; ask for fewer clusters"
            )
        labels = np.full(len(items), -1, np.int32)
        labels[rows] = _largest_first(found, n_clusters)
        return Clusters(items, labels, n_clusters)

    def space(self, features: ItemFeatures) -> ItemFeatures:
        """The features as they are clustered: of length 1 with `unit`."""
        return replace(features, matrix=features.unit_rows()) if self.unit else features

    def clusters_for(self, catalog: Catalog | None) -> int:
        """K: `n_clusters`, else the number of genres."""
        if self.n_clusters is not None:
            return self.n_clusters
        n = 0 if catalog is None else len(catalog.genres)
        if n < 2:
            raise DataError(f"the number of clusters is that of genres, and the catalog has {n}; give n_clusters=...")
        return n

    def _clustered(self, matrix: Array | sp.csr_matrix, k: int) -> Array:
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits

        from coterie.kernels.parallel import one_blas_thread

        if self.method in ("gaussian", "ward"):
            n, d = matrix.shape
            needed = 8 * n * (n / 2 + d) if self.method == "ward" else 8 * n * (2 * d + 3 * k)
            remedy = "take another method, such as kmeans, or fewer items"
            require_memory(int(needed), f"clusters of {n:,} items by {self.method}", remedy)
            matrix = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
        # Sums of several threads come in any order, and the last bits of a mean decide where an item goes.
        with one_blas_thread, threadpool_limits(1, user_api="openmp"), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # too few different vectors: an error in `fit`
            return np.asarray(self._method(k).fit_predict(matrix))

    def _method(self, k: int) -> Any:
        from sklearn import cluster
        from sklearn.mixture import GaussianMixture

        chance = {"n_init": self.n_init, "random_state": self.random_state}
        match self.method:
            case "kmeans":
                return cluster.KMeans(k, **chance)
            case "minibatch":
                return cluster.MiniBatchKMeans(k, **chance)
            case "bisecting":
                return cluster.BisectingKMeans(k, **chance)
            case "gaussian":
                return GaussianMixture(k, covariance_type="diag", reg_covar=1e-4, **chance)
            case _:
                return cluster.AgglomerativeClustering(k, linkage="ward")


def _largest_first(labels: Array, n_clusters: int) -> Array:
    """Labels such that 0 is the largest cluster; of two as large, the one whose first item comes first."""
    sizes = np.bincount(labels, minlength=n_clusters)
    first = np.full(n_clusters, len(labels))
    np.minimum.at(first, labels, np.arange(len(labels)))
    order = np.lexsort((first, -sizes))
    place = np.empty(n_clusters, np.int32)
    place[order] = np.arange(n_clusters)
    return place[labels]
