"""Slow twins of `coterie.kernels.neighborhood`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.heap import best_pairs

Array = np.ndarray[Any, np.dtype[Any]]


def nearest_raters(raters: list[int], closeness: Array, k: int) -> list[int]:
    """Places in `raters` of the k closest, closest first; -inf keeps one out."""
    pairs = [(float(closeness[r]), place) for place, r in enumerate(raters) if closeness[r] > -np.inf]
    return [place for _, place in best_pairs(pairs, k)]


def average(
    dense: Array, item: int, closeness: Array, weights: Array, center: Array, spread: Array, offset: Array,
    k: int, min_neighbors: int,
) -> float:  # fmt: skip
    """The weighted mean of what the nearest raters of an item say, from ratings (n_users, n_items) with NaN."""
    raters = [user for user in range(len(dense)) if not np.isnan(dense[user, item])]
    chosen = [raters[place] for place in nearest_raters(raters, closeness, k)]
    total = sum(weights[v] * (dense[v, item] - center[v] - offset[item]) / spread[v] for v in chosen)
    weight = sum(abs(weights[v]) for v in chosen)
    return float(total / weight) if len(chosen) >= min_neighbors and weight > 0 else float("nan")


def average_of_rated(
    listed: list[int], weights: list[float], ratings: list[float], n_neighbors: int, min_neighbors: int
) -> float:
    """The weighted mean of the first `n_neighbors` of a list that weigh something and are rated (not NaN)."""
    pairs = [(w, ratings[j]) for j, w in zip(listed, weights, strict=True) if w != 0 and not np.isnan(ratings[j])]
    pairs = pairs[:n_neighbors]
    if not pairs or len(pairs) < min_neighbors:
        return float("nan")
    return sum(w * r for w, r in pairs) / sum(abs(w) for w, _ in pairs)
