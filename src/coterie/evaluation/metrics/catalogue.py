"""Metrics of all lists together: what share of the catalogue they reach, and how evenly."""

from __future__ import annotations

import math

import numpy as np

from coterie.evaluation.metrics.base import Metric, Ranking


def coverage(ranking: Ranking, k: int) -> float:
    r"""Share of the catalogue that stands in anybody's list: :math:`\big|\bigcup_u L_u\big| \,/\, n_{items}`.

    It grows with the number of users, so compare it only between models asked about the same users.
    """
    listed = ranking.items[:, :k]
    return len(np.unique(listed[listed >= 0])) / ranking.n_items


def gini(ranking: Ranking, k: int) -> float:
    r"""How unevenly the places in lists are shared out among the items: :math:`\sum_{i=1}^{n} (2i - n - 1) \, e_i \Big/
    n \sum_i e_i`, with :math:`e_1 \le \dots \le e_n` the lists in which each item of the catalogue stands.

    0 where all items stand in equally many, near 1 where a few have all places. Items that stand in no list count with
    0. NaN where there are no lists at all.
    """
    listed = ranking.items[:, :k]
    exposure = np.sort(np.bincount(listed[listed >= 0], minlength=ranking.n_items))
    n, total = ranking.n_items, int(exposure.sum())
    if not total:
        return math.nan
    return float((2 * np.arange(1, n + 1) - n - 1) @ exposure / (n * total))


METRICS = (
    Metric("coverage", "catalogue", coverage, True, "Catalogue coverage", "items in any list of k"),
    Metric("gini", "catalogue", gini, False, "Gini coefficient of exposure", "over the whole catalogue"),
)
