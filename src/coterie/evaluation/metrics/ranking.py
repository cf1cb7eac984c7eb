r"""Metrics of ranked lists, exact over all items, one value a user, averaged over users with equal weight.

:math:`h_{uj}` is 1 where the item at place j of user u's list is relevant and 0 elsewhere (also beyond the end of a
short list), :math:`n_u \ge 1` the number of u's relevant test items. Lists have the larger score first; of equal scores
the item with the smaller row number is first. Libraries mean different things by the same name:

=============  ===================================  ==================================================================
metric         here                                 elsewhere
=============  ===================================  ==================================================================
precision      divided by k, also for short lists   so ranx, RecTools, RecBole, Recommenders, TorchMetrics; LensKit by
                                                    the length of the list; implicit pools: all hits over all
                                                    :math:`\min(k, n_u)`
recall         divided by :math:`n_u`               so ranx, RecTools, RecBole, Recommenders, Elliot
recall_capped  divided by :math:`\min(k, n_u)`      so Liang et al. 2018, and LensKit's ``Recall``; RecTools calls it
                                                    ``Precision(r_precision=True)``
ndcg           binary gain, ideal list cut at k     so ranx, RecBole, Recommenders, LensKit, implicit; Elliot with
                                                    graded gain; RecTools with an ideal list of k hits also where
                                                    :math:`n_u < k`, unless ``divide_by_achievable``; TorchMetrics
                                                    averages over the orders of equal scores
ndcg_full      binary gain, ideal list of all       so LensKit's first ``topn.ndcg``, which knew no k
               :math:`n_u`
map            divided by :math:`\min(k, n_u)`      so implicit, RecBole, Recommenders' ``map_at_k``; LensKit with the
                                                    length of the list for k
map_full       divided by :math:`n_u`               so ranx, RecTools, Recommenders' ``map``; TorchMetrics divides by
                                                    the hits; Elliot's MAP is the mean of the precisions at all places
                                                    from 1 to k, hit or not
mrr            first hit within k, else 0           so ranx, RecBole
hit_rate       1 where any of the first k is a hit  so ranx, RecBole; the same as recall where one item is held out
r_precision    hits among the first                 so Recommenders; ranx looks at all :math:`n_u` first places of the
               :math:`\min(k, n_u)`, divided by     list, whatever k, which is the same in lists of k items
               :math:`n_u`
auc            over all unseen items, ties half,    RecBole's ``AUC`` ranks all users' pairs together, its ``GAUC``
               users equal                          weighs users by :math:`n_u`; implicit's ``AUC_at_k`` takes what
                                                    is below the list to be in random order
=============  ===================================  ==================================================================

("Recommenders" is that of the Recommenders team, formerly Microsoft Recommenders.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.errors import ParameterError
from coterie.evaluation.metrics.base import Metric, PerUser, Ranking

Array = np.ndarray[Any, np.dtype[Any]]


def _equal(values: Array) -> PerUser:
    return PerUser(values.astype(np.float64), np.ones(len(values)))


def _discounts(k: int) -> Array:
    return 1 / np.log2(np.arange(2, k + 2))


def precision(ranking: Ranking, k: int) -> PerUser:
    r"""Share of the list that is relevant: :math:`\frac1k \sum_{j \le k} h_{uj}`."""
    return _equal(ranking.hits[:, :k].sum(axis=1) / k)


def recall(ranking: Ranking, k: int) -> PerUser:
    r"""Share of the relevant items that the list has: :math:`\frac{1}{n_u} \sum_{j \le k} h_{uj}`."""
    return _equal(ranking.hits[:, :k].sum(axis=1) / ranking.n_relevant)


def recall_capped(ranking: Ranking, k: int) -> PerUser:
    r"""Share of what a list of k can have: :math:`\frac{1}{\min(k, n_u)} \sum_{j \le k} h_{uj}` (Liang et al. 2018)."""
    return _equal(ranking.hits[:, :k].sum(axis=1) / np.minimum(ranking.n_relevant, k))


def r_precision(ranking: Ranking, k: int) -> PerUser:
    r"""Precision at the place :math:`n_u`, in lists cut at k: :math:`\frac{1}{n_u} \sum_{j \le \min(k, n_u)} h_{uj}`.

    Where :math:`n_u > k` it cannot reach 1: choose k as large as anybody's number of relevant items.
    """
    hits = ranking.hits[:, :k]
    near = np.arange(hits.shape[1]) < ranking.n_relevant[:, None]
    return _equal((hits & near).sum(axis=1) / ranking.n_relevant)


def ndcg(ranking: Ranking, k: int) -> PerUser:
    r"""Normalised discounted cumulative gain with binary gains and the ideal list cut at k (Järvelin and Kekäläinen
    2002): :math:`\sum_{j \le k} \frac{h_{uj}}{\log_2(j + 1)} \Big/ \sum_{j \le \min(k, n_u)} \frac{1}{\log_2(j + 1)}`.
    """
    return _equal(_gain(ranking, k) / _ideal_gain(np.minimum(ranking.n_relevant, k)))


def ndcg_full(ranking: Ranking, k: int) -> PerUser:
    r"""As `ndcg`, with an ideal list of all relevant items: :math:`\sum_{j \le k} \frac{h_{uj}}{\log_2(j + 1)} \Big/
    \sum_{j \le n_u} \frac{1}{\log_2(j + 1)}`. Where :math:`n_u > k` it cannot reach 1."""
    return _equal(_gain(ranking, k) / _ideal_gain(ranking.n_relevant))


def _gain(ranking: Ranking, k: int) -> Array:
    hits = ranking.hits[:, :k]
    return np.asarray(hits @ _discounts(hits.shape[1]))


def _ideal_gain(lengths: Array) -> Array:
    """The gain of lists of hits alone, of such lengths."""
    return np.asarray(np.cumsum(_discounts(int(lengths.max(initial=1))))[lengths - 1])


def average_precision(ranking: Ranking, k: int) -> PerUser:
    r"""Average precision: :math:`\frac{1}{\min(k, n_u)} \sum_{j \le k} h_{uj} \, \frac1j \sum_{i \le j} h_{ui}`."""
    return _equal(_precision_at_hits(ranking, k) / np.minimum(ranking.n_relevant, k))


def average_precision_full(ranking: Ranking, k: int) -> PerUser:
    r"""Average precision over all relevant items, those beyond the list adding 0: :math:`\frac{1}{n_u} \sum_{j \le k}
    h_{uj} \, \frac1j \sum_{i \le j} h_{ui}`. Where :math:`n_u > k` it cannot reach 1."""
    return _equal(_precision_at_hits(ranking, k) / ranking.n_relevant)


def _precision_at_hits(ranking: Ranking, k: int) -> Array:
    """The sum of the precisions at the places of hits."""
    hits = ranking.hits[:, :k]
    precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((hits * precisions).sum(axis=1))


def reciprocal_rank(ranking: Ranking, k: int) -> PerUser:
    r"""One over the place of the first hit within k, 0 without one: :math:`1 / \min\{j \le k : h_{uj} = 1\}`."""
    hits = ranking.hits[:, :k]
    return _equal(np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0))


def hit_rate(ranking: Ranking, k: int) -> PerUser:
    r"""Whether the list has any relevant item: :math:`\max_{j \le k} h_{uj}`."""
    return _equal(ranking.hits[:, :k].max(axis=1))


def auc(ranking: Ranking) -> PerUser:
    r"""Area under the ROC curve: :math:`\frac{1}{n_u m_u} \sum_{i \in R_u} \sum_{j \notin R_u} [s_{ui} > s_{uj}] +
    \tfrac12 [s_{ui} = s_{uj}]` over the relevant items and all :math:`m_u` others that are not in the profile."""
    if ranking.pair_shares is None:
        raise ParameterError("auc needs the scores of all items; ask for it by name in compare(metrics=...)")
    shares = ranking.pair_shares
    told = np.isfinite(shares)  # somebody for whom all items are relevant has no pairs
    return PerUser(np.where(told, shares, 0.0), told.astype(np.float64))


METRICS = (
    Metric("precision", "ranking", precision, True, "Precision", "divided by k"),
    Metric("recall", "ranking", recall, True, "Recall", "divided by the number of relevant items"),
    Metric("recall_capped", "ranking", recall_capped, True, "Capped recall", "divided by min(k, relevant items)"),
    Metric("ndcg", "ranking", ndcg, True, "NDCG", "binary gain, ideal list cut at k"),
    Metric("ndcg_full", "ranking", ndcg_full, True, "Full NDCG", "binary gain, ideal list of all relevant items"),
    Metric("map", "ranking", average_precision, True, "Mean average precision", "divided by min(k, relevant items)"),
    Metric(
        "map_full", "ranking", average_precision_full, True, "Full mean average precision",
        "divided by the number of relevant items",
    ),
    Metric("mrr", "ranking", reciprocal_rank, True, "Mean reciprocal rank", "first hit within k, else 0"),
    Metric("hit_rate", "ranking", hit_rate, True, "Hit rate", "any hit within k"),
    Metric(
        "r_precision", "ranking", r_precision, True, "R-precision",
        "hits within min(k, relevant items), divided by the number of relevant items",
    ),
    Metric(
        "auc", "ranking", auc, True, "Area under the ROC curve", "over all unseen items, ties half", cut=False,
        needs=frozenset({"pairs"}),
    ),
)  # fmt: skip
