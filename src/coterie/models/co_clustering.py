"""Co-clustering: people who rate alike and items that are rated alike, found together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions, Rows
from coterie.kernels.parallel import run_blocks
from coterie.models.base import Recommender
from coterie.models.factors import grown
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.profiles import entry_rows, mean_ratings

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# Rows that are assigned together; what they add up is added in this order, whatever the number of threads.
_BLOCK = 4096
# Profiles whose clusters are found together outside of learning.
_PROFILES = 1 << 16


@hyper_parameters
class CoClustering(Recommender):
    r"""Predict from what a group of users gives a group of items, and how user and item stand out of their groups.

    .. math:: \hat r_{ui} = \bar C_{gh} + (\mu_u - \bar C_g) + (\mu_i - \bar C_h)

    with the mean ratings :math:`\mu_u` of the user and :math:`\mu_i` of the item, :math:`\bar C_{gh}` the mean
    over the ratings of the co-cluster of the user's cluster g and the item's cluster h. Clusters are chosen to minimise

    .. math:: \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2

    by turns: given the items' clusters each user takes the best cluster, given the users' each item does, and after
    either the means are taken anew (algorithm 1 of the paper). What :math:`\bar C_g` and :math:`\bar C_h` are is for
    `averages` to say:

    - ``"cocluster"``: the means, over the ratings of the co-cluster, of :math:`\mu_u` and of :math:`\mu_i`. Then
      :math:`\bar C_{gh} - \bar C_g - \bar C_h` is the mean of :math:`r_{ui} - \mu_u - \mu_i`, the least-squares
      solution, so the objective never rises, and predictions are more accurate.
    - ``"cluster"``: the mean ratings of user cluster g and of item cluster h (equation 3 of the paper). They are
      close to the least-squares solution but not it: the objective may rise a little from one sweep to the next.

    Lists are ranked by the predicted ratings, and so are led by items that few people rated, but liked: to recommend
    rather than to predict, take a model that ranks, such as `EASE` or `ImplicitALS`.

    A stranger takes the best cluster for their profile as users do. Without any ratings :math:`\mu_i` is predicted,
    for an item nobody rated :math:`\mu_u`; such an item is not recommended. `update` gives changed and new items and
    all users their means and best clusters by the new data, but lets the means of the co-clusters be.

    Items are alike where people would rate them alike: with :math:`D_{ij}` the root mean square, over all users, of
    what two predictions differ by before they are cut, the similarity is :math:`1 / (1 + D_{ij})`.

    Attributes
    ----------
    user_clusters_ : int32 (n_users,)
    item_clusters_ : int32 (n_items,)
    item_means_ : float64 (n_items,)
        :math:`\mu_i`; the mean of all ratings for an item that nobody rated.
    cluster_means_ : float64 (n_user_clusters, n_item_clusters)
        :math:`\bar C_{gh}` as the last sweep left it, before people took their best clusters by it a last time; the
        mean of all ratings, here and in the next two, for a co-cluster without any.
    user_levels_, item_levels_ : float64 (n_user_clusters, n_item_clusters)
        :math:`\bar C_g` and :math:`\bar C_h` in the co-cluster.
    mean_ : float
        The mean of all ratings.
    objective_ : float64 (n_iterations,)
        The objective after each sweep.
    held_out_rmse_ : float64 (n_iterations,)
        Where `fit` was given `validation`.

    References
    ----------
    T. George and S. Merugu, "A scalable collaborative filtering framework based on co-clustering", ICDM 2005.
    """

    name: ClassVar[str] = "co-clustering"
    predicts_ratings = True
    learns_in_sweeps = True
    n_user_clusters: Annotated[int, Range(1, 1000, help="clusters of users", search=(1, 10))] = 3
    n_item_clusters: Annotated[int, Range(1, 1000, help="clusters of items", search=(1, 10))] = 3
    n_iterations: Annotated[int, Range(1, 1000, help="sweeps over users and items", search=(5, 50))] = 20
    averages: Annotated[
        Literal["cocluster", "cluster"], Range(help="whose means users and items are compared with")
    ] = "cocluster"
    random_state: Annotated[int, Range(0, 2**32 - 1, help="seed of the first clusters")] = 0

    # ---- learning ----------------------------------------------------------------------------------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self.mean_ = train.mean
        by_user, by_item = train.rows("users"), train.rows("items")
        user_means = mean_ratings(by_user.indptr, by_user.values, self.mean_)
        self.item_means_ = mean_ratings(by_item.indptr, by_item.values, self.mean_)
        generator = np.random.default_rng(self.random_state)
        shape = self.n_user_clusters, self.n_item_clusters
        self.cluster_means_, self.user_levels_, self.item_levels_ = np.empty(shape), np.empty(shape), np.empty(shape)
        users = generator.integers(0, self.n_user_clusters, train.n_users, dtype=np.int32)
        items = generator.integers(0, self.n_item_clusters, train.n_items, dtype=np.int32)
        of_users, of_items = (by_user, user_means, self.item_means_), (by_item, self.item_means_, user_means)
        self._take_means(_assign(*of_users, items, np.zeros(shape), users, moves=False))
        excess = train.values - user_means[train.user_index] - self.item_means_[train.indices]
        squares = float(excess @ excess)

        def predict(who: Array, what: Array) -> Array:
            ratings = self._rate(users[who], user_means[who], train.user_counts[who] == 0, items[what], what)
            return np.where(train.item_counts[what] == 0, user_means[who], ratings)

        keep: dict[str, Array] = {
            "users": users,
            "items": items,
            "cluster_means": self.cluster_means_,
            "user_levels": self.user_levels_,
            "item_levels": self.item_levels_,
        }
        for sweep in self._sweeps(self.n_iterations, keep, predict):
            self._take_means(_assign(*of_users, items, self._levels, users))
            sums = _assign(*of_items, users, self._levels.T, items).transpose(0, 2, 1)[[0, 1, 3, 2]]
            self._take_means(sums)
            above = sums[1] - sums[2] - sums[3]
            sweep.objective = squares + float((self._levels * (sums[0] * self._levels - 2 * above)).sum())
        self.item_clusters_ = items
        self.user_clusters_ = self._user_clusters(train.to_scipy(), user_means)

    @property
    def _levels(self) -> Array:
        """What is added to the means of user and item in each co-cluster."""
        return np.asarray(self.cluster_means_ - self.user_levels_ - self.item_levels_)

    def _take_means(self, sums: Array) -> None:
        """Means from the sums over co-clusters, written in place."""
        counts, ratings, of_users, of_items = sums
        if self.averages == "cluster":
            of_users, of_items = _spread(ratings, counts, axis=1), _spread(ratings, counts, axis=0)
        totals = {"cluster_means_": ratings, "user_levels_": of_users, "item_levels_": of_items}
        for name, total in totals.items():
            means = getattr(self, name)
            means[...] = self.mean_
            np.divide(total, counts, out=means, where=counts > 0)

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        x, by_item = merged.to_scipy(), merged.by_item
        user_means = mean_ratings(merged.indptr, merged.values, self.mean_)
        item_means = mean_ratings(by_item.indptr, by_item.values, self.mean_)
        known = x[changed_users][:, : len(self.item_means_)]  # new items have no cluster yet
        users, items = grown(self.user_clusters_, merged.n_users), grown(self.item_clusters_, merged.n_items)
        users[changed_users] = self._user_clusters(known, user_means[changed_users])
        raters = x[:, changed_items].T.tocsr()
        items[changed_items] = _best(raters, item_means[changed_items], user_means, users, self._levels.T)
        self.item_means_, self.item_clusters_ = item_means, items
        self.user_clusters_ = self._user_clusters(x, user_means)

    # ---- ratings -----------------------------------------------------------------------------------

    def _user_clusters(self, profiles: sp.csr_matrix, means: Array) -> Array:
        return _best(profiles, means, self.item_means_, self.item_clusters_, self._levels)

    def _people(self, profiles: sp.csr_matrix) -> tuple[Array, Array, Array]:
        """Cluster, mean rating, and whether there is none, of each profile."""
        means = mean_ratings(profiles.indptr, profiles.data, self.mean_)
        return self._user_clusters(profiles, means), means, np.diff(profiles.indptr) == 0

    def _rate(self, clusters: Array, means: Array, silent: Array, item_clusters: Array, items: Array) -> Array:
        """Ratings, before cutting, of pairs (or blocks, by broadcasting) of people and items, float64."""
        ratings = means + self.item_means_[items] + self._levels[clusters, item_clusters]
        return np.where(silent, self.item_means_[items], ratings)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        clusters, means, silent = (array[:, None] for array in self._people(profiles))
        items = np.arange(len(self.item_means_))[None, :]
        scores = self._rate(clusters, means, silent, self.item_clusters_[items], items).astype(np.float32)
        scores[:, self._unrated] = np.nan
        return scores

    @property
    def _unrated(self) -> Array:
        return np.asarray(self.train_.item_counts == 0)

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        clusters, means, silent = self._people(profiles)
        ratings = self._rate(clusters[rows], means[rows], silent[rows], self.item_clusters_[items], items)
        return np.where(self._unrated[items], means[rows], ratings).astype(np.float32)

    # ---- looking inside ----------------------------------------------------------------------------

    def _similarities(self, items: Array) -> Array:
        from scipy.spatial.distance import cdist

        shares = np.bincount(self.user_clusters_, minlength=self.n_user_clusters) / max(1, len(self.user_clusters_))
        ratings = self.item_means_[:, None] + self._levels[:, self.item_clusters_].T  # of each cluster of users
        ratings *= np.sqrt(shares)
        similarities = (1 / (1 + cdist(ratings[items], ratings))).astype(np.float32)
        similarities[:, self._unrated] = np.nan
        similarities[self._unrated[items]] = np.nan
        return similarities

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        if self._unrated[item]:
            return 0.0, _terms(), "Nobody rated it, so it is not recommended."
        return self._explain_rating(profile, user, item)

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        (g,), (mean,), (silent,) = self._people(profile)
        h, item_mean = self.item_clusters_[item], float(self.item_means_[item])
        if self._unrated[item]:
            return float(mean), _terms(), f"Nobody rated it, so it is the mean of what this person gave, {mean:.2f}."
        if silent:
            return item_mean, _terms(), f"This person rated nothing, so it is the mean of the item, {item_mean:.2f}."
        base = float(self.cluster_means_[g, h])
        parts = _terms(float(mean - self.user_levels_[g, h]), item_mean - float(self.item_levels_[g, h]))
        text = (
            f"Users of cluster {g} give items of cluster {h} {base:.2f} on average; the rest is how this person "
            "and this item stand out of theirs."
        )
        return base, parts, text


def _terms(*contributions: float) -> pl.DataFrame:
    """The two terms beside the mean of the co-cluster; none without contributions."""
    names = ["user's offset", "item's offset"][: len(contributions)]
    return pl.DataFrame(
        {"term": names, "contribution": contributions}, schema={"term": pl.String, "contribution": pl.Float64}
    )


def _spread(ratings: Array, counts: Array, axis: int) -> Array:
    """Means over an axis of co-clusters, times the co-clusters' counts."""
    totals, numbers = ratings.sum(axis, keepdims=True), counts.sum(axis, keepdims=True)
    return np.asarray(counts * totals / np.maximum(numbers, 1))


