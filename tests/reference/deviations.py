"""Slow twins of `coterie.kernels.deviations`: loops over a dense matrix with NaN for unrated."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def pair(dense: Array, item: int, other: int) -> tuple[float, int]:
    """How much better `other` is rated than `item` by those who rated both, on average, and how many did."""
    differences = [row[other] - row[item] for row in dense if not np.isnan(row[item]) and not np.isnan(row[other])]
    return (float(np.mean(differences)) if differences else 0.0), len(differences)


def predict(dense: Array, profile: Array, item: int, min_support: int, weighted: bool) -> float:
    """The rating of an item by a profile (n_items,); NaN where it rated nothing comparable."""
    total = weight = 0.0
    for other in range(len(profile)):
        deviation, support = pair(dense, other, item)
        if other != item and not np.isnan(profile[other]) and support >= min_support:
            w = support if weighted else 1
            total += w * (profile[other] + deviation)
            weight += w
    return total / weight if weight else float("nan")
