"""Metrics of all lists together: what share of the catalogue they reach."""

from __future__ import annotations

import numpy as np

from coterie.evaluation.metrics.base import Metric, Ranking


def coverage(ranking: Ranking, k: int) -> float:
    r"""Share of the catalogue that stands in anybody's list: :math:`\big|\bigcup_u L_u\big| \,/\, n_{items}`.

    It grows with the number of users, so compare it only between models asked about the same users.
    """
    listed = ranking.items[:, :k]
    return len(np.unique(listed[listed >= 0])) / ranking.n_items


METRICS = (Metric("coverage", "catalogue", coverage, True, "Catalogue coverage", "items in any list of k"),)
