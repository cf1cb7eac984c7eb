"""Cohorts: users clustered by taste, what each likes more than others do, and recommendations for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from coterie.content.features import taggings
from coterie.data.vocabulary import Id
from coterie.errors import DataError, ParameterError, UnknownIdError, check_whole
from coterie.evaluation.evaluate import relevance_threshold
from coterie.kernels.topk import top_k_row
from coterie.models.base import Candidates, Recommender
from coterie.models.factors import FactorModel
from coterie.models.svd import SVD
from coterie.models.tables import check_length, id_series
from coterie.scenarios.people import Person, profiles_of, row_blocks, scores_are_ratings, standardized

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
About = Literal["items", "genres", "tags"]

# From so many users on, K-means works on batches of them.
_MANY = 20_000
_STARTS = 10
# Factors of the SVD for models that have none.
_N_FACTORS = 16
# Likes that everybody is thought to have had before, spread as those of all.
_PRIOR_LIKES = 500.0


@dataclass(frozen=True, eq=False)
class Cohorts:
    """Users in cohorts, the largest first.

    Attributes
    ----------
    model : Recommender
        Whose users they are, and what recommends.
    labels : int64 (n_users,)
        The cohort, from 1, of every user by row number; 0 for users of whom nothing is known.
    centres : float64 (n_cohorts, n_factors)
        Mean directions, of length 1.
    source : str
        What the factors are of, in words.
    space : FactorModel
        The model with the factors.
    """

    model: Recommender
    labels: Array = field(repr=False)
    centres: Array = field(repr=False)
    source: str
    space: FactorModel = field(repr=False)

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def sizes(self) -> Array:
        """Users in each cohort, int64 (n_cohorts,)."""
        return np.bincount(self.labels, minlength=len(self) + 1)[1:]

    def members(self, cohort: int) -> list[Id]:
        """Ids of the users of a cohort."""
        ids: list[Id] = self.model.train_.users.ids[self.labels == self._checked(cohort)].tolist()
        return ids

    def of(self, person: Person) -> int:
        """The cohort of a known user, or the nearest to a stranger's profile; 0 where nothing is known of them."""
        profiles, rows = profiles_of(self.model, [person])
        if rows[0] >= 0:
            return int(self.labels[rows[0]])
        directions = _directions(self.space._fold_in(profiles)[0])
        return int((directions @ self.centres.T).argmax() + 1) if directions.any() else 0

    def table(self, k: int = 3) -> pl.DataFrame:
        """One row a cohort: `cohort, users, share, ratings` (of a user on average), `mean_rating, closeness` (the mean
        cosine of its users to its centre), and what it likes more than others do: `genres` and `items`, k of each."""
        train, sizes = self.model.train_, self.sizes
        given = np.bincount(self.labels, train.user_counts, len(self) + 1)[1:]
        sums = np.bincount(self.labels[train.user_index], train.values.astype(np.float64), len(self) + 1)[1:]
        directions = _directions(self.space.user_factors_)
        own = np.where(self.labels > 0, (directions * self.centres[self.labels - 1]).sum(axis=1), 0)
        close = np.bincount(self.labels, own, len(self) + 1)[1:]
        catalog = self.model.catalog_
        words: dict[str, list[list[str]]] = {}
        if catalog is not None and catalog.genres:
            words["genres"] = [self._words("genres", c, k) for c in range(1, len(self) + 1)]
        words["items"] = [self._words("items", c, k) for c in range(1, len(self) + 1)]
        n = np.maximum(sizes, 1)
        return pl.DataFrame(
            {
                "cohort": np.arange(1, len(self) + 1),
                "users": sizes,
                "share": sizes / max(1, sizes.sum()),
                "ratings": given / n,
                "mean_rating": sums / np.maximum(given, 1),
                "closeness": close / n,
                **words,
            }
        )

    def over_liked(self, cohort: int, k: int = 10, of: About = "items") -> pl.DataFrame:
        r"""What the cohort likes more than all others do, by log-odds with an informative prior (Monroe et al. 2008).

        With :math:`y_w` likes of w (an item, or the items of a genre or with a tag) among the cohort's n, :math:`y'_w`
        among the n' of all other users, and a prior of :math:`\alpha_w` likes, spread as everybody's, 500 in all,

        .. math:: \delta_w = \log \frac{y_w + \alpha_w}{n + \alpha_0 - y_w - \alpha_w}
                  - \log \frac{y'_w + \alpha_w}{n' + \alpha_0 - y'_w - \alpha_w}, \qquad
                  z_w = \delta_w \Big/ \sqrt{\frac{1}{y_w + \alpha_w} + \frac{1}{y'_w + \alpha_w}}

        (their equations 15, 20 and 22). A like is a rating in the top quarter of the scale
        (`evaluation.relevance_threshold`). Sorted by z: what is liked by few is not there by chance.

        Parameters
        ----------
        cohort : int
            From 1.
        k : int
        of : {"items", "genres", "tags"}

        Returns
        -------
        polars.DataFrame
            `rank, item[, title]` (or `genre`, or `tag`), `share` and `share_of_others` (of users who like it, or of
            likes that are of it), `log_odds, z`.
        """
        check_length(k)
        place = self._checked(cohort) - 1
        likes, names = self._likes(of)
        z, log_odds = over_representation(likes, place)
        best = top_k_row(np.where(z > 0, z, -np.inf).astype(np.float32), k)
        others = likes.sum(axis=0) - likes[place]
        if of == "items":  # so many of a hundred users
            n = self.sizes[place], self.sizes.sum() - self.sizes[place]
        else:
            n = likes[place].sum(), others.sum()
        train = self.model.train_
        named = id_series("item", train.items, best) if names is None else pl.Series(of[:-1], [names[b] for b in best])
        table = pl.DataFrame(
            [
                pl.Series("rank", np.arange(1, len(best) + 1), pl.Int32),
                named,
                pl.Series("share", likes[place, best] / max(1.0, float(n[0])), pl.Float64),
                pl.Series("share_of_others", others[best] / max(1.0, float(n[1])), pl.Float64),
                pl.Series("log_odds", log_odds[best], pl.Float64),
                pl.Series("z", z[best], pl.Float64),
            ]
        )
        if of != "items":
            return table
        table = self.model._with_titles(table, "item")
        titled = ["rank", "item", *(["title"] if "title" in table.columns else [])]
        return table.select(*titled, pl.exclude(titled))

    def recommend(self, cohort: int, k: int = 10, max_seen: float = 0.5, candidates: Candidates = None) -> pl.DataFrame:
        """The k items with the best mean score over those members of the cohort who have not rated them.

        The mean of the members' scores, not the score of their mean: every member counts once, and what few would love
        does not become what all are given. Scores are ratings where the model's scores are its predicted ratings;
        otherwise each member's are put on a scale from their lowest (0) to their highest (1) of what they have not
        rated. A member for whom the model has no score counts as the lowest.

        Parameters
        ----------
        cohort : int
        k : int
        max_seen : float from 0 to 1
            Leave out what a larger share of the members has rated.
        candidates : item ids, or one, or Constraints, or None
            Only these items, or items that satisfy the constraints, may be recommended. Scores are the same as without.

        Returns
        -------
        polars.DataFrame
            `rank, item[, title], score, seen` (the share of the members who have rated it).

        Raises
        ------
        NothingFitsError
            No item satisfies the constraints.
        """
        check_length(k)
        if not 0 <= max_seen <= 1:
            raise ParameterError(f"max_seen is a share from 0 to 1, not {max_seen!r}")
        members = np.flatnonzero(self.labels == self._checked(cohort))
        allowed = self.model._allowed(candidates)
        sums, counts, seen = self._sums(members)
        share = seen / max(1, len(members))
        open_ = (share <= max_seen) & (counts > 0) & (True if allowed is None else allowed)
        means = np.where(open_, sums / np.maximum(len(members) - seen, 1), -np.inf)
        best = top_k_row(means.astype(np.float32), k)
        table = pl.DataFrame(
            [
                pl.Series("rank", np.arange(1, len(best) + 1), pl.Int32),
                id_series("item", self.model.train_.items, best),
                pl.Series("score", means[best], pl.Float64),
                pl.Series("seen", share[best], pl.Float64),
            ]
        )
        table = self.model._with_titles(table, "item")
        return table.select("rank", "item", *(["title"] if "title" in table.columns else []), "score", "seen")

    def _sums(self, members: Array) -> tuple[Array, Array, Array]:
        """Sums of scores over members who have not rated an item, how many have a score, how many have rated it."""
        model, matrix = self.model, self.model.train_.to_scipy()
        n_items = matrix.shape[1]
        sums, counts, seen = np.zeros(n_items), np.zeros(n_items, np.int64), np.zeros(n_items, np.int64)
        ratings: bool | None = None
        for block in row_blocks(len(members), n_items):
            rows = members[block]
            profiles = matrix[rows]
            scores = model.score(profiles, rows)
            if ratings is None:
                ratings = scores_are_ratings(model, profiles, rows, scores)
            own = profiles.toarray() != 0
            own[np.repeat(np.arange(len(rows)), np.diff(profiles.indptr)), profiles.indices] = True
            told = np.isfinite(scores) & ~own
            lowest = model.train_.scale[0]
            utilities = np.where(np.isfinite(scores), scores, lowest) if ratings else standardized(scores, own)
            sums += np.where(own, 0, utilities).sum(axis=0)
            counts += told.sum(axis=0)
            seen += own.sum(axis=0)
        return sums, counts, seen

    def _checked(self, cohort: int) -> int:
        if isinstance(cohort, bool) or cohort not in range(1, len(self) + 1):
            raise UnknownIdError(f"there is no cohort {cohort!r}; they are numbered from 1 to {len(self)}")
        return cohort

    def _likes(self, of: About) -> tuple[Array, Sequence[str] | None]:
        """Likes of each cohort, float64 (n_cohorts, n), and the names of what is liked (None for items)."""
        by_item = _likes_by_cohort(self.model, self.labels, len(self))
        if of == "items":
            return by_item, None
        features, names = _features(self.model, of)
        return np.asarray(features.T @ by_item.T).T, names

    def _words(self, of: About, cohort: int, k: int) -> list[str]:
        found = self.over_liked(cohort, k, of)
        column = "title" if "title" in found.columns else found.columns[1]
        return [str(word) for word in found[column]]