def _assign(
    rows: Rows, row_means: Array, column_means: Array, column_clusters: Array, levels: Array, row_clusters: Array,
    moves: bool = True,
) -> Array:  # fmt: skip
    """Move each row to its best cluster, in place; the sums over co-clusters by then."""
    from coterie.kernels.coclusters import SUMS, assign_rows  # the compiled half: needed to learn, not to serve

    levels = np.ascontiguousarray(levels)

    def work(start: int, stop: int) -> Array:
        sums = np.zeros((SUMS, *levels.shape))
        assign_rows(start, stop, *rows, row_means, column_means, column_clusters, levels, moves, row_clusters, sums)
        return sums

    return np.asarray(sum(run_blocks(work, len(row_means), _BLOCK), np.zeros((SUMS, *levels.shape))))


def _best(profiles: sp.csr_matrix, means: Array, column_means: Array, column_clusters: Array, levels: Array) -> Array:
    """The best cluster, int32 (n,), of each profile: what `assign_rows` gives, without a compiler."""
    n, k = profiles.shape[0], levels.shape[1]
    best = np.empty(n, np.int32)
    for start in range(0, n, _PROFILES):
        block = profiles[start : start + _PROFILES]
        rows = entry_rows(block)
        place = rows * k + column_clusters[block.indices]
        above = block.data - means[start + rows] - column_means[block.indices]
        counts, excess = (np.bincount(place, w, block.shape[0] * k).reshape(-1, k) for w in (None, above))
        best[start : start + _PROFILES] = (counts @ (levels**2).T - 2 * excess @ levels.T).argmin(axis=1)
    return best
