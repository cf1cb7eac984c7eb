"""Slow twins of `coterie.kernels.bpr` and `tastes`, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize

from coterie.kernels.sampling import draw_alias

Array = np.ndarray[Any, np.dtype[Any]]


def ascend(
    choices: list[tuple[int, int, float]], pool: Array, table: tuple[Array, Array], key: int,
    p: Array, q: Array, c: Array, rate: float, bias_rate: float, lam: float, tries: int,
) -> tuple[float, int]:  # fmt: skip
    """LearnBPR (Rendle et al. 2009, figure 4) over (user, item, weight), against drawn items of the pool."""
    state = np.array([key], np.uint64)
    total, pairs = 0.0, 0
    for u, i, weight in choices:
        chosen = {item for user, item, _ in choices if user == u}
        if len(chosen) >= len(pool):
            continue
        for _ in range(tries):
            j = int(pool[draw_alias(state, *table)])
            if j not in chosen:
                break
        else:
            continue
        x = p[u] @ (q[i] - q[j]) + c[i] - c[j]
        chance = 1 / (1 + np.exp(-x))
        total, pairs = total + np.log(chance), pairs + 1
        g = weight * (1 - chance)
        c[i] += bias_rate * (g - lam * c[i])
        c[j] += bias_rate * (-g - lam * c[j])
        steps = g * (q[i] - q[j]) - lam * p[u], g * p[u] - lam * q[i], -g * p[u] - lam * q[j]
        p[u] += rate * steps[0]
        q[i] += rate * steps[1]
        q[j] += rate * steps[2]
    return total, pairs


def taste(chosen: Array, weights: Array, vectors: Array, shares: Array, ridge: float, nodes: int = 5) -> Array:
    """The factors that maximise the objective of `tastes`, by a general optimiser."""
    rest_shares = shares.astype(np.float64).copy()
    rest_shares[chosen] = 0
    q, c = vectors[:, :-1], vectors[:, -1]
    places, masses = np.polynomial.hermite_e.hermegauss(nodes)
    masses = masses / masses.sum()

    def loss(p: Array) -> float:
        scores = q @ p + c
        mean = np.average(scores, weights=rest_shares)
        spread = np.sqrt(np.average((scores - mean) ** 2, weights=rest_shares) + 1e-10)
        leads = scores[chosen][:, None] - mean - spread * places
        return float(weights @ (np.logaddexp(0, -leads) @ masses) + ridge / 2 * p @ p)

    found = scipy.optimize.minimize(loss, np.zeros(q.shape[1]), method="BFGS", options={"gtol": 1e-9})
    return np.asarray(found.x)