def find_cohorts(
    model: Recommender, n_cohorts: int = 6, n_factors: int | None = None, random_state: int = 0
) -> Cohorts:
    """Cluster the users of a fitted model by the direction of their factors.

    K-means (MacQueen 1967; from 20,000 users on in mini-batches, Sculley 2010) on factors of length 1: what somebody
    likes, and not how much they have rated or how strongly; the best of ten starts. Factors are the model's own where
    it is a factor model, else those of an `SVD` (of residuals from the biases) that is fitted to the same ratings.

    Parameters
    ----------
    model : Recommender
        Fitted.
    n_cohorts : int, at least 2
    n_factors : int or None
        Of the SVD, which is then also fitted for a factor model; None: the model's own, or 16.
    random_state : int

    Raises
    ------
    DataError
        There are fewer users with factors than cohorts.

    References
    ----------
    D. Sculley, "Web-scale k-means clustering", WWW 2010. B. Monroe, M. Colaresi and K. Quinn, "Fightin' words: lexical
    feature selection and evaluation for identifying the content of political conflict", Political Analysis 16, 2008.
    """
    train = model._fitted()
    check_whole("n_cohorts", n_cohorts, 2)
    check_whole("random_state", random_state, 0)
    if n_factors is not None:
        check_whole("n_factors", n_factors, 1, " or None")
    if isinstance(model, FactorModel) and n_factors is None:
        space: FactorModel = model
        source = f"the factors of {model.name}"
    else:
        width = min(n_factors or _N_FACTORS, max(1, min(train.shape) - 1))
        space = SVD(n_factors=width).fit(train)
        source = f"an SVD of {width} factors"
    directions = _directions(space.user_factors_)
    known = np.flatnonzero(directions.any(axis=1))
    if len(known) < n_cohorts:
        raise DataError(f"{n_cohorts} cohorts need as many users with a taste of their own; there are {len(known)}")
    own, centres = _clustered(directions[known], n_cohorts, random_state)
    order = np.argsort(-np.bincount(own, minlength=n_cohorts), kind="stable")
    labels = np.zeros(train.n_users, np.int64)
    labels[known] = np.argsort(order)[own] + 1
    return Cohorts(model, labels, _directions(centres[order]), source, space)


