"""How good are clusters? They are held against genres, beside shuffled ones and other features, over several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from coterie.content.clusters import ClusterItems, Clusters
from coterie.content.features import ItemFeatures
from coterie.data.catalog import Catalog
from coterie.data.progress import progress
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, ParameterError

Array = np.ndarray[Any, np.dtype[Any]]
#: What an item with several genres counts as.
GenreRule = Literal["rarest", "first", "each"]
GENRE_RULES: tuple[GenreRule, ...] = get_args(GenreRule)
SHUFFLED = "shuffled"

_SAMPLED = 2000  # items from which silhouettes are computed, whose cost grows with the square


@dataclass(frozen=True, eq=False)
class GenreLabels:
    """One genre for each of some rows; a row may come several times with the rule "each".

    Attributes
    ----------
    rows : int64 (n,)
        Row numbers of items.
    labels : int32 (n,)
        Column numbers in `names`.
    names : tuple of str
    without : int
        Items that have no genre, and so are not judged.
    """

    rows: Array = field(repr=False)
    labels: Array = field(repr=False)
    names: tuple[str, ...]
    without: int


def genre_labels(catalog: Catalog, items: Vocabulary, rule: GenreRule = "rarest") -> GenreLabels:
    """What clusters are held against.

    ``"rarest"``: an item counts as the rarest of its genres in the catalog, which says most about it; of two as rare,
    the first by alphabet. ``"first"``: as the first that its catalog names, as the module does; MovieLens names them by
    alphabet. ``"each"``: an item with three genres counts three times, once with each.
    """
    if rule not in GENRE_RULES:
        raise ParameterError(f"the genre rule must be one of {', '.join(GENRE_RULES)}, not {rule!r}")
    names = catalog.genres
    if not names:
        raise DataError("clusters are judged by genres, and the catalog has none; load data that has them")
    listed = catalog.items.select("item", "genres").explode("genres").drop_nulls("genres").unique(maintain_order=True)
    rows = items.indices(listed["item"].to_numpy(), missing="skip")
    listed = listed.with_columns(pl.Series("row", rows), pl.len().over("genres").alias("items"))
    listed = listed.filter(pl.col("row") >= 0)
    if rule == "rarest":
        listed = listed.sort("items", "genres").unique("row", keep="first", maintain_order=True)
    elif rule == "first":
        listed = listed.unique("row", keep="first", maintain_order=True)
    listed = listed.sort("row", maintain_order=True)
    labels = listed["genres"].cast(pl.Enum(names)).to_physical().cast(pl.Int32).to_numpy()
    rows = listed["row"].cast(pl.Int64).to_numpy()
    return GenreLabels(rows, labels, tuple(names), len(items) - len(np.unique(rows)))


def purity(genres: Array, clusters: Array) -> float:
    """The share of items that have their cluster's most frequent genre."""
    from sklearn.metrics.cluster import contingency_matrix

    return float(contingency_matrix(genres, clusters).max(axis=0).sum() / len(genres))


def _nmi(genres: Array, clusters: Array) -> float:
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(genres, clusters, average_method="geometric"))


def _score(name: str) -> Callable[[Array, Array], float]:
    def score(genres: Array, clusters: Array) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(genres, clusters))

    return score


#: Scores of clusters against genres; all are 1 where they are the same division of the items.
SCORES: Mapping[str, Callable[[Array, Array], float]] = {
    "nmi": _nmi,
    "ami": _score("adjusted_mutual_info_score"),
    "ari": _score("adjusted_rand_score"),
    "v_measure": _score("v_measure_score"),
    "purity": purity,
}


