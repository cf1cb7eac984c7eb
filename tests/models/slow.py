"""Neighbourhood filtering as slow loops over dense ratings (NaN for unrated), and worlds to try it on."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from tests.reference import corated

Array = np.ndarray[Any, np.dtype[Any]]
DISTANCES = ("manhattan", "euclidean", "chebyshev")


def world(n_users: int = 14, n_items: int = 10, seed: int = 0) -> Array:
    """Half-star ratings with gaps, float64."""
    random = np.random.default_rng(seed)
    full = random.integers(1, 11, (n_users, n_items)) / 2
    return np.where(random.random(full.shape) < 0.6, full, np.nan)


def interactions(dense: Any) -> Interactions:
    """User ids from 1, item ids from 101."""
    dense = np.asarray(dense, np.float64)
    user, item = np.nonzero(~np.isnan(dense))
    users, items = Vocabulary(np.arange(len(dense)) + 1, "user"), Vocabulary(np.arange(dense.shape[1]) + 101, "item")
    return Interactions.from_arrays(users, items, user, item, dense[user, item])


def biases(dense: Array, iterations: int = 10, for_users: float = 15.0, for_items: float = 10.0) -> Any:
    """Mean, user biases and item biases by alternating means, a rating at a time."""
    mean = float(np.nanmean(dense))
    of_users, of_items = np.zeros(len(dense)), np.zeros(dense.shape[1])
    for _ in range(iterations):
        for i in range(dense.shape[1]):
            raters = [u for u in range(len(dense)) if not np.isnan(dense[u, i])]
            of_items[i] = sum(dense[u, i] - mean - of_users[u] for u in raters) / (for_items + len(raters))
        for u in range(len(dense)):
            rated = [i for i in range(dense.shape[1]) if not np.isnan(dense[u, i])]
            of_users[u] = sum(dense[u, i] - mean - of_items[i] for i in rated) / (for_users + len(rated))
    return mean, of_users, of_items


def likeness(dense: Array, own: int, similarity: str, reading: str, shrinkage: float) -> list[tuple[float, float]]:
    """(weight, shared entries) of one row with every row; a distance d weighs 1 / (1 + d)."""
    known, out = dense[~np.isnan(dense)], []
    for other in dense:
        n = corated.lanes(dense[own], other)[0]
        value = corated.measure(similarity, reading, dense[own], other, float(np.ptp(known)))
        value = corated.shrunk(value, n, shrinkage, similarity in DISTANCES)
        out.append((1 / (1 + value) if similarity in DISTANCES else value, n))
    return out


def predict(
    dense: Array,
    row: int,
    column: int,
    *,
    aggregation: str,
    similarity: str = "cosine",
    reading: str = "table",
    n_neighbors: int = 50,
    min_neighbors: int = 1,
    min_overlap: int = 1,
    shrinkage: float = 0.0,
    absolute: bool = False,
    by_items: bool = False,
) -> float:
    """The rating of item `column` by user `row`, in the module's four steps. Items are rows with `by_items`."""
    if by_items:
        dense, row, column = dense.T, column, row
    mean, of_users, of_items = biases(dense.T if by_items else dense)
    of_rows, of_columns = (of_items, of_users) if by_items else (of_users, of_items)
    # 1, 2: similarity to the others, in order
    found = likeness(dense, row, similarity, reading, shrinkage)
    closeness = [abs(w) if absolute else w for w, _ in found]
    order = sorted(range(len(dense)), key=lambda v: (-np.float32(closeness[v]), v))
    # 3: the nearest that can speak
    able = [v for v in order if v != row and closeness[v] > 0 and found[v][1] >= min_overlap]
    near = [v for v in able if not np.isnan(dense[v, column])][:n_neighbors]
    # 4: their word
    centers, offset, spreads = np.zeros(len(dense)), 0.0, np.ones(len(dense))
    if aggregation in ("centered", "zscore"):
        centers = np.array([np.nanmean(r) if (~np.isnan(r)).any() else mean for r in dense])
    if aggregation == "zscore":
        spreads = np.array([np.nanstd(r) if (~np.isnan(r)).any() else 1.0 for r in dense])
        spreads[spreads < 1e-6] = 1.0
    if aggregation == "baseline":
        centers, offset = of_rows, mean + of_columns[column]
    weights = [1.0 if aggregation == "mean" else found[v][0] for v in near]
    weights = [abs(w) for w in weights] if aggregation == "weighted" else weights
    if len(near) < min_neighbors or not sum(map(abs, weights)) > 0:
        return float(mean + of_rows[row] + of_columns[column])
    z = [(dense[v, column] - centers[v] - offset) / spreads[v] for v in near]
    average = sum(w * s for w, s in zip(weights, z, strict=True)) / sum(map(abs, weights))
    return float(centers[row] + offset + spreads[row] * average)
