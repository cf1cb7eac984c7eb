"""Slow twin of `coterie.kernels.gibbs`: a posterior a row, by the book."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def posterior(
    ratings: Array, others: Array, betas: Array, mean: Array, precision: Array, alpha: float
) -> tuple[Array, Array]:
    """Mean (d,) and precision (d, d) of one row's vector; `ratings` (m,) is NaN where unrated."""
    rated = ~np.isnan(ratings)
    x = np.column_stack([others[rated, :-1], np.ones(rated.sum())]).astype(np.float64)
    weighted = alpha * betas[rated, None] * x
    a = precision + weighted.T @ x
    return np.linalg.solve(a, precision @ mean + weighted.T @ (ratings - others[:, -1])[rated]), a


def squared_error(ratings: Array, others: Array, betas: Array, vector: Array) -> float:
    """Of one row, each square times its β."""
    predicted = others[:, :-1] @ vector[:-1] + vector[-1] + others[:, -1]
    return float(np.nansum(betas * (ratings - predicted) ** 2))


def draw_row(
    ratings: Array, others: Array, betas: Array, mean: Array, precision: Array, alpha: float, noise: Array
) -> Array:
    """The draw that `noise` makes."""
    center, a = posterior(ratings, others, betas, mean, precision, alpha)
    return np.asarray(center + np.linalg.solve(np.linalg.cholesky(a).T, noise))


def expected_alpha(
    ratings: Array, others: Array, betas: Array, mean: Array, precision: Array, alpha: float, shape: float, rounds: int
) -> tuple[float, float]:
    """Expectation of α, and of 1 / α, after so many rounds from the prior expectation `alpha`."""
    n, now, rate = (~np.isnan(ratings)).sum(), alpha, shape
    for _ in range(rounds):
        center, a = posterior(ratings, others, betas, mean, precision, now)
        products = (a - precision) / now  # Σ β x xᵀ
        left = squared_error(ratings, others, betas, center) + np.trace(np.linalg.solve(a, products))
        rate = shape + alpha * left / 2
        now = alpha * (shape + n / 2) / rate
    return now, rate / (shape + n / 2 - 1) / alpha


def draw_weights(
    belongs: Array, scales: Array, targets: Array, means: Array, precisions: Array, noise: Array, weights: Array
) -> Array:
    """New weights (m, d), one after the other; `belongs` bool (n, m) says which weights are in a row's sum."""
    weights = weights.astype(np.float64)
    design = belongs * scales[:, None].astype(np.float64)
    for j in range(len(weights)):
        others = targets - design @ weights + np.outer(design[:, j], weights[j])  # what is left for y_j to explain
        precision = (design[:, j] ** 2).sum() + precisions
        weights[j] = (design[:, j] @ others + precisions * means) / precision + noise[j] / np.sqrt(precision)
    return weights