def over_representation(likes: Array, place: int) -> tuple[Array, Array]:
    """z and log-odds (n,) of one row of likes (n_cohorts, n) against the others; see `Cohorts.over_liked`."""
    own, others = likes[place].astype(np.float64), likes.sum(axis=0) - likes[place]
    everybody = own + others
    prior = _PRIOR_LIKES * everybody / max(1.0, float(everybody.sum()))
    occurs = everybody > 0
    prior = np.where(occurs, prior, 1.0)

    def log_odds(y: Array) -> Array:
        rest = y.sum() + _PRIOR_LIKES - y - prior
        return np.asarray(np.log((y + prior) / np.maximum(rest, 1e-9)))

    difference = np.where(occurs, log_odds(own) - log_odds(others), 0.0)
    return difference / np.sqrt(1 / (own + prior) + 1 / (others + prior)), difference


def _directions(factors: Array) -> Array:
    """Rows of length 1, float64; rows of zeros stay."""
    rows = np.asarray(factors, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def _clustered(rows: Array, n_cohorts: int, random_state: int) -> tuple[Array, Array]:
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    kind = KMeans if len(rows) < _MANY else MiniBatchKMeans
    with threadpool_limits(1):  # sums do not depend on who is first
        found = kind(n_cohorts, n_init=_STARTS, random_state=random_state).fit(rows)
    return found.labels_.astype(np.int64), found.cluster_centers_


def _likes_by_cohort(model: Recommender, labels: Array, n_cohorts: int) -> Array:
    """How many of each cohort like each item, float64 (n_cohorts, n_items)."""
    import scipy.sparse as sp

    train = model.train_
    liked = np.asarray(train.values) >= relevance_threshold(train)
    cohort = labels[train.user_index[liked]]
    placed = cohort > 0
    ones = np.ones(int(placed.sum()))
    where = (cohort[placed] - 1, train.indices[liked][placed])
    return np.asarray(sp.csr_matrix((ones, where), shape=(n_cohorts, train.n_items)).toarray())


def _features(model: Recommender, of: About) -> tuple[sp.csr_matrix, list[str]]:
    """Which items have which genres, or tags of two people or more: csr (n_items, n) of ones, and their names."""
    import scipy.sparse as sp

    train, catalog = model.train_, model.catalog_
    if of not in ("genres", "tags"):
        raise ParameterError(f"of must be 'items', 'genres' or 'tags', not {of!r}")
    if catalog is None:
        raise DataError(f"what a cohort likes of {of} needs a catalog; fit the model with one")
    if of == "tags":
        given = taggings(catalog, train.items).filter(pl.col("people") > 1)
        rows, words = given["item_index"].to_numpy(), given["tag"]
    else:
        listed = catalog.items.select("item", "genres").explode("genres").drop_nulls("genres").unique()
        rows = train.items.indices(listed["item"].to_numpy(), missing="skip")
        words = listed["genres"].filter(pl.Series(rows >= 0))
        rows = rows[rows >= 0]
    names = words.unique().sort()
    columns = words.cast(pl.Enum(names)).to_physical().to_numpy()
    matrix = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(train.n_items, len(names)))
    return matrix, names.to_list()
