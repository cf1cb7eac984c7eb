r"""Metrics of ranked lists, exact over all items, one value a user, averaged over users with equal weight.

:math:`h_{uj}` is 1 where the item at place j of user u's list is relevant and 0 elsewhere (also beyond
the end of a short list), :math:`n_u \ge 1` the number of u's relevant test items. Libraries differ:

=========  ============================================  =================================================
metric     here                                          elsewhere
=========  ============================================  =================================================
precision  divided by k, also for short lists            some divide by the length of the list
recall     divided by :math:`n_u`                        Liang et al. 2018 divide by :math:`\min(k, n_u)`:
                                                         here ``recall_capped``
ndcg       binary gain, ideal list cut at k              some leave the ideal list uncut
map        divided by :math:`\min(k, n_u)`               some divide by :math:`n_u` or by the hits
mrr        first hit within k, else 0                    some look through the whole list
hit_rate   1 where any of the first k is a hit           the same as recall where one item is held out
=========  ============================================  =================================================
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
    r"""Recall that k items can bring to 1 (Liang et al. 2018): :math:`\frac{1}{\min(k, n_u)} \sum_{j \le k} h_{uj}`."""
    return _equal(ranking.hits[:, :k].sum(axis=1) / np.minimum(ranking.n_relevant, k))


def ndcg(ranking: Ranking, k: int) -> PerUser:
    r"""Normalised discounted cumulative gain with binary gains and the ideal list cut at k (Järvelin and Kekäläinen
    2002): :math:`\sum_{j \le k} \frac{h_{uj}}{\log_2(j + 1)} \Big/ \sum_{j \le \min(k, n_u)} \frac{1}{\log_2(j + 1)}`.
    """
    hits = ranking.hits[:, :k]
    ideal = np.cumsum(_discounts(k))[np.minimum(ranking.n_relevant, k) - 1]
    return _equal(hits @ _discounts(hits.shape[1]) / ideal)


def average_precision(ranking: Ranking, k: int) -> PerUser:
    r"""Average precision: :math:`\frac{1}{\min(k, n_u)} \sum_{j \le k} h_{uj} \, \frac1j \sum_{i \le j} h_{ui}`."""
    hits = ranking.hits[:, :k]
    precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return _equal((hits * precisions).sum(axis=1) / np.minimum(ranking.n_relevant, k))


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
    Metric("recall_capped", "ranking", recall_capped, True, "Recall, capped", "divided by min(k, relevant items)"),
    Metric("ndcg", "ranking", ndcg, True, "NDCG", "binary gain, ideal list cut at k"),
    Metric("map", "ranking", average_precision, True, "Mean average precision", "divided by min(k, relevant items)"),
    Metric("mrr", "ranking", reciprocal_rank, True, "Mean reciprocal rank", "first hit within k, else 0"),
    Metric("hit_rate", "ranking", hit_rate, True, "Hit rate", "any hit within k"),
    Metric("auc", "ranking", auc, True, "Area under the ROC curve", "over all unseen items, ties half", cut=False),
)