def assess(
    features: Mapping[str, ItemFeatures],
    items: Vocabulary,
    catalog: Catalog,
    method: ClusterItems | None = None,
    n_seeds: int = 5,
    rule: GenreRule = "rarest",
) -> pl.DataFrame:
    r"""Scores of clusters against genres, for several kinds of features and for the first of them shuffled.

    All are judged on the same items: those that every kind knows something of and that have a genre.

    Parameters
    ----------
    features : mapping of str to ItemFeatures
        What to cluster by, under the names that the table has: what is asked about first, then what it is compared
        to, such as the genome's tags, which people and a model gave to tell movies apart.
    items : Vocabulary
        What the rows of all features are about.
    method : ClusterItems
        How to cluster; seed s of n runs with its `random_state` + s.
    n_seeds : int, at least 2
    rule : {"rarest", "first", "each"}
        See `genre_labels`.

    Returns
    -------
    polars.DataFrame
        ``vectors, items, clusters, score, mean, low, high``: a row for each kind and score. `low` and `high` are the
        95 % interval of the mean over seeds, :math:`\bar s \pm t_{n-1}\, \hat\sigma / \sqrt{n}` (Student 1908): how
        much the chance in the clustering moves the mean, not how much other movies would.

        ``nmi``
            Mutual information over the geometric mean of the two entropies (Strehl and Ghosh 2002).
        ``ami``, ``ari``
            Mutual information and Rand index, corrected so that chance has 0 (Vinh, Epps and Bailey 2010; Hubert and
            Arabie 1985).
        ``v_measure``
            Harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007); the same as mutual
            information over the arithmetic mean of the entropies.
        ``purity``
            The share of items with their cluster's most frequent genre; what the most frequent genre has is had for
            nothing, and more clusters are always purer.
        ``silhouette``
            How much nearer items are to their own cluster than to the next (Rousseeuw 1987), from 2,000 items. It does
            not know genres.
        ``genre_silhouette``
            The same with genres in place of clusters: whether genres are clusters in these vectors.

    Raises
    ------
    DataError
        There are no genres, or no items that all features know.
    """
    if not features:
        raise ParameterError("nothing to assess; give features by name")
    if n_seeds < 2:
        raise ParameterError(f"n_seeds must be at least 2, so that there is an interval, not {n_seeds!r}")
    method = method or ClusterItems()
    chosen = _known_to_all(features, items, catalog, rule, method.with_unknown)
    items = Vocabulary(items.ids[chosen], items.what)
    # Lengths are put right here, once, so that silhouettes see what is clustered.
    kinds = {name: method.space(f) for name, f in features.items()}
    kinds = {name: replace(f, matrix=f.matrix[chosen]) for name, f in kinds.items()}
    method = replace(method, unit=False)
    genres = genre_labels(catalog, items, rule)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in (*kinds, SHUFFLED)}
    n_clusters = 0
    with progress("Clustering again", n_seeds * len(kinds)) as advance:
        for seed in range(method.random_state, method.random_state + n_seeds):
            for name, kind in kinds.items():
                clusters = replace(method, random_state=seed).fit(kind, items, catalog)
                n_clusters = clusters.n_clusters
                found[name].append(judge(clusters, genres, kind, seed))
                if name == next(iter(kinds)):
                    mixed = np.random.default_rng(seed).permutation(clusters.labels)
                    found[SHUFFLED].append(judge(replace(clusters, labels=mixed), genres, kind, seed))
                advance(1)
    rows = [
        {"vectors": name, "items": len(items), "clusters": n_clusters, "score": score, **_interval(values)}
        for name, runs in found.items()
        for score in runs[0]
        for values in [np.array([run[score] for run in runs])]
    ]
    return pl.DataFrame(rows)


def judge(clusters: Clusters, genres: GenreLabels, features: ItemFeatures, seed: int = 0) -> dict[str, float]:
    """All scores of one division into clusters; items without a cluster or a genre are left out."""
    labels = clusters.labels[genres.rows]
    inside = labels >= 0
    if not inside.any():
        raise DataError("no item has both a cluster and a genre")
    scores = {name: score(genres.labels[inside], labels[inside]) for name, score in SCORES.items()}
    rows = np.flatnonzero(clusters.labels >= 0)
    scores["silhouette"] = _silhouette(features.matrix, rows, clusters.labels[rows], seed)
    once, at = np.unique(genres.rows, return_index=True)  # an item that counts as several has its first here
    scores["genre_silhouette"] = _silhouette(features.matrix, once, genres.labels[at], seed)
    return scores


def _silhouette(matrix: Any, rows: Array, labels: Array, seed: int) -> float:
    """NaN where the sampled items are all of one label, or each of its own."""
    from sklearn.metrics import silhouette_score

    if len(rows) > _SAMPLED:
        at = np.sort(np.random.default_rng(seed).choice(len(rows), _SAMPLED, replace=False))
        rows, labels = rows[at], labels[at]
    if not 1 < len(np.unique(labels)) < len(labels):
        return float("nan")
    return float(silhouette_score(matrix[rows], labels))


def _known_to_all(
    features: Mapping[str, ItemFeatures], items: Vocabulary, catalog: Catalog, rule: GenreRule, with_unknown: bool
) -> Array:
    """Row numbers of the items that can be judged. With `with_unknown`, the first features may lack some."""
    judged = np.zeros(len(items), bool)
    judged[genre_labels(catalog, items, rule).rows] = True
    for at, (name, kind) in enumerate(features.items()):
        if kind.matrix.shape[0] != len(items):
            raise DataError(f"{name} are features of {kind.matrix.shape[0]:,} items, not of {len(items):,}")
        if at or not with_unknown:
            judged &= kind.known
    if not judged.any():
        raise DataError(f"no item has a genre and is known to {' and '.join(features)}")
    return np.flatnonzero(judged)


def _interval(values: Array) -> dict[str, float]:
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": float(values.mean()), "low": float(values.mean() - half), "high": float(values.mean() + half)}
